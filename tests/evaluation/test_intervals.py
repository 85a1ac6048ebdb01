import numpy as np
import pytest

from imagemusic.evaluation.intervals import (
    FEWEST_GROUPS,
    Estimate,
    bootstrap,
    mean_of,
    partial_spearman,
    plain,
    ratio_of,
    signed_ranks,
    spearman,
    wilson,
)


def names(count):
    return [str(i) for i in range(count)]


def test_a_mean_and_its_interval_by_hand():
    estimate = mean_of(np.array([1.0, 3.0] * 50), names(100))
    assert estimate.value == 2
    # The standard error of 100 values of deviation 1 is 0.1.
    assert estimate.low == pytest.approx(1.8, abs=0.05)
    assert estimate.high == pytest.approx(2.2, abs=0.05)
    assert estimate.verdict == "above zero"


def test_rows_of_one_group_count_as_one():
    values = np.repeat(np.random.default_rng(0).normal(size=20), 50)
    alone = mean_of(values, names(1000))
    grouped = mean_of(values, np.repeat(names(20), 50).tolist())
    assert grouped.value == alone.value
    assert grouped.high - grouped.low > 4 * (alone.high - alone.low)
    assert (grouped.rows, grouped.groups) == (1000, 20)


def test_a_ratio_is_of_sums_not_a_mean_of_ratios():
    assert ratio_of(np.array([1.0, 30.0]), np.array([1.0, 10.0]), names(2)).value == pytest.approx(31 / 11)


def test_too_few_groups_are_said_to_be_too_few():
    few = mean_of(np.arange(FEWEST_GROUPS - 1.0), names(FEWEST_GROUPS - 1))
    assert (few.low, few.high) == (None, None)
    assert few.verdict == "too few pairs for an interval"
    assert mean_of(np.arange(float(FEWEST_GROUPS)), names(FEWEST_GROUPS)).low is not None


@pytest.mark.parametrize(
    ("low", "high", "words"), [(0.1, 0.2, "above zero"), (-0.2, -0.1, "below zero"), (-0.1, 0.1, "contains zero")]
)
def test_where_an_interval_lies_is_said_in_words(low, high, words):
    assert Estimate(0.0, low, high, 9, 9).verdict == words


def test_a_ratio_without_end_has_no_upper_end_in_json():
    endless = bootstrap(lambda rows: float("inf"), names(10)).to_json()
    assert (endless["value"], endless["high"]) == (None, None)
    assert plain(float("nan")) is None


def test_rank_correlation_by_hand_with_ties():
    assert spearman(np.array([1, 2, 3]), np.array([10, 100, 1000])) == pytest.approx(1)
    assert spearman(np.array([1, 2, 3]), np.array([3, 2, 1])) == pytest.approx(-1)
    assert spearman(np.array([1, 2, 3, 4]), np.array([1, 1, 2, 2])) == pytest.approx(np.sqrt(0.8))
    assert np.isnan(spearman(np.array([1, 2]), np.array([5, 5])))


def test_rank_correlation_given_a_third_by_hand():
    one, other, given = np.array([1, 2, 3, 4]), np.array([20, 10, 40, 30]), np.array([1, 3, 2, 4])
    assert (spearman(one, other), spearman(one, given), spearman(other, given)) == pytest.approx((0.6, 0.8, 0))
    assert partial_spearman(one, other, given) == pytest.approx((0.6 - 0.8 * 0) / np.sqrt((1 - 0.8**2) * (1 - 0**2)))


def test_what_a_third_tells_whole_leaves_nothing_to_correlate_and_a_constant_takes_nothing_away():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 100))
    assert np.isnan(partial_spearman(one, other, one**3))
    assert partial_spearman(one, other, np.full(100, 7.0)) == pytest.approx(spearman(one, other))


def test_signed_ranks_are_percentiles_and_leave_unknowns_out():
    found = signed_ranks(np.array([30.0, np.nan, 10.0, 20.0]))
    assert found[[0, 2, 3]] == pytest.approx([2 / 3, -2 / 3, 0])
    assert np.isnan(found[1])


def test_no_fault_in_few_pieces_is_no_proof():
    low, high = wilson(0, 12)
    assert low == pytest.approx(0, abs=1e-9)
    assert high == pytest.approx(0.2425, abs=1e-3)
    assert wilson(0, 0) == (0, 1)
