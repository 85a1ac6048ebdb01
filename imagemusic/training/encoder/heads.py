"""Fit the heads of an encoder to features of a frozen backbone and labels, in closed form.

    dials       a ridge regression each; its strength and its deviation come from cross-validation over groups
    embedding   those three, and the directions of the features with the largest ratio of the variance between pictures
                to the variance between augmentations of one picture

A few hundred rated pictures are too few to train two million weights: fine-tuning the backbone gained nothing
significant.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from imagemusic.errors import ConfigError, DataError
from imagemusic.music.dials import IMAGE_DIALS
from imagemusic.training.encoder.net import SMALLEST_SD, ImageEncoder

# Ridge regression penalises all features alike.  The connotations are two of three thousand features, and the ones
# that predict affect best, so they are scaled up.
CONNOTATION_WEIGHT = 15.0

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadOptions:
    """How the heads are fitted."""

    strengths: tuple[float, ...] = (5e3, 1e4, 2e4, 1e5)  # of the ridge, to choose from
    folds: int = 10  # over groups
    others: float = 0.5  # weight of a picture from another source than the one that a dial is meant for
    components: int = 256  # principal ones, from which the embedding is chosen
    seed: int = 0

    def __post_init__(self) -> None:
        if self.folds < 2:
            raise ConfigError(f"folds must be 2 or more, got {self.folds}")
        if not self.strengths or min(self.strengths) <= 0:
            raise ConfigError(f"strengths must be one or more numbers above 0, got {self.strengths}")
        if not 0 < self.others <= 1:
            raise ConfigError(f"others must be above 0 and at most 1, got {self.others}")


@dataclass(frozen=True, slots=True)
class Scaled:
    """Standardisation of features with equal weight for every source; connotations get a larger variance."""

    centre: Singles  # (F,)
    spread: Singles  # (F,)

    @classmethod
    def of(cls, features: NDArray[np.floating], sources: NDArray[np.str_], connotations: int = 0) -> "Scaled":
        """Fit to features (N, F) of pictures from sources (N,), the last `connotations` of them scaled up."""
        parts = [features[sources == source].astype(np.float64) for source in np.unique(sources)]
        centre = np.mean([part.mean(axis=0) for part in parts], axis=0)
        variance = np.mean([np.square(part - centre).mean(axis=0) for part in parts], axis=0)
        spread = np.sqrt(variance) + 1e-3
        spread[len(spread) - connotations :] /= CONNOTATION_WEIGHT
        return cls(centre.astype(np.float32), spread.astype(np.float32))

    def __call__(self, features: NDArray[np.floating]) -> Singles:
        return (features.astype(np.float32) - self.centre) / self.spread


def group_folds(groups: NDArray[np.str_], count: int, seed: int) -> NDArray[np.int64]:
    """Assign every row one of `count` folds (N,), the rows of a group the same; groups (N,) names their groups.

    Raises:
        DataError: there are fewer groups than folds.
    """
    names, of = np.unique(groups, return_inverse=True)
    if len(names) < count:
        raise DataError(f"{len(names)} groups cannot make {count} folds")
    order: NDArray[np.int64] = np.random.default_rng(seed).permutation(len(names)) % count
    return order[of]


class Gram:
    """Ridge regression by inner products (N, N) of rows (N, F), so that folds and strengths are cheap.

    Rows and truths are centred by source (N,): silhouettes differ from photographs in more than affect.  The offset is
    that of the source `first`; rows of other sources have the weight `others`.
    """

    def __init__(self, rows: Singles, sources: NDArray[np.str_], first: str, others: float = 1) -> None:
        self.products: Floats = (rows @ rows.T).astype(np.float64)
        self.sources = sources
        self.first = first
        self.weights: Floats = np.where(sources == first, 1.0, others)

    def fit(self, truth: Floats, train: NDArray[np.int64], strength: float) -> tuple[Floats, float]:
        """Return weights (M,) of the training rows (M,) and an offset, added to the weighted products."""
        products = self.products[np.ix_(train, train)]
        block = products.copy()
        centred: Floats = truth[train].copy()
        sources = self.sources[train]
        for source in np.unique(sources):
            here = np.flatnonzero(sources == source)
            block[here] -= block[here].mean(axis=0)
            block[:, here] -= block[:, here].mean(axis=1, keepdims=True)
            centred[here] -= centred[here].mean()
        weights = np.linalg.solve(block + np.diag(strength / self.weights[train]), centred).astype(np.float64)
        here = np.flatnonzero(sources == self.first)
        return weights, float(truth[train][here].mean() - (products[here] @ weights).mean())

    def predict(self, truth: Floats, train: NDArray[np.int64], test: NDArray[np.int64], strength: float) -> Floats:
        """Fit to the rows `train` (M,) of truth (N,) and predict those of `test` (K,); return (K,)."""
        weights, offset = self.fit(truth, train, strength)
        predicted: Floats = self.products[np.ix_(test, train)] @ weights + offset
        return predicted


def out_of_fold(gram: Gram, truth: Floats, groups: NDArray[np.str_], options: HeadOptions) -> tuple[float, Floats]:
    """Choose the strength with the smallest cross-validation error; also return the out-of-fold predictions (N,)."""
    fold = group_folds(groups, options.folds, options.seed)
    tried = []
    for strength in options.strengths:
        predicted = np.empty_like(truth)
        for number in range(options.folds):
            train, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
            predicted[test] = gram.predict(truth, train, test, strength)
        error = np.average(np.square(predicted - truth), weights=gram.weights)
        tried.append((float(error), strength, predicted))
    _, strength, predicted = min(tried, key=lambda one: one[0])
    return strength, predicted


def content_directions(
    augmented: Singles, sources: NDArray[np.str_], count: int, components: int, seed: int = 0
) -> tuple[Singles, Floats]:
    """Find directions (count, F) of large variance between pictures, small between augmentations of one, (N, A, F).

    Sources (N,) have equal weight: as many rows of each are sampled as the smallest two have on average.  Also returns
    the ratio (count,) of both variances.

    Raises:
        ConfigError: more directions than components.
    """
    if count > components:
        raise ConfigError(f"{count} directions cannot be chosen from {components} components")
    rng = np.random.default_rng(seed)
    share = max(2, int(np.mean(np.sort(np.unique(sources, return_counts=True)[1])[:2])))
    rows = np.concatenate([rng.permutation(np.flatnonzero(sources == source))[:share] for source in np.unique(sources)])
    means = augmented[rows].mean(axis=1)
    means = means - means.mean(axis=0)
    sizes, axes = np.linalg.eigh(means @ means.T)
    keep = np.argsort(sizes)[::-1][: min(components, len(rows) - 1)]
    basis = means.T @ (axes[:, keep] / np.sqrt(sizes[keep]))  # (F, C), orthonormal
    residuals = (augmented[rows] - augmented[rows].mean(axis=1, keepdims=True)).reshape(-1, augmented.shape[2]) @ basis
    between = sizes[keep].astype(np.float64) / len(rows)  # variances, as the components are uncorrelated
    within = residuals.T.astype(np.float64) @ residuals / len(residuals)
    # Whiten the variance between pictures, then take the axes of the smallest variance between augmentations.
    noise, rotation = np.linalg.eigh(within / np.sqrt(np.outer(between, between)))
    directions = (basis @ (rotation[:, :count] / np.sqrt(between)[:, None])).T
    return directions.astype(np.float32), 1 / noise[:count]


@torch.no_grad()
def set_heads(
    encoder: ImageEncoder,
    scaled: Scaled,
    dials: Sequence[tuple[Singles, float]],
    content: Singles,
    features: NDArray[np.floating],
    deviations: Sequence[float],
) -> None:
    """Set the heads from directions (F,) and offsets of the dials and directions (E - 3, F) of the content, all scaled.

    The embedding has zero mean and unit variance in each dimension over `features` (N, F).
    """
    weight = np.concatenate([np.stack([direction for direction, _ in dials]), content])
    predicted = scaled(features) @ weight.T
    centre, spread = predicted.mean(axis=0), predicted.std(axis=0) + 1e-6
    weight = weight / spread[:, None]
    encoder.to_embedding.weight.copy_(torch.from_numpy(weight / scaled.spread))
    encoder.to_embedding.bias.copy_(torch.from_numpy(-weight @ (scaled.centre / scaled.spread) - centre / spread))
    count = len(IMAGE_DIALS)
    encoder.to_dial_mean.weight.zero_()
    encoder.to_dial_mean.weight[:, :count] = torch.from_numpy(spread[:count]).diag()
    encoder.to_dial_mean.bias.copy_(torch.tensor([offset for _, offset in dials]) + torch.from_numpy(centre[:count]))
    encoder.to_dial_sd.weight.zero_()
    # The inverse of softplus.
    encoder.to_dial_sd.bias.copy_(torch.tensor([np.log(np.expm1(value - SMALLEST_SD)) for value in deviations]))
    encoder.dial_sd_scale.fill_(1)
