"""What a layer knows: how well a linear map reads it off the hidden states of pieces that it was not fitted to.

    features (N, H) of the training pieces ──► ridge regression on one-hot labels, or on numbers ──► held-out pieces

Ridge regression has a closed form, so that a probe takes a second and has no settings to tune in its favour.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagemusic.errors import DataError
from imagemusic.evaluation.intervals import Estimate, bootstrap, ratio_of

PENALTY = 0.01  # a sample, on standardised features
HELD_OUT = 0.3  # share of the groups that a probe is tried on


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Which steps a probe learns from and which it is tried on: (P, T) each, whole pieces on one side."""

    train: NDArray[np.bool_]
    test: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Probe:
    """How well something is read off one layer."""

    score: Estimate  # share of right answers, or share of variance explained
    chance: float  # the score of whoever always says the commonest, or the mean


def split(groups: Sequence[str], counts: NDArray[np.bool_], seed: int) -> Steps:
    """Put three tenths of the groups aside; counts (P, T) says which steps are there at all.

    Raises:
        DataError: all pieces are of one group.
    """
    names = np.unique(groups)
    if len(names) < 2:
        raise DataError(f"all pieces are of one group, {names[0]}; a probe needs others to be tried on")
    aside = np.random.default_rng(seed).permutation(names)[: max(1, round(HELD_OUT * len(names)))]
    tried = np.isin(groups, aside)[:, None]
    return Steps(counts & ~tried, counts & tried)


def fit_ridge(features: NDArray[np.float32], wanted: NDArray[np.float64]) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Fit wanted (N, K) from features (N, H); return means and scales (H,), weights (H, K) and offsets (K,)."""
    mean, scale = features.mean(0), features.std(0) + 1e-6
    standard = (features - mean) / scale
    offset = wanted.mean(0)
    squares = (standard.T @ standard).astype(np.float64) + PENALTY * len(features) * np.eye(features.shape[1])
    weights = np.linalg.solve(squares, standard.T.astype(np.float64) @ (wanted - offset))
    return mean, scale, weights, offset


def predict(fitted: tuple[NDArray, NDArray, NDArray, NDArray], features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Apply a fitted ridge to features (N, H): (N, K)."""
    mean, scale, weights, offset = fitted
    predicted: NDArray[np.float64] = ((features - mean) / scale) @ weights + offset
    return predicted


def probe_classes(
    features: NDArray[np.float32], labels: NDArray[np.int64], steps: Steps, groups: Sequence[str]
) -> Probe | None:
    """Read labels (P, T), -1 where there is none, off features (P, T, H); None where a side has too few."""
    train, test = steps.train & (labels >= 0), steps.test & (labels >= 0)
    if len(np.unique(labels[train])) < 2 or not test.any():
        return None
    kinds = np.eye(int(labels.max()) + 1)
    fitted = fit_ridge(features[train], kinds[labels[train]])
    right = np.zeros(labels.shape)
    right[test] = predict(fitted, features[test]).argmax(1) == labels[test]
    commonest = np.bincount(labels[train]).argmax()
    rows = np.flatnonzero(test.any(1))
    names = [groups[row] for row in rows.tolist()]
    score = ratio_of(right[rows].sum(1), test[rows].sum(1).astype(float), names)
    return Probe(score, float((labels[test] == commonest).mean()))


def probe_numbers(
    features: NDArray[np.float32], values: NDArray[np.float64], steps: Steps, groups: Sequence[str]
) -> Probe | None:
    """Read a number of each piece (P,), NaN where not known, off features (P, T, H): share of variance explained.

    What a piece's steps say is averaged.
    """
    known = ~np.isnan(values)[:, None]
    train, test = steps.train & known, steps.test & known
    pieces = np.flatnonzero(test.any(1))
    if len(pieces) < 3 or values[train.any(1)].std() == 0:
        return None
    spread = np.broadcast_to(values[:, None], train.shape)
    fitted = fit_ridge(features[train], spread[train][:, None])
    said = np.array([predict(fitted, features[piece][test[piece]]).mean() for piece in pieces])
    error, total = (said - values[pieces]) ** 2, (values[pieces] - values[train.any(1)].mean()) ** 2

    def explained(rows: NDArray[np.int64]) -> float:
        return float(1 - error[rows].sum() / total[rows].sum()) if total[rows].sum() else float("nan")

    return Probe(bootstrap(explained, [groups[piece] for piece in pieces.tolist()]), 0.0)
