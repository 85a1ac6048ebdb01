import numpy as np
import pytest

from imagemusic.music import distributions
from imagemusic.music.distributions import EDGES, FIGURES, alike_weights, bar_similarities, mean_shares, shares
from imagemusic.music.score import Meter, Note, Score, Track

SCALE = [60, 62, 64, 65, 67, 69, 71, 72]


def melody(pitches, step=24, length=24, **options):
    return Track([Note(i * step, pitch, length) for i, pitch in enumerate(pitches)], **options)


def share(score, name, value):
    """The share of the bin in which a value lies."""
    return shares(score)[name][np.searchsorted(EDGES[name], value)]


def test_shares_add_up_to_one_and_lie_in_their_bins():
    found = shares(Score([melody([*SCALE * 8, 60]), melody([36] * 65, is_drum=True)]))
    assert set(found) == set(FIGURES)
    for name, row in found.items():
        assert len(row) == len(EDGES[name]) + 1
        assert row.sum() == pytest.approx(1), name


@pytest.mark.parametrize("up", [0, 1, 5, 11])
def test_the_key_does_not_matter(up):
    score, moved = Score([melody([*SCALE, 60, 60])]), Score([melody([pitch + up for pitch in [*SCALE, 60, 60]])])
    np.testing.assert_allclose(shares(score)["pitch_class"], shares(moved)["pitch_class"])
    assert share(moved, "pitch_class", 0) == pytest.approx(0.4)  # the tonic: four of ten
    assert share(moved, "pitch_class", 1) == 0


def test_intervals_are_those_of_the_highest_notes_of_each_part():
    high = Track([Note(0, 60, 24), Note(0, 72, 24), Note(24, 74, 24), Note(48, 48, 24)])
    low = melody([40, 47])
    score = Score([high, low])
    assert share(score, "interval", 2) == pytest.approx(1 / 3)
    assert share(score, "interval", 7) == pytest.approx(1 / 3)
    assert share(score, "interval", -26) == pytest.approx(1 / 3)  # with all that are wider than an octave down


def test_lengths_and_gaps_are_in_beats_whatever_the_ticks():
    for ticks in (24, 480):
        score = Score(
            [Track([Note(0, 60, ticks), Note(ticks // 2, 64, 2 * ticks), Note(ticks, 67, 2 * ticks)])],
            ticks_per_beat=ticks,
        )
        assert share(score, "duration", 1) == pytest.approx(1 / 3)
        assert share(score, "duration", 2) == pytest.approx(2 / 3)
        assert share(score, "onset_gap", 0.5) == pytest.approx(1)


def test_notes_at_once_are_counted_by_the_time_they_sound():
    score = Score([Track([Note(0, 60, 24), Note(0, 64, 12), Note(48, 67, 24)])])  # two, one, none, one
    assert [share(score, "notes_at_once", count) for count in range(3)] == pytest.approx([1 / 3, 1 / 2, 1 / 6])


def test_instruments_are_families_and_drums_are_one():
    score = Score([melody([60] * 3, program=1), melody([60], program=40), melody([36] * 4, is_drum=True)])
    assert [share(score, "instrument", family) for family in (0, 5, 16)] == pytest.approx([3 / 8, 1 / 8, 1 / 2])


def test_a_bar_is_compared_with_the_one_before():
    first, other = [60, 64, 67, 72], [61, 64, 66, 72]  # two of the four notes are the same
    score = Score([melody([*first, *other] * 4)])
    assert bar_similarities(score, 2).tolist() == [1.0] * 6
    np.testing.assert_allclose(bar_similarities(score, 1), 2 / 6)
    assert len(bar_similarities(score, 8)) == 0
    octave_higher = Score([melody([*first, *(pitch + 12 for pitch in first)])])
    assert bar_similarities(octave_higher, 1).tolist() == [1.0]
    in_three = Score([melody([60, 64, 67] * 4)], meters=[Meter(0, 3, 4)])
    assert bar_similarities(in_three, 1).tolist() == [1.0] * 3


def test_bars_of_silence_are_no_likeness():
    notes = [Note(0, 60, 24), Note(96 * 3, 60, 24)]
    assert bar_similarities(Score([Track(notes)]), 1).tolist() == [0.0, 0.0]  # of three pairs one is empty twice


def test_a_score_of_drums_has_instruments_and_nothing_else():
    found = shares(Score([melody([36] * 8, is_drum=True)]))
    assert found["instrument"][-1] == 1
    assert all(np.isnan(row).all() for name, row in found.items() if name != "instrument")


def test_pieces_count_alike_and_those_without_are_left_out():
    rows = np.array([[1.0, 0.0], [0.0, 1.0], [np.nan, np.nan]])
    np.testing.assert_allclose(mean_shares(rows), [0.5, 0.5])
    np.testing.assert_allclose(mean_shares(rows, [[3, 1, 7], [0, 1, 1]]), [[0.75, 0.25], [0, 1]])


def test_weights_make_kinds_as_frequent_as_wanted():
    kinds = ["piano", "piano", "band", "voice"]
    weights = alike_weights(kinds, ["piano", "band", "band", "band"])
    np.testing.assert_allclose(weights, [0.125, 0.125, 0.75, 0])


def test_two_sets_of_like_scores_lie_near_and_others_far():
    calm = distributions.share_table([Score([melody(SCALE, 48, 48)]), Score([melody(SCALE[::-1], 48, 48)])])
    hasty = distributions.share_table([Score([melody(SCALE * 4, 6, 6)])])
    near, far = distributions.distances(calm, calm), distributions.distances(calm, hasty)
    assert near["duration"].overlap == pytest.approx(1)
    assert far["duration"].overlap < 0.01 < 1 < far["duration"].divergence
    assert "similarity_16" not in near  # too short for it
