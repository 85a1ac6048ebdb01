"""Estimates with 95 % intervals by a cluster bootstrap, so that ten pieces of one album count as one album.

rows ── groups resampled with replacement, 1,000 times ──> the 2.5 and 97.5 % points of a statistic

Field & Welsh 2007, "Bootstrapping clustered data".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

REPEATS = 1000
FEWEST_GROUPS = 8  # for an interval
TOO_FEW = "too few pairs for an interval"

Statistic = Callable[[NDArray[np.int64]], float]  # of the resampled rows, by index


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval, and the number of rows and groups that it was measured on."""

    value: float
    low: float | None
    high: float | None
    rows: int
    groups: int

    @property
    def verdict(self) -> str:
        """Where the interval lies relative to zero, in words."""
        if self.low is None or self.high is None:
            return TOO_FEW
        if self.low > 0:
            return "above zero"
        return "below zero" if self.high < 0 else "contains zero"

    def to_json(self) -> dict[str, Any]:
        """Return the fields and the verdict, rounded; None for NaN and infinity."""
        numbers = {"value": plain(self.value), "low": plain(self.low), "high": plain(self.high)}
        return numbers | {"rows": self.rows, "groups": self.groups, "verdict": self.verdict}


def plain(value: float | None, digits: int = 5) -> float | None:
    """Return a number rounded for JSON; None for None, NaN and infinity."""
    return None if value is None or not np.isfinite(value) else round(float(value), digits)


def bootstrap(statistic: Statistic, groups: Sequence[str], *, repeats: int = REPEATS, seed: int = 0) -> Estimate:
    """Return a statistic of rows with its interval, if there are FEWEST_GROUPS or more.

    Args:
        statistic: a function of row indices (R,), with repetitions; NaN where it is not defined.
        groups: the group of each row.
    """
    names, index = np.unique(np.array(groups), return_inverse=True)
    rows = np.arange(len(index))
    value = statistic(rows) if len(rows) else float("nan")
    if len(names) < FEWEST_GROUPS or np.isnan(value):
        return Estimate(value, None, None, len(rows), len(names))
    order = np.argsort(index, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(index))[:-1])
    rng = np.random.default_rng(seed)
    again = np.array(
        [statistic(np.concatenate([members[g] for g in rng.integers(len(names), size=len(names))]))
         for _ in range(repeats)]
    )  # fmt: skip
    again = again[~np.isnan(again)]
    if len(again) < repeats / 2:
        return Estimate(value, None, None, len(rows), len(names))
    low, high = np.quantile(again, [0.025, 0.975], method="nearest")  # no interpolation: a ratio may be infinite
    return Estimate(value, float(low), float(high), len(rows), len(names))


def mean_of(values: NDArray[np.floating], groups: Sequence[str], **options: int) -> Estimate:
    """Return the mean of values (N,)."""
    return bootstrap(lambda rows: float(values[rows].mean()), groups, **options)


def ratio_of(
    above: NDArray[np.floating], below: NDArray[np.floating], groups: Sequence[str], **options: int
) -> Estimate:
    """Return the sum of `above` over the sum of `below`, both (N,): bits over notes, for instance."""

    def ratio(rows: NDArray[np.int64]) -> float:
        total = below[rows].sum()
        return float(above[rows].sum() / total) if total else float("nan")

    return bootstrap(ratio, groups, **options)


def ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the ranks (N,) of values (N,) from 0; ties share their mean rank."""
    ordered = np.sort(values)
    below = np.searchsorted(ordered, values, side="left")
    return (below + np.searchsorted(ordered, values, side="right") - 1) / 2


def spearman(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Return the rank correlation of two variables (N,); NaN where one of them is constant."""
    return _correlation(*(ranks(values) - (len(values) - 1) / 2 for values in (one, other)))


def partial_spearman(one: NDArray[np.floating], other: NDArray[np.floating], given: NDArray[np.floating]) -> float:
    """Return the partial rank correlation of two variables (N,), given a third; NaN where a residual is constant."""
    first, second, third = (ranks(values) - (len(values) - 1) / 2 for values in (one, other, given))
    scale = third @ third or 1.0  # a constant explains nothing
    return _correlation(*(values - third * (third @ values / scale) for values in (first, second)))


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the correlation of centred ranks (N,); NaN where one of them is constant."""
    one_square, other_square = float(one @ one), float(other @ other)
    changes = min(one_square, other_square) > 1e-9  # above rounding errors
    return float(one @ other) / (one_square * other_square) ** 0.5 if changes else float("nan")


def signed_ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return 2 x percentile - 1 (N,) of values (N,) among themselves; NaN stays NaN."""
    known = ~np.isnan(values)
    result = np.full(len(values), np.nan)
    result[known] = (2 * ranks(values[known]) + 1) / max(int(known.sum()), 1) - 1
    return result


def wilson(hits: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval of a share; Wilson 1927."""
    if not total:
        return 0.0, 1.0
    z, share = 1.96, hits / total
    middle = share + z * z / (2 * total)
    half = z * np.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return float((middle - half) / (1 + z * z / total)), float((middle + half) / (1 + z * z / total))
