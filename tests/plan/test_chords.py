import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagemusic.plan.chords import (
    CHORDS,
    NO_CHORD,
    NO_PITCH,
    QUALITIES,
    STEPS,
    best_chords,
    chord_classes,
    chord_index,
    chord_name,
    chord_quality,
    chord_root,
    chroma,
    transposed,
)


def chord_of(*pitches, length=48):
    """The chord of pitches that sound together for a window."""
    pitch = np.array(pitches)
    onset = np.zeros_like(pitch)
    return int(best_chords(*chroma(onset, onset + length, pitch, np.array([0, length])))[0])


@pytest.mark.parametrize("quality", [q for q in range(len(QUALITIES)) if QUALITIES[q] != "aug"])
@pytest.mark.parametrize("root", [0, 5, 11])
def test_a_chord_in_root_position_is_found(root, quality):
    found = chord_of(36 + root, *(60 + root + step for step in STEPS[quality]))
    assert chord_name(found) == chord_name(chord_index(root, quality))


def test_an_augmented_chord_is_named_by_its_bass():
    assert chord_name(chord_of(40, 60, 64, 68)) == "Eaug"


def test_an_inversion_keeps_its_root():
    assert chord_name(chord_of(40, 60, 64, 67)) == "C"
    assert chord_name(chord_of(43, 60, 64, 67)) == "C"


def test_silence_is_no_chord():
    empty = np.empty(0, np.int64)
    sums, lowest = chroma(empty, empty, empty, np.array([0, 48, 96]))
    assert lowest.tolist() == [NO_PITCH, NO_PITCH]
    assert best_chords(sums, lowest).tolist() == [NO_CHORD, NO_CHORD]


def test_notes_are_cut_at_the_edges():
    sums, lowest = chroma(np.array([40]), np.array([100]), np.array([62]), np.array([0, 48, 96, 144]))
    assert sums[:, 2].tolist() == [8, 48, 4]
    assert lowest.tolist() == [NO_PITCH, 62, NO_PITCH]  # the lowest note of a window fills a fifth of it


def test_a_passing_note_does_not_change_the_chord():
    onset, offset = np.array([0, 0, 0, 90]), np.array([192, 192, 192, 96])
    found = best_chords(*chroma(onset, offset, np.array([48, 64, 67, 69]), np.arange(0, 193, 48)))
    assert {chord_name(chord) for chord in found.tolist()} == {"C"}


def test_no_windows_are_no_chords():
    assert best_chords(np.empty((0, 12)), np.empty(0, np.int64)).tolist() == []


@given(st.integers(1, CHORDS - 1), st.integers(-24, 24))
def test_indices_transpose_and_come_back(chord, semitones):
    assert chord_index(chord_root(chord), chord_quality(chord)) == chord
    moved = int(transposed(np.array(chord), semitones))
    assert chord_quality(moved) == chord_quality(chord)
    assert (chord_root(moved) - chord_root(chord) - semitones) % 12 == 0
    assert int(transposed(np.array(moved), -semitones)) == chord
    assert chord_classes(chord).bit_count() == len(STEPS[chord_quality(chord)])


def test_no_chord_has_no_root_and_stays():
    assert (chord_root(NO_CHORD), chord_quality(NO_CHORD), chord_classes(NO_CHORD)) == (-1, -1, 0)
    assert chord_name(NO_CHORD) == "N.C."
    assert transposed(np.array([0, 1]), 2).tolist() == [0, 1 + 2 * len(QUALITIES)]
