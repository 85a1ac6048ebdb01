import numpy as np

from imagemusic.events.codec import DRUMS, PITCH, SIZES
from imagemusic.events.context import AddedNote
from imagemusic.events.grammar import GrammarState, Plan
from imagemusic.generation.processors import NextEvent, RepetitionPenalty


def note(pitch, tick=0, part=0, program=0, ticks=24, velocity=64, is_tied=False):
    return AddedNote(tick, part, program, pitch, ticks, velocity, is_tied)


def test_a_pitch_that_loops_is_penalized_and_a_scale_is_not():
    penalty = RepetitionPenalty(memory=8, share=0.25, strength=1.0)
    for _ in range(8):
        penalty.add(0, 60)
    assert penalty.costs(0) == [(60, 8 + 1 - 2)]
    assert penalty.costs(1) == []  # another part
    for pitch in range(70, 78):
        penalty.add(0, pitch)
    assert penalty.costs(0) == []


def test_only_notes_of_late_are_counted():
    penalty = RepetitionPenalty(memory=4, share=0.25, strength=1.0)
    for pitch in (60, 60, 60, 62, 64, 65):
        penalty.add(0, pitch)
    assert penalty.costs(0) == [(60, 1), (62, 1), (64, 1), (65, 1)]  # each once in four, and once more is one too many


def test_a_few_notes_are_no_loop():
    penalty = RepetitionPenalty(memory=32, share=0.28)
    for _ in range(7):
        penalty.add(0, 60)
    assert penalty.costs(0) == []
    penalty.add(0, 60)
    assert penalty.costs(0) != []


def test_drums_and_tied_continuations_are_no_repetition():
    penalty = RepetitionPenalty(memory=8, share=0.25)
    for _ in range(8):
        penalty.update(note(60, is_tied=True))
        penalty.update(note(36, program=DRUMS))
        penalty.update(None)
    assert penalty.costs(0) == []
    for _ in range(8):
        penalty.update(note(60))
    assert [pitch for pitch, _ in penalty.costs(0)] == [60]


def test_only_the_repeated_pitch_of_a_pitched_part_loses():
    grammar = GrammarState(Plan(end=960, tempo=1))
    for value in (0, 17, 4, 0, 0, 0, 18, 1, 0, 0, 0, 16, 0, 0, 0, 0, 0):
        grammar.append(value)
    penalty, logits = RepetitionPenalty(memory=8, share=0.25, strength=1.0), np.zeros(SIZES[PITCH])
    for _ in range(8):
        penalty.update(note(60))
    penalty.apply(PITCH, logits, NextEvent(grammar))
    assert logits[60] == -7 and np.count_nonzero(logits) == 1


def test_a_mask_is_narrowed_but_never_to_nothing():
    event = NextEvent(GrammarState(Plan(end=960, tempo=1)))
    event.mask = np.array([True, True, False])
    assert event.narrow(np.array([False, True, True]))
    assert event.mask.tolist() == [False, True, False]
    assert not event.narrow(np.array([True, False, True]))
    assert event.mask.tolist() == [False, True, False]
