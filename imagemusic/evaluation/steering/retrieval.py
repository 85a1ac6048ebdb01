"""Figure 4: from a piece back to its picture, by what ticks alone tell.

figures of pieces of other seeds ──> what each picture's pieces are like, and how much they vary
a piece ──> how likely under each of up to 100 pictures ──> rank of its own

Figures (measures.py) are of ticks, pitches, lengths and loudness: no tempo, no header.  Each picture's pieces are taken
as normal about the picture's own mean, all with one covariance, and the means as normal too; a picture's predictive
density follows (Ioffe 2006, "Probabilistic Linear Discriminant Analysis").  A seed's pieces are looked up with what
was learned from the other seeds, so that no piece helps to find itself.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagemusic.evaluation.intervals import bootstrap, mean_of
from imagemusic.evaluation.steering.sensitivity import Pool

CANDIDATES = 100
RIDGE = 0.1  # of the mean variance, added so that few pieces do not make a covariance look certain


def scores(known: NDArray[np.float64], queries: NDArray[np.float64]) -> NDArray[np.float64]:
    """Score queries (Q, F) against pictures with pieces known (P, S, F): log densities (Q, P) up to a constant."""
    pictures, seeds, width = known.shape
    means = known.mean(axis=1)
    inner = (known - means[:, None]).reshape(-1, width)
    scale = known.reshape(-1, width).std(axis=0)
    scale = np.where(scale > 1e-9, scale, 1)  # what never changes says nothing
    inner, means, queries = inner / scale, means / scale, queries / scale
    center = means.mean(axis=0)
    within = inner.T @ inner / max(pictures * (seeds - 1), 1)
    within += RIDGE * max(float(np.trace(within)) / width, 1e-6) * np.eye(width)
    # Turn the space so that pieces of a picture vary by 1 in every direction, and pictures along the axes.
    values, vectors = np.linalg.eigh(within)
    whiten = vectors / np.sqrt(values)
    spread = np.cov(((means - center) @ whiten).T)
    between, axes = np.linalg.eigh(np.atleast_2d(spread))
    between = np.maximum(between - 1 / seeds, 0)
    turned = whiten @ axes
    told = (means - center) @ turned * (seeds * between / (seeds * between + 1))  # (P, F)
    variance = 1 + between / (seeds * between + 1)
    apart = ((queries - center) @ turned)[:, None] - told[None]
    return -0.5 * (apart**2 / variance).sum(axis=2)


def retrieve(figures: NDArray[np.float64], groups: list[str]) -> dict[str, Any]:
    """Look up every piece of figures (P, S, F) among the P pictures, each seed by the others."""
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
    """Measure figure 4 on a pool: by notes alone, and with their programs too."""
    count = min(len(pool.pairs), CANDIDATES)
    notes = pool.figures("ticks")[:count]
    programs = np.concatenate([notes, pool.figures("programs")[:count]], axis=2)
    return {
        "candidates": count,
        "chance_at_5": round(min(5 / count, 1.0), 4),
        "notes_alone": retrieve(notes, pool.groups[:count]),
        "notes_and_programs": retrieve(programs, pool.groups[:count]),
    }
