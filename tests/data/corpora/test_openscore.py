import numpy as np
import pytest

from imagemusic.data.corpora.catalogue import read_corpus
from imagemusic.data.corpora.openscore import movement_starts, quiet_bar_lines
from imagemusic.music.score import Meter, Note, Score, Tempo, Track
from tests.miniature import C, engraved, only, put, quarters


def test_a_lied_is_grouped_by_set_and_its_singer_sings(tmp_path):
    root = tmp_path / "openscore-lieder"
    voice = quarters(program=68, name="SingstimmeVoice")
    put(root, "scores/Franz,_Robert/6_Lieder/2_Ruhe/lc1.mid", engraved(voice, quarters(name="Piano")))
    put(root, "scores/Franz,_Robert/_/Lied/lc2.mid", engraved(quarters(program=73, name="Flute"), bpm=120.0))
    (root / "data").mkdir()
    (root / "data/scores.tsv").write_text('path\tname\nFranz,_Robert/6_Lieder/2_Ruhe\tRuhe "2"\n', encoding="utf-8")

    alone, in_set = sorted(read_corpus(tmp_path, "openscore-lieder"), key=lambda piece: piece.title)
    assert (in_set.id, in_set.group) == (
        "openscore-lieder/scores/Franz,_Robert/6_Lieder/2_Ruhe/lc1",
        "openscore-lieder/Franz,_Robert/6_Lieder",
    )
    assert (in_set.title, in_set.licence, in_set.metrical) == ('Ruhe "2"', "CC0-1.0", True)
    assert [(track.name, track.program) for track in in_set.score.tracks] == [("Singstimme", 52), ("Piano", 0)]
    assert in_set.tempo_known and in_set.meter_known and not in_set.velocity_known
    assert in_set.score.tempos[0].bpm == pytest.approx(90)
    assert alone.group == "openscore-lieder/Franz,_Robert/Lied"
    assert not alone.tempo_known  # 120 is what the engraving program writes
    assert alone.score.tracks[0].program == 73


def movements(*lengths, bpm=(60.0, 80.0, 100.0)):
    """Write movements of so many quarters each in one track, tempo and meter said at each."""
    starts = np.cumsum([0, *lengths])[:-1] * 24
    notes = [Note(24 * beat, C + beat % 7, 24) for beat in range(sum(lengths))]
    tempos = [Tempo(int(tick), speed) for tick, speed in zip(starts, bpm, strict=False)]
    return Score([Track(notes, 40)], tempos, [Meter(int(tick), 2 + at, 4) for at, tick in enumerate(starts)])


def test_a_quartet_is_cut_where_tempo_and_meter_change_and_enough_notes_are_on_both_sides(tmp_path):
    assert movement_starts(movements(500, 600)) == [0, 500 * 24]
    assert movement_starts(movements(500, 100, 600)) == [0, 500 * 24]
    assert movement_starts(movements(100, 100)) == [0]
    put(tmp_path, "openscore-quartets/scores/Bridge,_Frank/No.1/sq1.mid", movements(500, 600))
    first, second = read_corpus(tmp_path, "openscore-quartets")
    assert [first.id[-6:], second.id[-6:]] == ["/sq1#1", "/sq1#2"]
    assert first.group == second.group == "openscore-quartets/Bridge,_Frank/No.1"
    assert [first.score.note_count, second.score.note_count] == [500, 600]
    assert second.score.meters == (Meter(0, 3, 4),)


def test_a_long_movement_is_cut_at_the_bar_lines_that_fewest_notes_cross():
    held = [Note(96 * bar, 40, 120) for bar in range(100) if bar != 49]  # over the next bar line, except in one bar
    score = Score([Track([Note(24 * beat, C, 24) for beat in range(400)]), Track(held)], (), [Meter(0)])
    assert quiet_bar_lines(score, 300) == [50 * 96]
    assert quiet_bar_lines(score, 1000) == []


def test_an_orchestral_movement_is_grouped_by_work(tmp_path):
    put(tmp_path, "hauptstimme/Brahms,_Johannes__Brahms_Op.68_3.mid", engraved(*[quarters() for _ in range(20)]))
    piece = only(tmp_path, "hauptstimme")
    assert (piece.group, piece.title, piece.tags) == (
        "hauptstimme/Brahms_Op.68",
        "Brahms Op.68 3",
        ("Brahms, Johannes",),
    )
    assert len(piece.score.tracks) == 20
