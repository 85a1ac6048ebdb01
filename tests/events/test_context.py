import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from imagemusic.events import codec
from imagemusic.events.codec import encode
from imagemusic.events.context import Running, bar_ticks, context, place_of, remaining_index, remaining_of
from imagemusic.events.vocabulary import (
    BAR,
    CHROMA,
    CONTEXT_SIZES,
    LAST_PITCH,
    METER,
    NO_PITCH,
    NO_PROGRAM,
    PLACE,
    PROGRAM,
    REMAINING_SIZE,
    SLOT,
    TEMPO,
)
from imagemusic.music.score import Meter, Note, Score, Track
from tests.events.test_codec import scores

C, E, G = 60, 64, 67


def row_by_row(events):
    """The context of each row as a piece in the making would know it."""
    running, rows = Running(), []
    for event in events.tolist():
        tick, part = running.tick + event[0], event[1]
        program = running.program(part) if part < codec.SLOTS else NO_PROGRAM
        rows.append((running.place(tick), running.bar_number(tick), running.chroma(tick), program,
                     *running.last_note(part)))  # fmt: skip
        running.add(tuple(event))
    return rows


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scores)
def test_a_piece_in_the_making_knows_what_a_whole_piece_tells(score):
    events = encode(score)
    table = context(events)
    np.testing.assert_array_equal(table, row_by_row(events))
    assert (table < CONTEXT_SIZES).all()


def test_the_context_of_a_piece_by_hand():
    notes = [Note(0, C, 72), Note(24, E, 24), Note(96, G, 24)]
    table = context(encode(Score([Track(notes)], meters=[Meter(0, 3, 4)])))[3:]  # after meter, tempo, slot
    assert table[:, PLACE].tolist() == [0, 24, 24, 24]
    assert table[:, BAR].tolist() == [0, 0, 1, 1]
    assert table[:, CHROMA].tolist() == [0, 1 << 0, 0, 1 << 7]  # C sounds under E; G at the end
    assert table[:, PROGRAM].tolist() == [0, 0, 0, NO_PROGRAM]
    assert table[:, LAST_PITCH].tolist() == [NO_PITCH, C, E, NO_PITCH]


def test_drums_are_no_harmony():
    events = encode(Score([Track([Note(0, 36, 6), Note(1, 38, 6)], is_drum=True)]))
    assert not context(events)[:, CHROMA].any()


def test_bars_are_counted_afresh_after_a_change_of_meter():
    rows = [[0, METER, codec.meter_index(Meter(0)), 0, 0], [0, TEMPO, 0, 0, 0], [0, SLOT, 0, 0, 0],
            [30, METER, codec.meter_index(Meter(0, 3, 4)), 0, 0], [10, 0, C, 5, 0], [72, 0, C, 5, 0]]  # fmt: skip
    table = context(np.array(rows))
    assert table[:, PLACE].tolist() == [0, 0, 0, 30, 10, 10]
    assert table[:, BAR].tolist() == [0, 0, 0, 0, 0, 1]


def test_a_bar_longer_than_the_vocabulary_repeats_its_last_beats():
    assert place_of(np.array([191, 192, 193, 288, 480]), 500).tolist() == [191, 96, 97, 96, 96]


@pytest.mark.parametrize(("meter", "ticks"), [(Meter(0), 96), (Meter(0, 6, 8), 72), (Meter(0, 1, 16), 6)])
def test_a_bar_lasts_as_its_meter_says(meter, ticks):
    assert bar_ticks(codec.meter_index(meter)) == ticks


@pytest.mark.parametrize("meter", [0, len(codec.METERS) + 1])
def test_without_a_meter_bars_have_four_beats(meter):
    assert bar_ticks(meter) == 96


def test_what_remains_is_told_finely_near_the_end():
    beats = [0, 0.5, 8, 8.1, 10, 32, 32.1, 64]
    assert remaining_index(np.array(beats) * 24).tolist() == [1, 2, 17, 18, 18, 29, 30, 32]


def test_what_remains_never_leaves_its_vocabulary_nor_grows_as_time_goes_by():
    index = remaining_index(np.append(np.arange(-100, 50_000), 2**31 - 1))
    assert index.min() == 1
    assert index.max() == REMAINING_SIZE - 1
    assert (np.diff(index) >= 0).all()


def test_what_is_left_is_the_same_for_one_number_and_for_many():
    ticks = [*range(-50, 3_000), 24 * 64, 24 * 64 + 1, 24 * 128, 24 * 4096, 2**31 - 1]
    assert [remaining_of(tick) for tick in ticks] == remaining_index(np.array(ticks)).tolist()
