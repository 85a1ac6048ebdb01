import numpy as np
import pytest

from imagemusic.data.corpora.catalogue import read_corpus
from imagemusic.data.corpora.games import freedoom_titles, title_of
from imagemusic.music.score import Note, Score, Tempo, Track
from tests.miniature import C, engraved, only, put, quarters

CREDITS = """--Phase 1--
Title: "Fight for Freedom" by Korp, based on "Fountain Dance" by Tyler "Picklehammer" P.
\tE1M1: "Steel and Brass" by J.Astartes and Mr795
\t\tE1M9: "Hidden Between Spades" by Korp, remix of dave3d42.mid by jute
--FreeDM--
Story: dave3d07.mid by jute
--Previously Featured in 0.13.0--
E1M1: "Stanky Leg Specialist" by Lola
"""


def test_a_slot_and_its_history_and_the_track_it_remixes_are_one_group(tmp_path):
    put(tmp_path, "freedoom/musics/d_e1m9.mid", engraved(quarters(drums=True)))
    for name in ("aa_d_e1m9", "bb_dave3d42", "cc_d_e1m1"):
        put(tmp_path, f"freedoom-history/{name}.mid", engraved(quarters(drums=True)))
    (tmp_path / "freedoom/CREDITS-MUSIC").write_text(CREDITS)
    old = list(read_corpus(tmp_path, "freedoom-history"))
    assert [piece.group for piece in old] == ["freedoom/dave3d42", "freedoom/dave3d42", "freedoom/steelandbrass"]
    assert only(tmp_path, "freedoom").group == "freedoom/dave3d42"
    assert freedoom_titles(tmp_path / "freedoom") == {
        "introa": "Fountain Dance",
        "e1m1": "Steel and Brass",
        "e1m9": "dave3d42",
        "fdmrdm": "dave3d07",
    }


def test_a_credit_without_a_title_stands_for_itself():
    assert title_of("somebody") == "somebody"


def played(bpm, file_bpm=120.0, ticks_per_beat=70):
    """Write sixteenths of a tempo into a file of another, rounded to its ticks."""
    seconds = np.sort(np.random.default_rng(0).choice(1500, 400, replace=False)) * 15 / bpm
    ticks = np.round(seconds * file_bpm / 60 * ticks_per_beat).astype(int)
    return Score(
        [Track([Note(int(tick), C, 4) for tick in ticks])], [Tempo(0, file_bpm)], ticks_per_beat=ticks_per_beat
    )


def test_a_track_converted_from_a_format_without_beats_gets_its_tempo_back(tmp_path):
    put(tmp_path, "blasphemer/mus_e1m1.mid", played(97.0))
    piece = only(tmp_path, "blasphemer")
    assert piece.metrical and not piece.meter_known
    assert piece.score.tempos[0].bpm == pytest.approx(97, rel=1e-3)
    assert np.isin(piece.score.tracks[0].notes[:, 0] % 24, [0, 6, 12, 18]).mean() > 0.98


def test_a_track_without_any_beat_stands_on_half_seconds(tmp_path):
    ticks = np.sort(np.random.default_rng(0).choice(16_000, 400, replace=False)).tolist()
    track = Track([Note(tick, C, 4) for tick in ticks])
    put(tmp_path, "blasphemer/mus_e1m1.mid", Score([track], [Tempo(0, 90)], ticks_per_beat=70))
    piece = only(tmp_path, "blasphemer")
    assert not piece.metrical and not piece.tempo_known
    last = ticks[-1] / 70 * 60 / 90  # seconds
    assert piece.score.tracks[0].notes[-1, 0] + 96 >= last * 48 >= piece.score.tracks[0].notes[-1, 0] - 1


def test_a_simutrans_track_is_grouped_by_composer(tmp_path):
    put(tmp_path, "simutrans/09-Swing.mid", engraved(quarters(drums=True)))
    (tmp_path / "simutrans/CREDITS.txt").write_text("\ufeffText\n---|---\n09 | Simupolitan Swing | Lmallet | - |\n")
    piece = only(tmp_path, "simutrans")
    assert (piece.group, piece.title, piece.tags) == ("simutrans/Lmallet", "Simupolitan Swing", ("Lmallet",))
