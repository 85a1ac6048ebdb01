"""How well dials are told from pictures."""

import numpy as np
import pytest

from imagemusic.vision.accuracy import best_ridge, bootstrap_interval, compare, coverage, pearson, ridge, spearman


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


def test_a_ridge_finds_a_plane_and_shrinks_with_strength():
    features = np.random.default_rng(0).normal(size=(50, 3))
    truth = features @ [1.0, 0.0, -2.0] + 5
    np.testing.assert_allclose(ridge(features, truth, 1e-6)(features), truth, atol=1e-4)
    np.testing.assert_allclose(ridge(features, truth, 1e9)(features), truth.mean(), atol=1e-4)


def test_the_best_ridge_is_the_one_that_validation_likes():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(40, 100))  # more features than pictures: the weakest ridge learns noise
    truth = features[:, 0] + rng.normal(0, 1, 40)
    train, validation = np.arange(20), np.arange(20, 40)

    def error(predict):
        return np.square(predict(features[validation]) - truth[validation]).mean()

    best = best_ridge(features, truth, train, validation)
    errors = [error(ridge(features[train], truth[train], 10.0**power)) for power in (2, 3, 4, 5)]
    assert error(best) <= min(errors)


def test_the_gain_over_a_baseline_has_its_own_interval():
    truth = np.random.default_rng(0).normal(size=60)
    table = compare(truth, -truth, truth, np.arange(60).astype(str))
    assert (
        table["pearson"] == [1, 1, 1] and table["ridge_pearson"] == [-1, -1, -1] and table["pearson_gain"] == [2, 2, 2]
    )
