"""How well dials are told from pictures."""

import numpy as np
import pytest

from imagemusic.training.encoder.accuracy import bootstrap_interval, compare, coverage, pearson, spearman, steadiness


def test_correlations_by_hand():
    one = np.array([1.0, 2.0, 3.0, 4.0])
    assert pearson(one, -2 * one) == pytest.approx(-1)
    assert pearson(one, np.array([1.0, 3.0, 2.0, 4.0])) == pytest.approx(0.8)
    assert spearman(one, one**5) == pytest.approx(1)
    assert np.isnan(pearson(one, np.ones(4)))


def test_an_interval_over_groups_is_wider_than_over_rows():
    rng = np.random.default_rng(0)
    level = np.repeat(rng.normal(size=20), 10)  # rows of a group are the same
    groups, rows = np.repeat(np.arange(20), 10).astype(str), np.arange(200).astype(str)

    def mean(drawn):
        return float(level[drawn].mean())

    low, high = bootstrap_interval(mean, groups, draws=300)
    low_rows, high_rows = bootstrap_interval(mean, rows, draws=300)
    assert low < level.mean() < high
    assert high - low > 2 * (high_rows - low_rows)


def test_coverage_of_a_true_gaussian_is_what_it_says():
    rng = np.random.default_rng(0)
    shares = coverage(rng.normal(3, 2, 20_000), np.full(20_000, 3.0), np.full(20_000, 2.0))
    assert shares == pytest.approx({50: 0.5, 80: 0.8, 95: 0.95}, abs=0.01)


def test_steadiness_by_hand():
    before = np.array([0.0, 1.0, 3.0])  # 1, 3 and 2 apart: 2 on average
    assert steadiness(before, before + [0.5, -0.5, 0.5]) == pytest.approx(4)
    assert steadiness(before, before) == np.inf


def test_the_gain_over_a_baseline_has_its_own_interval():
    truth = np.random.default_rng(0).normal(size=60)
    table = compare(truth, -truth, truth, np.arange(60).astype(str))
    assert (
        table["pearson"] == [1, 1, 1] and table["ridge_pearson"] == [-1, -1, -1] and table["pearson_gain"] == [2, 2, 2]
    )
