"""Accuracy and robustness of predicted dials: correlations with intervals over groups, coverage."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Half widths of the central intervals of a Gaussian, in standard deviations.
CENTRAL = {50: 0.674490, 80: 1.281552, 95: 1.959964}


def pearson(one: Floats, other: Floats) -> float:
    """Compute Pearson's correlation of two series (N,); nan when one is constant."""
    one, other = one - one.mean(), other - other.mean()
    scale = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / scale if scale > 0 else float("nan")


def spearman(one: Floats, other: Floats) -> float:
    """Compute Spearman's rank correlation of two series (N,); equal values share their middle rank."""
    return pearson(_ranks(one), _ranks(other))


def bootstrap_interval(
    statistic: Callable[[NDArray[np.int64]], float],
    groups: NDArray[np.str_],
    *,
    draws: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Compute the 95 % bootstrap interval of a statistic of row numbers (M,), resampling whole groups.

    groups (N,) names the group of each row.  Rows of a group are similar, so resampling rows would make the interval
    too narrow.
    """
    rng = np.random.default_rng(seed)
    _, group_of = np.unique(groups, return_inverse=True)
    rows_of = [np.flatnonzero(group_of == group) for group in range(group_of.max() + 1)]
    values = [
        statistic(np.concatenate([rows_of[group] for group in rng.integers(len(rows_of), size=len(rows_of))]))
        for _ in range(draws)
    ]
    low, high = np.nanquantile(values, [0.025, 0.975])
    return float(low), float(high)


def coverage(truth: Floats, mean: Floats, sd: Floats) -> dict[int, float]:
    """Return the shares of truths (N,) in the central 50, 80 and 95 % of Gaussians with mean (N,) and sd (N,)."""
    error = np.abs(truth - mean) / sd
    return {percent: float((error <= width).mean()) for percent, width in CENTRAL.items()}


def steadiness(before: NDArray[np.floating], after: NDArray[np.floating]) -> float:
    """Return the mean distance of two pictures over the mean change by an edit; values before and after it, (N,)."""
    ordered = np.sort(before.astype(np.float64))
    count = len(ordered)
    # The mean over all pairs, from the gaps between neighbours.
    distance = 2 * float((2 * np.arange(count) - count + 1) @ ordered) / (count * (count - 1))
    change = float(np.abs(after.astype(np.float64) - before).mean())
    return distance / change if change > 0 else float("inf")


def compare(predicted: Floats, baseline: Floats, truth: Floats, groups: NDArray[np.str_]) -> dict[str, list[float]]:
    """Correlate two predictions (N,) with the truth (N,); return correlations with 95 % bounds over groups (N,)."""
    statistics: dict[str, Callable[[NDArray[np.int64]], float]] = {
        "pearson": lambda rows: pearson(predicted[rows], truth[rows]),
        "spearman": lambda rows: spearman(predicted[rows], truth[rows]),
        "ridge_pearson": lambda rows: pearson(baseline[rows], truth[rows]),
        "ridge_spearman": lambda rows: spearman(baseline[rows], truth[rows]),
        "pearson_gain": lambda rows: pearson(predicted[rows], truth[rows]) - pearson(baseline[rows], truth[rows]),
    }
    all_rows = np.arange(len(truth))
    return {
        name: [round(value, 3) for value in (statistic(all_rows), *bootstrap_interval(statistic, groups))]
        for name, statistic in statistics.items()
    }


def _ranks(values: Floats) -> Floats:
    ordered = np.sort(values)
    below, up_to = np.searchsorted(ordered, values, "left"), np.searchsorted(ordered, values, "right")
    return (below + up_to).astype(np.float64) / 2
