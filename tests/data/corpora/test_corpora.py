"""Each corpus in miniature: a file or two laid out as the real one is, with its quirks."""

import zipfile

import numpy as np
import pytest

from imagemusic.data.corpora.catalogue import read_corpus, read_piece
from imagemusic.data.corpora.games import freedoom_titles, title_of
from imagemusic.data.corpora.openscore import movement_starts, quiet_bar_lines
from imagemusic.data.corpora.pop909 import align, read_beats
from imagemusic.errors import DataError
from imagemusic.music.midi import save_midi
from imagemusic.music.score import Key, Meter, Note, Score, Tempo, Track

C = 60


def put(folder, path, score):
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    save_midi(score, folder / path)


def quarters(count=8, *, program=0, name="", step=120, velocity=80, drums=False, pitch=C, **options):
    notes = [Note(step * beat, pitch, step, velocity) for beat in range(count)]
    return Track(notes, program, drums, name)


def engraved(*tracks, bpm=90.0):
    return Score(tracks, [Tempo(0, bpm)], [Meter(0, 4, 4)], [Key(0, -1)], ticks_per_beat=120)


def only(folder, corpus):
    pieces = list(read_corpus(folder, corpus))
    assert len(pieces) == 1
    return pieces[0]


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


def test_a_mutopia_file_is_grouped_by_composer_and_opus(tmp_path):
    put(tmp_path, "mutopia/ChopinFF__O28__p1__p1-1.mid", engraved(quarters(), bpm=60.0))
    rows = "midi,title,composer,style,instrument,class,license\n"
    rows += "ChopinFF__O28__p1__p1-1.mid,Prélude,ChopinFF,Romantic,Piano,BY,Creative Commons Attribution 3.0\n"
    (tmp_path / "mutopia/metadata.csv").write_text(rows, encoding="utf-8")
    piece = only(tmp_path, "mutopia")
    assert (piece.group, piece.title, piece.tags) == (
        "mutopia/ChopinFF/O28",
        "Prélude",
        ("ChopinFF", "Romantic", "Piano"),
    )
    assert piece.licence == "Creative Commons Attribution 3.0"
    assert not piece.tempo_known  # 60 is what LilyPond writes


def test_beats_bend_time_and_downbeats_make_bars():
    # Beats at 0.5, 1.0, 2.0, 2.5 ... seconds: the second beat is twice as long.  Downbeats every 4, once 2.
    times = np.array([0.5, 1.0, 2.0, *(2.5 + 0.5 * np.arange(12))])
    beats = np.stack([times, np.zeros(15), np.isin(np.arange(15), [1, 5, 7, 11])], axis=1)
    score = Score([Track([Note(0, C, 1), Note(2, C, 1), Note(3, C, 2)])], [Tempo(0, 60)], ticks_per_beat=2)
    aligned = align(score, beats)  # notes at 0, 1 and 1.5 seconds are beats -1, 1 and 1.5
    # The first downbeat is beat 1; the first note is in the bar before, which begins at beat -3.
    assert (aligned.tracks[0].notes[:, 0] / 960).tolist() == [2, 4, 4.5]
    assert (aligned.tracks[0].notes[:, 2] / 960).tolist() == [1, 0.5, 1.5]
    assert [(meter.tick / 960, meter.numerator) for meter in aligned.meters] == [(0, 4), (8, 2), (10, 4)]
    assert aligned.tempos == (Tempo(0, 120),)


def test_six_beats_between_downbeats_are_a_bar_of_four_and_one_of_two():
    beats = np.stack([np.arange(20) / 2, np.zeros(20), np.isin(np.arange(20), [0, 4, 10, 14, 18])], axis=1)
    aligned = align(Score([quarters(4, step=24)]), beats)
    assert [(meter.tick / 960, meter.numerator) for meter in aligned.meters] == [(0, 4), (8, 2), (10, 4)]


def test_bars_of_three_are_told_by_the_lesser_stress():
    rows = np.arange(24)
    beats = np.stack([rows / 2, rows % 3 == 0, rows % 6 == 0], axis=1)
    assert align(Score([quarters(4, step=24)]), beats).meters == (Meter(0, 3, 4),)


