"""How well and how steadily dials are told from pictures: correlations with intervals over groups, coverage."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Half widths of the central intervals of a Gaussian, in standard deviations.
CENTRAL = {50: 0.674490, 80: 1.281552, 95: 1.959964}


def pearson(one: Floats, other: Floats) -> float:
    """Correlate two series; nan when one is constant."""
    one, other = one - one.mean(), other - other.mean()
    scale = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / scale if scale > 0 else float("nan")


def spearman(one: Floats, other: Floats) -> float:
    """Correlate the ranks of two series; equal values share their middle rank."""
    return pearson(_ranks(one), _ranks(other))


def bootstrap_interval(
    statistic: Callable[[NDArray[np.int64]], float],
    groups: NDArray[np.str_],
    *,
    draws: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Bound a statistic of rows with 95 % confidence by drawing whole groups (N,) with replacement.

    Rows of a group resemble each other, so drawing rows would make the interval too narrow.
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
    """Tell what share of truths (N,) lies in the central 50, 80 and 95 % of their Gaussians."""
    error = np.abs(truth - mean) / sd
    return {percent: float((error <= width).mean()) for percent, width in CENTRAL.items()}


def steadiness(before: NDArray[np.floating], after: NDArray[np.floating]) -> float:
    """Divide how far two pictures (N,) lie apart, on average, by how far an edit moves one."""
    ordered = np.sort(before.astype(np.float64))
    count = len(ordered)
    # The mean over all pairs, from the gaps between neighbours.
    apart = 2 * float((2 * np.arange(count) - count + 1) @ ordered) / (count * (count - 1))
    moved = float(np.abs(after.astype(np.float64) - before).mean())
    return apart / moved if moved > 0 else float("inf")


def compare(predicted: Floats, baseline: Floats, truth: Floats, groups: NDArray[np.str_]) -> dict[str, list[float]]:
    """Correlate two predictions (N,) with the truth; each row of the table is a value and its 95 % bounds."""
    statistics: dict[str, Callable[[NDArray[np.int64]], float]] = {
        "pearson": lambda rows: pearson(predicted[rows], truth[rows]),
        "spearman": lambda rows: spearman(predicted[rows], truth[rows]),
        "ridge_pearson": lambda rows: pearson(baseline[rows], truth[rows]),
        "ridge_spearman": lambda rows: spearman(baseline[rows], truth[rows]),
        "pearson_gain": lambda rows: pearson(predicted[rows], truth[rows]) - pearson(baseline[rows], truth[rows]),
    }
    everything = np.arange(len(truth))
    return {
        name: [round(value, 3) for value in (statistic(everything), *bootstrap_interval(statistic, groups))]
        for name, statistic in statistics.items()
    }


def _ranks(values: Floats) -> Floats:
    ordered = np.sort(values)
    below, up_to = np.searchsorted(ordered, values, "left"), np.searchsorted(ordered, values, "right")
    return (below + up_to).astype(np.float64) / 2
