import numpy as np

from imagemusic.music.midi.container import read_header
from imagemusic.music.midi.events import read_events
from imagemusic.music.midi.notes import cut, hold, pair
from tests.midi_bytes import midi, off, on, track

C, E = 60, 64
REST = (480, b"\xff\x01\0")  # a text at the end of the track


def strokes(*tracks):
    """(pitch, onset, offset) of each note, and how many were not released."""
    data = midi(*(track(*events) for events in tracks))
    header, at = read_header(data)
    events = read_events(data, header, at, [])
    found = pair(events, events.status & 15)
    notes = zip(events.first[found.event].tolist(), found.onset.tolist(), found.offset.tolist(), strict=True)
    return sorted(notes), found.unreleased


def test_each_release_ends_the_note_before_it():
    assert strokes([(0, on(C)), (10, off(C)), (0, on(C)), (5, off(C))]) == ([(C, 0, 10), (C, 10, 15)], 0)


def test_two_notes_on_one_key_end_in_the_order_in_which_they_began():
    assert strokes([(0, on(C)), (10, on(C)), (10, off(C)), (10, off(C))]) == ([(C, 0, 20), (C, 10, 30)], 0)


def test_velocity_zero_is_a_release():
    assert strokes([(0, on(C)), (30, on(C, 0))]) == ([(C, 0, 30)], 0)


def test_a_release_of_a_key_that_is_up_ends_nothing_later():
    assert strokes([(0, off(C)), (5, on(C)), (10, off(C)), (1, off(C)), (4, on(C)), (6, off(C))]) == (
        [(C, 5, 15), (C, 20, 26)],
        0,
    )


def test_unreleased_notes_last_to_the_end_of_their_track():
    assert strokes([(0, on(C)), (0, on(E)), (10, off(E)), REST], [(5000, on(E)), (1, off(E))]) == (
        [(C, 0, 490), (E, 0, 10), (E, 5000, 5001)],
        1,
    )


def test_a_release_in_another_track_counts():
    assert strokes([(0, on(C)), (960, on(E)), (480, off(E))], [(480, off(C))]) == ([(C, 0, 480), (E, 960, 1440)], 1)


def test_a_key_struck_twice_and_released_once_is_up_then():
    assert strokes([(0, on(C)), (10, on(C)), (10, off(C)), REST]) == ([(C, 0, 20), (C, 10, 20)], 1)


def test_channels_have_keys_of_their_own():
    assert strokes([(0, on(C)), (0, on(C, channel=1)), (10, off(C, 1)), (10, off(C))]) == ([(C, 0, 10), (C, 0, 20)], 0)


def test_no_notes_are_no_strokes():
    assert strokes([REST]) == ([], 0)


def array(*values):
    return np.array(values, np.int64)


def test_cut_ends_what_sounds_then_in_its_channel():
    ends = cut(array(0, 0, 0, 1), array(0, 10, 20, 0), array(30, 15, 30, 30), (array(0, 1), array(20, 50)))
    assert ends.tolist() == [20, 15, 30, 30]


def test_hold_goes_to_the_lifting_of_the_pedal_or_the_next_stroke():
    key, onset, offset = array(C, C, E, 128 + C), array(0, 20, 0, 0), array(10, 30, 5, 10)
    assert hold(key, onset, offset, {0: (array(8), array(50))}).tolist() == [20, 50, 5, 10]
