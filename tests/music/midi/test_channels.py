import pytest

from imagemusic.music.controls import DETUNING, EXPRESSION, PAN, VOLUME
from imagemusic.music.midi import read_midi
from tests.midi_bytes import bend, control, midi, off, on, program, scale, track

FLUTE, BASS, TRUMPET = 73, 32, 56
GS_ON = b"\xf0\x0a\x41\x10\x42\x12\x40\x00\x7f\x00\x41\xf7"
XG_PART_2_DRUMS = b"\xf0\x08\x43\x10\x4c\x08\x01\x07\x02\xf7"


def gs_rhythm(part, value):
    return b"\xf0\x0a\x41\x10\x42\x12\x40" + bytes([0x10 | part, 0x15, value, 0]) + b"\xf7"


def parts(*tracks):
    """(program, is_drum, notes) of each track."""
    score = read_midi(midi(*tracks)).score
    return [(track.program, track.is_drum, len(track)) for track in score.tracks]


def test_programs_hold_for_their_channel_in_all_tracks():
    first = track((0, program(FLUTE)), (0, program(BASS, 1)))
    assert parts(first, track(*scale(4)), track(*scale(3, 1))) == [(FLUTE, False, 4), (BASS, False, 3)]


def test_a_program_of_a_later_track_counts_from_its_tick():
    assert parts(track(*scale(2)), track((480, program(TRUMPET)))) == [(0, False, 1), (TRUMPET, False, 1)]


def test_of_programs_on_one_tick_that_of_the_notes_own_track_counts():
    tracks = [track((0, program(number)), *scale(2)) for number in (FLUTE, BASS, TRUMPET)]
    assert parts(*tracks) == [(FLUTE, False, 2), (BASS, False, 2), (TRUMPET, False, 2)]


def test_a_program_after_a_note_of_its_tick_is_for_the_next():
    notes = [(0, on(60)), (0, program(FLUTE)), (0, on(64)), (9, off(60)), (0, off(64))]
    assert parts(track(*notes)) == [(0, False, 1), (FLUTE, False, 1)]


@pytest.mark.parametrize(
    ("setup", "channel", "is_drum"),
    [
        ([], 0, False),
        ([], 9, True),
        ([(0, control(0, 127)), (0, control(32, 0)), (0, program(0))], 0, True),  # XG drums
        ([(0, control(0, 126)), (0, program(0))], 0, True),  # XG effects
        ([(0, GS_ON), (0, control(0, 127)), (0, program(0))], 0, False),  # sounds of an MT-32
        ([(0, control(0, 120)), (0, program(0))], 0, True),  # GM2 drums
        ([(0, control(0, 121, 9)), (0, program(0, 9))], 9, False),  # GM2 melody
        ([(0, control(0, 8)), (0, program(0))], 0, False),  # a variation
        ([(0, gs_rhythm(1, 1))], 0, True),
        ([(0, gs_rhythm(0, 0))], 9, False),
        ([(0, gs_rhythm(10, 2))], 10, True),
        ([(0, XG_PART_2_DRUMS)], 1, True),
        ([(0, XG_PART_2_DRUMS)], 0, False),
    ],
)
@pytest.mark.parametrize("apart", [False, True], ids=["in one track", "in the first track"])
def test_drum_parts_are_known_by_channel_bank_and_messages_of_gs_and_xg(setup, channel, is_drum, apart):
    tracks = [track(*setup), track(*scale(2, channel))] if apart else [track(*setup, *scale(2, channel))]
    assert parts(*tracks) == [(0, is_drum, 2)]


def test_ports_have_channels_of_their_own():
    port = (0, b"\xff\x21\x01\x01")
    assert parts(track((0, program(FLUTE))), track(port, *scale(1)), track(*scale(1))) == [
        (0, False, 1),
        (FLUTE, False, 1),
    ]


def controls(*events):
    return read_midi(midi(track(*events, (0, on(60)), (480, off(60))))).controls.tolist()


def test_volume_pan_and_expression_are_given_for_each_track_of_their_channel():
    data = midi(
        track((0, control(7, 90)), (5, control(10, 0)), (5, control(11, 64))), track(*scale(1)), track(*scale(1))
    )
    turned = [[0, VOLUME, 90], [5, PAN, 0], [10, EXPRESSION, 64]]
    assert read_midi(data).controls.tolist() == [[tick, track, *rest] for track in (0, 1) for tick, *rest in turned]


def rpn(parameter, value, fine=None):
    events = [(0, control(101, 0)), (0, control(100, parameter)), (0, control(6, value))]
    return events if fine is None else [*events, (0, control(38, fine))]


@pytest.mark.parametrize(
    ("events", "cents"),
    [
        ([(0, bend(4096))], 100),
        ([(0, bend(-8192))], -200),
        ([*rpn(0, 12), (0, bend(4096))], 600),
        ([*rpn(0, 12, 50), (0, bend(-4096))], -625),
        ([(0, bend(4096)), *rpn(0, 12)], 600),  # a bend that is held widens with its range
        (rpn(1, 96), 50),
        ([(0, control(101, 0)), (0, control(100, 0)), (0, control(99, 1)), (0, control(6, 12)), (0, bend(4096))], 100),
        ([*rpn(0, 12), (0, control(101, 127)), (0, control(100, 127)), (0, control(6, 2)), (0, bend(4096))], 600),
    ],
)
def test_bends_follow_their_range_and_the_fine_tuning(events, cents):
    assert controls(*events)[-1] == [0, 0, DETUNING, cents]


def test_reset_all_controllers_resets_expression_and_bend_but_not_volume():
    assert controls((0, control(7, 9)), (0, control(11, 9)), (0, bend(4096)), (1, control(121, 0)))[3:] == [
        [1, 0, EXPRESSION, 127],
        [1, 0, DETUNING, 0],
    ]


def pitches(*tracks):
    return [note.pitch for part in read_midi(midi(*tracks)).score.tracks for note in part]


def test_coarse_tuning_moves_pitches_but_not_drums():
    assert pitches(track(*rpn(2, 76), *scale(2))) == [72, 73]
    assert pitches(track(*scale(1), *rpn(2, 62), *scale(1)), track(*scale(1, 9))) == [60, 58, 60]


def test_what_is_tuned_out_of_range_is_left_out_and_said():
    reading = read_midi(midi(track(*rpn(2, 76), (0, on(120)), (9, off(120)), *scale(1))))
    assert [note.pitch for note in reading.score.tracks[0]] == [72]
    assert reading.notices == ("1 note(s) tuned beyond the range of MIDI are left out",)


def test_what_is_not_followed_is_said_once():
    events = [(0, control(1, 9)), (0, control(1, 10)), (0, control(91, 40)), (0, control(5, 1)), (0, b"\xd0\x20")]
    assert read_midi(midi(track(*events, *scale(1)))).notices == ("not followed: modulation, reverb, aftertouch",)
    assert read_midi(midi(track((0, control(1, 0)), *scale(1)))).notices == ()
