import os
import random
import re

import pytest

from imagemusic.errors import ImageMusicWarning, ScoreError
from imagemusic.music.controls import no_controls
from imagemusic.music.midi import load_midi, midi_bytes, read_midi, reading
from imagemusic.music.score import Key, Meter, Note, Score, Tempo, Track
from tests.midi_bytes import chunk, control, meta, midi, off, on, program, scale, track

C, E, G = 60, 64, 67
THREE_FOUR, FOUR_FOUR = meta(0x58, b"\x03\x02\x18\x08"), meta(0x58, b"\x04\x02\x18\x08")
LAST = (480, meta(1, b"end"))


def tempo(micros):
    return meta(0x51, micros.to_bytes(3, "big"))


def notes_of(data, **options):
    return [note for track in read_midi(data, **options).score.tracks for note in track]


def test_what_the_file_does_not_say_stays_unknown():
    score = load_midi(midi(track(*scale(1))))
    assert (score.tempos, score.meters, score.keys, score.ticks_per_beat) == ((), (), (), 480)


def test_a_note_of_no_length_lasts_a_tick_and_one_never_released_to_the_end():
    reading = read_midi(midi(track((0, on(C)), (0, off(C)), (0, on(E)), (0, on(G)), (10, off(G)), LAST)))
    assert list(reading.score.tracks[0]) == [Note(0, C, 1), Note(0, E, 490), Note(0, G, 10)]
    assert reading.notices == ("1 note(s) never released: they last to the next release of the key or to the end",)


def test_a_file_without_a_release_is_heard_to_its_end():
    data = midi(track(*((480, on(C + step)) for step in (0, 2, 4)), LAST))
    assert [(note.onset, note.offset) for note in notes_of(data)] == [(480, 1920), (960, 1920), (1440, 1920)]


@pytest.mark.parametrize("number", [120, 123, 127])
def test_control_changes_that_end_all_notes_end_them(number):
    data = midi(track((0, on(C)), (960, control(number, 0)), (960, on(E)), (480, off(E))))
    assert notes_of(data) == [Note(0, C, 960), Note(1920, E, 480)]
    late_release = midi(track((0, on(C)), (960, off(C))), track((480, control(number, 0))))
    assert notes_of(late_release) == [Note(0, C, 480)]


def test_the_pedal_holds_notes_until_it_is_lifted_or_the_key_is_struck_again():
    under_the_pedal = [(0, on(C)), (10, off(C)), (0, on(E)), (10, off(E)), (10, on(C)), (10, off(C))]
    data = midi(track((0, control(64, 127)), *under_the_pedal, (60, control(64, 0)), (0, on(G)), (5, off(G))))
    assert notes_of(data, fold_pedal=True) == [Note(0, C, 30), Note(10, E, 90), Note(30, C, 70), Note(100, G, 5)]
    assert notes_of(data) == [Note(0, C, 10), Note(10, E, 10), Note(30, C, 10), Note(100, G, 5)]


def test_the_pedal_holds_for_its_channel_in_all_tracks_and_for_no_other():
    pedal = track((0, control(64, 64)), (480, control(64, 63)))
    data = midi(pedal, track((0, on(C)), (10, off(C))), track((0, on(E, channel=1)), (10, off(E, 1))))
    assert notes_of(data, fold_pedal=True) == [Note(0, C, 480), Note(0, E, 10)]


@pytest.mark.parametrize(("number", "offset"), [(120, 100), (123, 300)])
def test_all_sound_off_ends_what_the_pedal_holds_and_all_notes_off_does_not(number, offset):
    events = [(0, control(64, 127)), (0, on(C)), (100, control(number, 0)), (200, control(64, 0)), (9, off(C))]
    assert notes_of(midi(track(*events)), fold_pedal=True) == [Note(0, C, offset)]


def test_a_pedal_never_lifted_is_lifted_at_the_end():
    assert notes_of(midi(track((0, control(64, 127)), (0, on(C)), (10, off(C)), LAST)), fold_pedal=True) == [
        Note(0, C, 490)
    ]


def test_a_program_change_inside_a_track_begins_another_track():
    score = load_midi(midi(track(*scale(1, ticks=10), (0, program(9)), *scale(1, ticks=10))))
    assert [(track.program, list(track)) for track in score.tracks] == [(0, [Note(0, C, 10)]), (9, [Note(10, C, 10)])]


def test_the_key_most_parts_give_is_kept_and_the_later_tempo_wins():
    keys = [track((0, meta(0x59, bytes([fifths & 255, 0])))) for fifths in (0, 2, 2, -1)]
    score = load_midi(midi(track((0, tempo(500_000)), (0, tempo(400_000))), *keys, track(*scale(1))))
    assert score.keys == (Key(0, 2),)
    assert score.tempos == (Tempo(0, 150),)


def test_tempos_of_any_track_count_however_fast():
    score = load_midi(midi(track(*scale(1, ticks=48_000)), track((0, tempo(2000)), (48_000 - 480, tempo(500_000)))))
    assert score.tempos == (Tempo(0, 30_000), Tempo(47_520, 120))
    assert score.seconds == pytest.approx(99 * 0.002 + 0.5)


def test_the_same_meter_again_begins_no_bar():
    score = load_midi(midi(track((0, FOUR_FOUR), (480, FOUR_FOUR), (480, THREE_FOUR), (0, THREE_FOUR), *scale(1))))
    assert score.meters == (Meter(0, 4, 4), Meter(960, 3, 4))


