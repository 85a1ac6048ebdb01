import numpy as np
import pytest

from imagemusic.music import metrics
from imagemusic.music.metrics import Distance
from imagemusic.music.score import Meter, Note, Score, Track


def played(pitches, step=12, length=12):
    """A part that plays pitches one after the other."""
    return Track([Note(i * step, pitch, length) for i, pitch in enumerate(pitches)])


def test_a_window_in_which_one_pitch_has_over_a_third_is_worn():
    steady = played([60, 64, 67, 72] * 32)  # 128 eighths: 16 bars of 4/4
    worn = played([60, 60, 67, 72] * 32)
    few = played([60] * 31, step=24)
    drums = Track(played([36] * 128).notes, is_drum=True)
    score = Score([steady, worn, few, drums])
    assert metrics.top_pitch_shares(score).tolist() == [0.25, 0.5]
    assert metrics.worn_windows(score) == (1, 2)
    assert metrics.worn_windows(score, drums=True) == (2, 3)


def test_the_longest_silence_counts_every_part():
    notes = Track([Note(0, 60, 24), Note(24 * 21, 60, 24)])  # silent from beat 1 to beat 21
    drums = Track([Note(24 * 10, 36, 24)], is_drum=True)
    assert metrics.longest_silence_bars(Score([notes])) == 5
    assert metrics.longest_silence_bars(Score([notes, drums])) == 2.5
    assert metrics.longest_silence_bars(Score([notes], meters=[Meter(0, 2, 4)])) == 10


@pytest.mark.parametrize(("notes", "usual", "stacked"), [(8, 1, True), (7, 1, False), (9, 8, False), (12, 8, True)])
def test_more_notes_at_the_end_than_ever_before_are_a_stack(notes, usual, stacked):
    chords = [Note(24 * beat, 40 + i, 24) for beat in range(16) for i in range(usual)]
    last = [Note(24 * 16, 40 + 3 * i, 24) for i in range(notes)]
    assert metrics.ends_in_a_stack(Score([Track(chords), Track(last)])) is stacked


def test_figures_of_four_bars_by_hand():
    score = Score([played([60, 62] * 16, length=24)])  # 32 eighths, each a beat long: two sound at once
    (row,) = metrics.bar_figures(score)
    np.testing.assert_allclose(row, [1.0, 2.0, 2.0, 1.0])  # entropy of two classes, polyphony, onsets, beats


def test_like_shares_overlap_and_others_do_not():
    one, other = np.array([0.5, 0.5, 0.0, 0.0]), np.array([0.0, 0.0, 0.5, 0.5])
    assert Distance.of_shares(one, one).overlap == pytest.approx(1)
    assert Distance.of_shares(one, one).divergence == pytest.approx(0)
    assert Distance.of_shares(one, other).overlap < 0.001
    assert Distance.of_shares(np.array([0.75, 0.25]), np.array([0.25, 0.75])).overlap == pytest.approx(0.5, abs=1e-3)
    assert Distance.of_shares(np.array([0.75, 0.25]), np.array([0.25, 0.75])).divergence == pytest.approx(
        0.5 * np.log(3), abs=1e-3
    )
