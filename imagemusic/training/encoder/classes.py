"""Classes of a classifier that people feel alike about, merged: fewer rows, and the connotations stay what they are."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from imagemusic.training.encoder.net import CLASSES, EncoderConfig, ImageEncoder
from imagemusic.training.encoder.weights import load_encoder

ROUNDS = 20  # of k-means, at most


def read_connotations(path: Path) -> Tensor:
    """Read how every class of ImageNet is rated, (CLASSES, 2), in the order of the classifier."""
    with path.open(encoding="utf-8", newline="") as file:
        return torch.tensor([[float(row["valence"]), float(row["arousal"])] for row in csv.DictReader(file)])


@torch.no_grad()
def with_merged_classes(config: EncoderConfig, weights: str | Path, connotations: Tensor, share: float) -> ImageEncoder:
    """Load an encoder with ImageNet weights and the connotations (CLASSES, K), and merge its classes.

    Raises:
        CheckpointError: the weights are missing, damaged or of another encoder; or merging leaves another number of
            classes than the config says.
    """
    state = load_encoder(replace(config, classes=CLASSES), weights).state_dict()
    rows, bias = state["classes.weight"].flatten(1), state["classes.bias"]
    weight, bias, ratings = merge_classes(rows, bias, connotations, share)
    merged = {"classes.weight": weight[..., None, None], "classes.bias": bias, "class_connotations": ratings}
    return load_encoder(config, state | merged).eval()


def merge_classes(
    weight: Tensor, bias: Tensor, connotations: Tensor, share: float, seed: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """Merge the rows of a linear classifier by k-means, each cluster within the classes of one rating.

    A merged row has the mean weights of its classes and the logarithm of the sum of their exponentials as its bias, so
    that its probability is about the sum of theirs.

    Args:
        weight: (N, C).
        bias: (N,).
        connotations: (N, K) ratings of the classes.
        share: of the classes of a rating that is kept, at least one each, in 0..1.

    Returns:
        weight (M, C), bias (M,) and connotations (M, K).
    """
    rng = np.random.default_rng(seed)
    merged: list[tuple[Tensor, Tensor, Tensor]] = []
    ratings, of = torch.unique(connotations, dim=0, return_inverse=True)
    for number, rating in enumerate(ratings):
        rows = torch.nonzero(of == number).flatten()
        count = max(1, round(len(rows) * share))
        cluster = _cluster(weight[rows], torch.from_numpy(rng.permutation(len(rows))[:count]))
        for one in torch.unique(cluster):
            chosen = rows[cluster == one]
            merged.append((weight[chosen].mean(dim=0), bias[chosen].logsumexp(dim=0), rating))
    weights, biases, rated = zip(*merged, strict=True)
    return torch.stack(weights), torch.stack(biases), torch.stack(rated)


def _cluster(points: Tensor, first: Tensor) -> Tensor:
    """Return the cluster (N,) of points (N, C) by Lloyd's algorithm; the centres start at the points `first` (K,)."""
    centres = points[first]
    nearest = torch.cdist(points, centres).argmin(dim=1)
    for _ in range(ROUNDS):
        centres = torch.stack(
            [
                points[nearest == one].mean(dim=0) if (nearest == one).any() else centre
                for one, centre in enumerate(centres)
            ]
        )
        before, nearest = nearest, torch.cdist(points, centres).argmin(dim=1)
        if torch.equal(before, nearest):
            break
    return nearest