def test_a_meter_of_two_bytes_is_one():
    assert load_midi(midi(track((0, meta(0x58, b"\x03\x02")), *scale(1)))).meters == (Meter(0, 3, 4),)


@pytest.mark.parametrize(
    ("sign", "notice"),
    [
        (meta(0x51, b"\x07"), "a tempo without a value"),
        (tempo(0), "a tempo without a value"),
        (meta(0x58, b"\x04"), "a meter that is none"),
        (meta(0x58, b"\0\x02\x18\x08"), "a meter that is none"),
        (meta(0x58, b"\x04\xc8\x18\x08"), "a meter that is none"),
        (meta(0x59, b"\x12\x01"), "a key that is none"),
    ],
)
def test_signs_that_mean_nothing_are_left_out_with_a_word(sign, notice):
    reading = read_midi(midi(track((0, sign), *scale(1))))
    assert (reading.score.tempos, reading.score.meters, reading.score.keys) == ((), (), ())
    assert reading.notices == (f"{notice} is left out",)


def test_patterns_of_type_2_follow_each_other_each_at_its_own_tempo():
    reading = read_midi(midi(track((0, tempo(250_000)), *scale(2)), track(*scale(2)), kind=2))
    assert [[note.onset for note in part] for part in reading.score.tracks] == [[0, 480], [960, 1440]]
    assert reading.score.tempos == (Tempo(0, 240), Tempo(960, 120))
    assert reading.notices == ("type 2: its patterns are played one after another",)


def test_a_file_timed_in_frames_is_timed_in_seconds():
    score = load_midi(midi(track((0, tempo(250_000)), *scale(8)), division=0xE728))
    assert score.seconds == pytest.approx(3.84)


def test_a_name_is_the_first_that_a_track_has():
    named = track((0, meta(3, b"")), (0, meta(3, b"Flute\n1")), (0, meta(3, b"x")), *scale(1))
    assert load_midi(midi(named)).tracks[0].name == "Flute 1"


@pytest.mark.parametrize("missing", [1, 6, 12])
def test_a_file_that_is_cut_off_is_read_up_to_there(missing):
    reading = read_midi(midi(track(*scale(8)))[:-missing])
    assert 6 <= reading.score.note_count <= 8
    assert "cut off" in reading.notices[0]


def test_load_midi_warns_of_what_was_not_read_as_it_stands(tmp_path):
    (tmp_path / "a.mid").write_bytes(midi(chunk(b"\0" + bytes([0x90, C, 0xE4]) + b"\x1e\x80\x3c\0\0\xff\x2f\0")))
    with pytest.warns(ImageMusicWarning, match=r"a\.mid: data bytes above 127 are read as 127"):
        assert list(load_midi(tmp_path / "a.mid").tracks[0]) == [Note(0, C, 30, 127)]


def test_controls_are_read_where_they_are_wanted():
    data = midi(track((0, control(7, 90)), *scale(1)))
    assert len(read_midi(data).controls) == 1
    assert read_midi(data, controls=False).controls.shape == no_controls().shape


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "bad.mid: the file is empty"),
        (b"Twinkle, twinkle\n", "bad.mid: not a MIDI file"),
        (b"MThd", "bad.mid: damaged MIDI file"),
        (midi(), "bad.mid: damaged MIDI file (no tracks in it)"),
        (midi(track(*scale(1)), division=0), "bad.mid: damaged MIDI file"),
        (midi(track(*[(2**28 - 1, on(C))] * 9)), "bad.mid: a MIDI file of 2415919095 ticks; at most 2147483647"),
        (midi(*[track((2**28 - 1, on(C)))] * 9, kind=2), "bad.mid: a MIDI file of 2415919095 ticks"),
    ],
)
def test_an_unreadable_file_is_named_in_one_line(tmp_path, content, message):
    path = tmp_path / "bad.mid"
    path.write_bytes(content)
    with pytest.raises(ScoreError, match=re.escape(message)) as caught:
        load_midi(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(ScoreError, match=r"gone\.mid: cannot read it \(No such file"):
        load_midi(tmp_path / "gone.mid")
    with pytest.raises(ScoreError, match="cannot read it"):
        load_midi(tmp_path)


def test_pipes_devices_and_files_too_large_are_refused(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.mid")
    with pytest.raises(ScoreError, match=r"pipe\.mid: not a regular file"):
        load_midi(tmp_path / "pipe.mid")
    with pytest.raises(ScoreError, match="/dev/zero: not a regular file"):
        load_midi("/dev/zero")
    monkeypatch.setattr(reading, "LARGEST_FILE", 2)
    (tmp_path / "a.mid").write_bytes(midi())
    with pytest.raises(ScoreError, match="MB are read"):
        load_midi(tmp_path / "a.mid")


@pytest.mark.filterwarnings("ignore::imagemusic.errors.ImageMusicWarning")
def test_damaged_bytes_are_read_or_refused_and_nothing_else():
    whole = midi_bytes(Score([Track([Note(i, C + i, 5) for i in range(9)], name="x")], [Tempo(0, 90)], [Meter(0)]))
    chance = random.Random(0)
    for _ in range(400):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            load_midi(bytes(damaged), fold_pedal=True)
        except ScoreError as error:
            assert "MIDI" in str(error)