def test_a_pop_song_is_grouped_by_artist(tmp_path):
    root = tmp_path / "pop909/POP909"
    put(root, "007/007.mid", Score([quarters(name="MELODY")], [Tempo(0, 120)], [Meter(0, 1, 4)], ticks_per_beat=120))
    (root / "007/beat_midi.txt").write_text("".join(f"{beat / 2} 0.0 {float(beat % 4 == 0)}\n" for beat in range(12)))
    cells = ["007", "歌", "某人", "1"]
    row = "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in cells)
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    with zipfile.ZipFile(root / "index.xlsx", "w") as book:
        book.writestr(
            "xl/worksheets/sheet1.xml", f"<worksheet {space}><sheetData><row/><row>{row}</row></sheetData></worksheet>"
        )
    piece = only(tmp_path, "pop909")
    assert (piece.id, piece.group, piece.title) == ("pop909/POP909/007/007", "pop909/某人", "歌")
    assert (piece.score.meters, piece.off_grid) == ((Meter(0, 4, 4),), 0)
    assert [note.onset for note in piece.score.tracks[0]] == [24 * beat for beat in range(8)]


@pytest.mark.parametrize("content", ["", "0.5 1.0\n1.0 0.0\n", "0.5 1 1\n0.4 1 1\n", "a b c\nd e f\n", "0.5 1 1\n"])
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_a_damaged_table_of_beats_is_named(tmp_path, content):
    path = tmp_path / "beat_midi.txt"
    path.write_text(content)
    with pytest.raises(DataError, match=r"beat_midi\.txt: "):
        read_beats(path)


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


def test_a_drummer_s_pads_are_general_midi_and_his_timing_is_written(tmp_path):
    notes = [Note(480 * beat + 17, pitch, 60, 60 + beat) for beat, pitch in enumerate([22, 26, 58, 36])]
    score = Score([Track(notes, 0, True, "Midi Drums")], [Tempo(0, 100)], ticks_per_beat=480)
    put(tmp_path, "groove-midi/drummer7/session1/1_rock_100_beat_3-4.mid", score)
    path = "drummer7/session1/1_rock_100_beat_3-4.mid"
    rows = f"drummer,style,bpm,beat_type,time_signature,midi_filename\ndrummer7,rock/folk,100,beat,3-4,{path}\n"
    (tmp_path / "groove-midi/info.csv").write_text(rows)
    piece = only(tmp_path, "groove-midi")
    assert [(note.onset, note.pitch) for note in piece.score.tracks[0]] == [(0, 42), (24, 46), (48, 43), (72, 36)]
    assert (piece.group, piece.title) == ("groove-midi/drummer7", "rock/folk beat at 100 bpm")
    assert piece.tags == ("rock/folk", "beat")
    assert piece.score.meters == (Meter(0, 3, 4),)
    assert piece.velocity_known


def test_a_piano_roll_has_no_beat_and_stands_on_half_seconds(tmp_path):
    score = Score([quarters(4, step=100)], [Tempo(0, 60)], ticks_per_beat=100)
    put(tmp_path, "pianolatron/midi/exp/ab12_exp.mid", score)
    (tmp_path / "pianolatron/metadata.csv").write_text(
        'id,title,composer,performer\nab12,"Ballade, op. 47","Chopin",None\n'
    )
    piece = only(tmp_path, "pianolatron")
    assert (piece.metrical, piece.tempo_known, piece.meter_known) == (False, False, False)
    assert [note.onset for note in piece.score.tracks[0]] == [0, 48, 96, 144]
    assert (piece.group, piece.tags) == ("pianolatron/chopin ballade op 47", ("Chopin",))


def test_yardsticks_are_read_with_what_they_do_not_know(tmp_path):
    put(tmp_path, "emopia/midis/Q3_a_b_c_0.mid", engraved(quarters()))
    put(tmp_path, "vgmidi/labelled/phrases/Game_Piece_2.mid", engraved(quarters()))
    put(tmp_path, "nottingham/MIDI/jigs12.mid", engraved(quarters()))
    emopia, vgmidi, nottingham = (only(tmp_path, name) for name in ("emopia", "vgmidi", "nottingham"))
    assert (emopia.group, emopia.tags, emopia.metrical) == ("emopia/a_b_c", ("Q3",), False)
    assert vgmidi.group == "vgmidi/Game_Piece"
    assert (nottingham.tags, nottingham.meter_known) == (("jigs",), True)


def test_a_file_without_notes_yields_no_piece(tmp_path):
    put(tmp_path, "nottingham/MIDI/silence.mid", Score([]))
    assert read_piece(tmp_path, "nottingham", "MIDI/silence.mid") == []
