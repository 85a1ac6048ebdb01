"""Figures with their intervals: bootstrap over groups, so that ten pieces of one album count as one album.

rows ── groups drawn again with replacement, 1,000 times ──> the 2.5 and 97.5 % points of a statistic
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

REPEATS = 1000
FEWEST_GROUPS = 8  # with fewer, no interval is worth its name
TOO_FEW = "too few pairs for an interval"

Statistic = Callable[[NDArray[np.int64]], float]  # of the rows drawn, by index


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure, its 95 % interval, and what it was measured on."""

    value: float
    low: float | None
    high: float | None
    rows: int
    groups: int

    @property
    def verdict(self) -> str:
        """Say in words where the interval lies."""
        if self.low is None or self.high is None:
            return TOO_FEW
        if self.low > 0:
            return "above zero"
        return "below zero" if self.high < 0 else "contains zero"

    def to_json(self) -> dict[str, Any]:
        """Plain values, rounded; None for what is not a number."""
        numbers = {"value": plain(self.value), "low": plain(self.low), "high": plain(self.high)}
        return numbers | {"rows": self.rows, "groups": self.groups, "verdict": self.verdict}


def plain(value: float | None, digits: int = 5) -> float | None:
    """Round a number for JSON; None where there is none."""
    return None if value is None or not np.isfinite(value) else round(float(value), digits)


def bootstrap(statistic: Statistic, groups: Sequence[str], *, repeats: int = REPEATS, seed: int = 0) -> Estimate:
    """Measure a statistic of rows whose groups are given, with an interval where there are groups enough."""
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
    low, high = np.quantile(again, [0.025, 0.975], method="nearest")  # a ratio may be without end
    return Estimate(value, float(low), float(high), len(rows), len(names))


def mean_of(values: NDArray[np.floating], groups: Sequence[str], **options: int) -> Estimate:
    """Mean of values (N,)."""
    return bootstrap(lambda rows: float(values[rows].mean()), groups, **options)


def ratio_of(
    above: NDArray[np.floating], below: NDArray[np.floating], groups: Sequence[str], **options: int
) -> Estimate:
    """Sum of `above` over sum of `below`, both (N,): bits over notes, say."""

    def ratio(rows: NDArray[np.int64]) -> float:
        total = below[rows].sum()
        return float(above[rows].sum() / total) if total else float("nan")

    return bootstrap(ratio, groups, **options)


def ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rank values (N,) from 0; equal ones share the middle of their ranks."""
    ordered = np.sort(values)
    below = np.searchsorted(ordered, values, side="left")
    return (below + np.searchsorted(ordered, values, side="right") - 1) / 2


def spearman(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Rank correlation of two rows of numbers (N,); NaN where one of them never changes."""
    return _correlation(*(ranks(values) - (len(values) - 1) / 2 for values in (one, other)))


def partial_spearman(one: NDArray[np.floating], other: NDArray[np.floating], given: NDArray[np.floating]) -> float:
    """Rank correlation of two rows of numbers (N,) with a third held: of what its ranks do not tell of theirs."""
    first, second, third = (ranks(values) - (len(values) - 1) / 2 for values in (one, other, given))
    scale = third @ third or 1.0  # what never changes tells nothing
    return _correlation(*(values - third * (third @ values / scale) for values in (first, second)))


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Correlation of centred numbers (N,), the size of ranks; NaN where one of them never changes."""
    one_square, other_square = float(one @ one), float(other @ other)
    changes = min(one_square, other_square) > 1e-9  # or is left of rounding
    return float(one @ other) / (one_square * other_square) ** 0.5 if changes else float("nan")


def signed_ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Turn values (N,) into 2 x percentile - 1 among themselves; NaN stays NaN."""
    known = ~np.isnan(values)
    result = np.full(len(values), np.nan)
    result[known] = (2 * ranks(values[known]) + 1) / max(int(known.sum()), 1) - 1
    return result


def wilson(hits: int, total: int) -> tuple[float, float]:
    """Give the 95 % interval of a share (Wilson 1927)."""
    if not total:
        return 0.0, 1.0
    z, share = 1.96, hits / total
    middle = share + z * z / (2 * total)
    half = z * np.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return float((middle - half) / (1 + z * z / total)), float((middle + half) / (1 + z * z / total))
