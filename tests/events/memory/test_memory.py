"""What the pointers of a memory propose: by hand, and one event after another as for a whole piece."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagemusic.events.codec import encode
from imagemusic.events.memory.pointers import (
    ANSWER,
    BAR_1,
    BAR_2,
    BROKEN,
    EXACT,
    NOTHING,
    PART_LINE,
    POINTERS,
    TRANSPOSED,
    BarAnswers,
)
from imagemusic.events.memory.proposals import propose
from imagemusic.events.memory.running import RunningMemory
from imagemusic.events.vocabulary import DURATION, FIELDS, GAP, MAX_GAP, PART, PITCH, REST, SLOTS, VELOCITY
from imagemusic.music.score import Meter, Note, Score, Track
from tests import tiny
from tests.events.test_codec import scores


def notes_of(*tracks, meter=(4, 4), drums=False):
    """Events of tracks, each a list of (tick, pitch) or (tick, pitch, ticks)."""
    made = [
        Track([Note(tick, pitch, *(length or [12])) for tick, pitch, *length in notes], is_drum=drums)
        for notes in tracks
    ]
    return encode(Score(made, meters=[Meter(0, *meter)])).astype(np.int64)


def step_by_step(events, answers=None):
    """The proposals of a memory that takes in one event after another: values and levels, as `propose` gives them."""
    memory = RunningMemory(answers)
    values = np.full((len(events), len(FIELDS), len(POINTERS)), NOTHING)
    levels = np.zeros_like(values)
    for row, event in enumerate(events.tolist()):
        for column in range(len(FIELDS)):
            proposal = memory.propose(column, event[:column])
            values[row, column], levels[row, column] = proposal.values, proposal.levels
        memory.add(event)
    return values, levels


def answers_of(events, rng):
    """A plan in which bars answer earlier ones at random."""
    bars = int(events[:, GAP].sum()) // 96 + 1
    shifts = [96 * int(rng.integers(0, bar + 1)) for bar in range(bars)]
    return BarAnswers(np.arange(bars + 1) * 96, np.array(shifts))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scores, st.integers(0, 9))
def test_a_piece_in_the_making_remembers_what_a_whole_piece_does(score, seed):
    events = encode(score).astype(np.int64)
    answers = answers_of(events, np.random.default_rng(seed))
    whole = propose(events, answers)
    values, levels = step_by_step(events, answers)
    np.testing.assert_array_equal(whole.values, values)
    np.testing.assert_array_equal(whole.levels, levels)


def test_repeating_music_is_remembered_the_same_way_in_both():
    score = tiny.tune(4, bars=4)
    end = score.end
    twice = [
        Track(
            [*track.notes.tolist(), *((t + end, *rest) for t, *rest in track.notes.tolist())],
            track.program,
            track.is_drum,
        )
        for track in score.tracks
    ]
    events = encode(Score(twice, score.tempos, score.meters)).astype(np.int64)
    whole, (values, levels) = propose(events), step_by_step(events)
    np.testing.assert_array_equal(whole.values, values)
    np.testing.assert_array_equal(whole.levels, levels)
    late = np.flatnonzero(events[:, PART] < SLOTS)[-20:]
    for column in (PART, PITCH, DURATION):
        assert (whole.values[late, column, EXACT] == events[late, column]).all()


@pytest.mark.parametrize("first_changed", [8, 14])
def test_no_field_sees_itself_or_what_comes_later(first_changed):
    events = notes_of([(12 * i, 60 + i % 5) for i in range(20)], [(24 * i, 40 + i % 2) for i in range(10)])
    whole = propose(events)
    for column in range(1, len(FIELDS)):
        changed = events.copy()
        changed[first_changed, column:] = [0, 1, 30, 99, 7][column:]
        changed[first_changed + 1 :, GAP] = 5
        again = propose(changed)
        np.testing.assert_array_equal(whole.values[:first_changed], again.values[:first_changed])
        np.testing.assert_array_equal(
            whole.levels[first_changed, : column + 1], again.levels[first_changed, : column + 1]
        )


def test_a_passage_that_comes_again_is_proposed_exactly():
    tune = [60, 64, 62, 67, 65]
    events = notes_of([(12 * i, pitch) for i, pitch in enumerate([*tune, *tune])])
    proposals = propose(events)
    last = np.flatnonzero(events[:, PART] < SLOTS)[-1]
    assert proposals.values[last, :, EXACT].tolist() == [12, 0, 65, 11, NOTHING - NOTHING]
    assert proposals.levels[last, GAP, EXACT] == 3  # four notes match: the third of the lengths
    assert proposals.levels[last, PITCH, EXACT] == 3  # nothing was broken


def test_a_passage_in_another_key_is_proposed_at_its_distance():
    tune = [60, 64, 62, 67, 65]
    events = notes_of([(12 * i, pitch) for i, pitch in enumerate([*tune, *(pitch + 3 for pitch in tune)])])
    last = np.flatnonzero(events[:, PART] < SLOTS)[-1]
    proposals = propose(events)
    assert proposals.levels[last, PITCH, EXACT] == 0
    assert proposals.values[last, PITCH, TRANSPOSED] == 68
    assert proposals.values[last, DURATION, TRANSPOSED] == 11


def test_the_same_place_of_bars_before_is_proposed():
    events = notes_of([(0, 60), (24, 62), (96, 65), (120, 67), (192, 70)])
    proposals, rows = propose(events), np.flatnonzero(events[:, PART] < SLOTS)
    fourth, fifth = rows[3], rows[4]
    assert proposals.values[fourth, :4, BAR_1].tolist() == [24, 0, 62, 11]
    assert proposals.levels[fourth, PITCH, BAR_1] == 1  # no note was foreseen yet: 65 is not 60
    assert proposals.levels[fourth, DURATION, BAR_1] == 1 + BROKEN  # the pitch is another
    assert proposals.values[fifth, PITCH, BAR_2] == 60
    assert proposals.levels[fifth, GAP, BAR_2] == 1


def test_the_bar_that_the_plan_names_is_proposed():
    events = notes_of([(0, 60), (48, 62), (96, 70), (192, 71), (288, 60)])
    answers = BarAnswers(np.arange(5) * 96, np.array([0, 0, 0, 288]))
    last = np.flatnonzero(events[:, PART] < SLOTS)[-1]
    proposals = propose(events, answers)
    assert proposals.values[last, PITCH, ANSWER] == 60
    assert proposals.levels[last, GAP, ANSWER] == 0  # the bar before answers none, and its pointer knows no next bar
    assert propose(events).levels[last, PITCH, ANSWER] == 0


def test_a_line_is_remembered_whatever_the_others_play():
    melody = [(24 * i, 60 + 2 * (i % 3)) for i in range(8)]
    other = [(24 * i + 6, 40 + i) for i in range(8)]
    events = notes_of(melody, other)
    rows = np.flatnonzero(events[:, PART] == 0)
    proposals = propose(events)
    assert proposals.values[rows[5], PITCH, PART_LINE] == events[rows[5], PITCH]
    assert proposals.values[rows[5], PITCH, EXACT] == NOTHING


def test_a_long_wait_is_proposed_as_a_rest():
    events = notes_of([(0, 60), (24, 62), (240, 60), (264, 62), (480, 60)])
    row = np.flatnonzero(events[:, PART] == REST)[-1]
    proposals = propose(events)
    assert proposals.values[row, GAP, EXACT] == MAX_GAP
    assert proposals.values[row, PART, EXACT] == REST


def test_a_memory_can_be_preloaded():
    primer = notes_of([(12 * i, pitch) for i, pitch in enumerate([60, 64, 62, 67, 65, 60, 59, 60])])
    memory = RunningMemory()
    memory.preload(primer.tolist(), programs=[0])
    header = primer[primer[:, PART] >= SLOTS][:-1].tolist()
    for event in [*header, [0, 0, 60, 11, 0], [12, 0, 64, 11, 0]]:
        memory.add(event)
    assert memory.propose(GAP, ()).values[EXACT] == 12
    assert memory.propose(PART, (12,)).values[EXACT] == 0
    assert memory.propose(PITCH, (12, 0)).values[EXACT] == 62
    assert memory.propose(PITCH, (12, 0)).values[BAR_1] == 62  # the primer ends at a bar line, one bar before
    with pytest.raises(ValueError, match="before the piece begins"):
        memory.preload(primer.tolist(), programs=[0])


def test_the_work_for_an_event_does_not_grow_with_the_piece():
    memory = RunningMemory()
    sizes = []
    for number in range(400):
        memory.add([12, 0, 50 + number * 7 % 23, 11, 0])
        matcher = memory._exact
        sizes.append(sum(len(latest) for latest in matcher._latest.values()))
    assert max(np.diff(sizes)) <= len(matcher.lengths)  # an event adds a hash of each length, no more


def test_an_unknown_velocity_of_the_loss_is_the_only_field_without_proposals_in_the_header():
    events = notes_of([(0, 60)])
    header = events[:, PART] >= SLOTS
    assert not propose(events).levels[header][:, [PITCH, DURATION, VELOCITY]].any()
