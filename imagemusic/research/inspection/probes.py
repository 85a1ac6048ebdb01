"""Linear probes (Alain & Bengio 2016, arXiv:1610.01644): how well a linear map predicts a property from hidden states.

    features (N, H) of the training pieces ──► ridge regression on one-hot labels, or on numbers ──► test pieces

Ridge regression has a closed form: a probe takes a second and has no hyperparameters to tune.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagemusic.errors import DataError
from imagemusic.evaluation.intervals import Estimate, bootstrap, ratio_of

PENALTY = 0.01  # L2, times the number of samples, on standardised features
HELD_OUT = 0.3  # share of the groups in the test


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Masks (P, T) of the steps for training and for the test; a piece is in one of them."""

    train: NDArray[np.bool_]
    test: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Probe:
    """Result of a probe of one layer."""

    score: Estimate  # accuracy, or share of variance explained
    chance: float  # score of the majority class, or of the mean


def split(groups: Sequence[str], counts: NDArray[np.bool_], seed: int) -> Steps:
    """Split P pieces by their groups, HELD_OUT of them for the test, and keep the steps where `counts` (P, T) is true.

    Raises:
        DataError: all pieces are of one group.
    """
    names = np.unique(groups)
    if len(names) < 2:
        raise DataError(f"all pieces are of one group, {names[0]}; a probe needs others to be tested on")
    aside = np.random.default_rng(seed).permutation(names)[: max(1, round(HELD_OUT * len(names)))]
    tried = np.isin(groups, aside)[:, None]
    return Steps(counts & ~tried, counts & tried)


def fit_ridge(features: NDArray[np.float32], target: NDArray[np.float64]) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Fit target (N, K) to features (N, H); return means and scales (H,), weights (H, K) and offsets (K,)."""
    mean, scale = features.mean(0), features.std(0) + 1e-6
    standard = (features - mean) / scale
    offset = target.mean(0)
    squares = (standard.T @ standard).astype(np.float64) + PENALTY * len(features) * np.eye(features.shape[1])
    weights = np.linalg.solve(squares, standard.T.astype(np.float64) @ (target - offset))
    return mean, scale, weights, offset


def predict(fitted: tuple[NDArray, NDArray, NDArray, NDArray], features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the predictions (N, K) of what `fit_ridge` returned for features (N, H)."""
    mean, scale, weights, offset = fitted
    predicted: NDArray[np.float64] = ((features - mean) / scale) @ weights + offset
    return predicted


def probe_classes(
    features: NDArray[np.float32], labels: NDArray[np.int64], steps: Steps, groups: Sequence[str]
) -> Probe | None:
    """Probe features (P, T, H) for labels (P, T), -1 for none; None where the training or test labels are too few."""
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
    """Probe features (P, T, H) for a number of each piece (P,), NaN where not known: share of variance explained.

    The predictions of a piece's steps are averaged.  None where fewer than three test pieces are known.
    """
    known = ~np.isnan(values)[:, None]
    train, test = steps.train & known, steps.test & known
    pieces = np.flatnonzero(test.any(1))
    if len(pieces) < 3 or values[train.any(1)].std() == 0:
        return None
    repeated = np.broadcast_to(values[:, None], train.shape)
    fitted = fit_ridge(features[train], repeated[train][:, None])
    predicted = np.array([predict(fitted, features[piece][test[piece]]).mean() for piece in pieces])
    error, total = (predicted - values[pieces]) ** 2, (values[pieces] - values[train.any(1)].mean()) ** 2

    def explained(rows: NDArray[np.int64]) -> float:
        return float(1 - error[rows].sum() / total[rows].sum()) if total[rows].sum() else float("nan")

    return Probe(bootstrap(explained, [groups[piece] for piece in pieces.tolist()]), 0.0)
