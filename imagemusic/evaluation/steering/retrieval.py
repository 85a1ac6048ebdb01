"""Figure 4: retrieval of a piece's picture from features of its notes.

features of pieces of other seeds ──> a normal distribution for each picture
a piece ──> its density under each of up to 100 pictures ──> rank of its own picture

Features (measures.py) are of ticks, pitches, durations and velocities: no tempo, no header.  Model: the pieces of a
picture are normal about the picture's mean, with one covariance for all pictures, and the means are normal too; this
gives a picture's predictive density (Ioffe 2006, "Probabilistic Linear Discriminant Analysis").  Pieces of a seed are
scored under distributions fitted to the other seeds.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagemusic.evaluation.intervals import bootstrap, mean_of
from imagemusic.evaluation.steering.sensitivity import Pool

CANDIDATES = 100
RIDGE = 0.1  # shrinkage of the covariance, as a share of the mean variance: there are few pieces a picture


def scores(known: NDArray[np.float64], queries: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log densities (Q, P), up to a constant, of queries (Q, F) under P pictures with pieces known (P, S, F)."""
    pictures, seeds, width = known.shape
    means = known.mean(axis=1)
    inner = (known - means[:, None]).reshape(-1, width)
    scale = known.reshape(-1, width).std(axis=0)
    scale = np.where(scale > 1e-9, scale, 1)  # constant features
    inner, means, queries = inner / scale, means / scale, queries / scale
    center = means.mean(axis=0)
    within = inner.T @ inner / max(pictures * (seeds - 1), 1)
    within += RIDGE * max(float(np.trace(within)) / width, 1e-6) * np.eye(width)
    # Rotate and scale: unit covariance within pictures, diagonal covariance between them.
    values, vectors = np.linalg.eigh(within)
    whiten = vectors / np.sqrt(values)
    covariance = np.cov(((means - center) @ whiten).T)
    between, axes = np.linalg.eigh(np.atleast_2d(covariance))
    between = np.maximum(between - 1 / seeds, 0)
    transform = whiten @ axes
    posterior_means = (means - center) @ transform * (seeds * between / (seeds * between + 1))  # (P, F)
    variance = 1 + between / (seeds * between + 1)
    apart = ((queries - center) @ transform)[:, None] - posterior_means[None]
    return -0.5 * (apart**2 / variance).sum(axis=2)


def retrieve(figures: NDArray[np.float64], groups: list[str]) -> dict[str, Any]:
    """Return recall at 1 and 5 and the median rank of the own picture, for pieces with features (P, S, F)."""
    pictures, seeds, _ = figures.shape
    ranks = np.zeros((pictures, seeds))
    for seed in range(seeds):
        known = np.delete(figures, seed, axis=1)
        found = scores(known, figures[:, seed])
        own = np.diag(found)[:, None]
        ties = (found == own).sum(axis=1) - 1
        ranks[:, seed] = 1 + (found > own).sum(axis=1) + ties / 2
    return {
        "recall_at_1": mean_of((ranks <= 1).mean(axis=1), groups).to_json(),
        "recall_at_5": mean_of((ranks <= 5).mean(axis=1), groups).to_json(),
        "median_rank": bootstrap(lambda rows: float(np.median(ranks[rows])), groups).to_json(),
    }


def retrieval(pool: Pool) -> dict[str, Any]:
    """Return the retrieval figures of a pool, from notes alone and from notes with their programs."""
    count = min(len(pool.pairs), CANDIDATES)
    notes = pool.figures("ticks")[:count]
    programs = np.concatenate([notes, pool.figures("programs")[:count]], axis=2)
    return {
        "candidates": count,
        "chance_at_5": round(min(5 / count, 1.0), 4),
        "notes_alone": retrieve(notes, pool.groups[:count]),
        "notes_and_programs": retrieve(programs, pool.groups[:count]),
    }
