"""A pool of pieces, many pictures with many seeds each, and figures 3 and 5 from it; retrieval.py has figure 4.

3  distance between the music of two pictures, against that between a picture and null edits of it
5  share of a dial's variance between pictures, the rest being between seeds
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.evaluation.intervals import bootstrap, mean_of, plain
from imagemusic.evaluation.steering.composing import ComposeJob, Composer
from imagemusic.evaluation.steering.measures import Measured, table
from imagemusic.evaluation.steering.pairs import Pair, distinct_pictures, drawn
from imagemusic.evaluation.steering.settings import SteeringOptions
from imagemusic.music.dials import AFFECT_DIALS, DIALS
from imagemusic.vision.image import load_image
from imagemusic.vision.null_edits import NULL_EDITS

COMPARED = tuple(name for name in DIALS if name != "tempo")  # tempo is set exactly, not generated
WITHOUT_TEMPO = tuple(name for name in COMPARED if name not in AFFECT_DIALS)  # these depend on the tempo


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Pieces for P pictures, with the same S seeds for each."""

    pairs: tuple[Pair, ...]  # (P,) of different pictures
    pieces: tuple[tuple[Measured, ...], ...]  # (P, S)

    @property
    def groups(self) -> list[str]:
        """Groups of the pictures (P,), which a bootstrap resamples."""
        return [pair.picture_group for pair in self.pairs]

    def figures(self, columns: str) -> NDArray[np.float64]:
        """Return columns of `Measured` for all pieces (P, S, F); missing values are imputed by the column's mean."""
        rows = np.array([table(list(row), columns) for row in self.pieces])
        known = ~np.isnan(rows)
        means = np.where(known, rows, 0).sum(axis=(0, 1)) / np.maximum(known.sum(axis=(0, 1)), 1)
        return np.where(known, rows, means)

    @property
    def all_pieces(self) -> list[Measured]:
        """All P x S pieces, picture by picture."""
        return [piece for row in self.pieces for piece in row]


def compose_pool(composer: Composer, pairs: Sequence[Pair], options: SteeringOptions) -> Pool:
    """Compose for up to `options.pictures` of the pairs' pictures, with seeds 0 to `options.pieces` - 1."""
    chosen = distinct_pictures(pairs, options.pictures)
    jobs = [
        ComposeJob(pair.reading, ComposeOptions(seed=seed, seconds=options.seconds))
        for pair in chosen
        for seed in range(options.pieces)
    ]
    found = composer.measure(jobs, "pieces for all pictures")
    count = options.pieces
    return Pool(chosen, tuple(tuple(found[i : i + count]) for i in range(0, len(found), count)))


def variance_shares(pool: Pool) -> dict[str, Any]:
    """Return the intraclass correlation of each dial: the share of its variance that lies between pictures.

    ICC(1) = (M - W) / (M + (S - 1) W), with M and W the mean squares between and within pictures (Shrout & Fleiss
    1979, "Intraclass correlations").
    """
    values = pool.figures("dials")
    seeds = values.shape[1]
    result = {}
    for column, name in enumerate(DIALS):
        means, inner = values[:, :, column].mean(axis=1), values[:, :, column].var(axis=1, ddof=1)

        def share(rows: NDArray[np.int64], means: NDArray = means, inner: NDArray = inner) -> float:
            within = float(inner[rows].mean())
            between = seeds * float(means[rows].var(ddof=1)) if len(rows) > 1 else 0.0
            total = between + (seeds - 1) * within
            return (between - within) / total if total else float("nan")

        result[name] = bootstrap(share, pool.groups).to_json()
    return result


def sensitivity(model: ImageMusic, composer: Composer, pool: Pool, options: SteeringOptions) -> dict[str, Any]:
    """Compare the distance of the music to that of other pictures and to that of null edits, each less the floor.

    Distances are Euclidean between the mean standardised dials of `options.pieces` pieces, without tempo, and again
    without the dials that depend on it.  The floor is the distance between two sets of seeds for one picture.
    """
    chosen = drawn(len(pool.pairs), options.edited_pictures)
    jobs = []
    for index in chosen:
        pair = pool.pairs[index]
        image = load_image(pair.image)
        readings = [pair.reading, *(model.encode(edit(image)) for edit in NULL_EDITS.values())]
        jobs += [
            ComposeJob(reading, ComposeOptions(seed=seed, seconds=options.seconds))
            for reading in readings
            for seed in range(options.pieces, 2 * options.pieces)
        ]
    edited = table(composer.measure(jobs, "null edits of pictures"), "dials")
    edited = edited.reshape(len(chosen), 1 + len(NULL_EDITS), options.pieces, len(DIALS))
    groups = [pool.groups[i] for i in chosen]
    return moved(*_distances(pool, chosen, edited, COMPARED), groups) | {
        "without_tempo": moved(*_distances(pool, chosen, edited, WITHOUT_TEMPO), groups),
        "pictures": len(chosen),
        "seeds": options.pieces,
    }


def _distances(
    pool: Pool, chosen: NDArray[np.int64], edited: NDArray[np.float64], dials: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return distances between mean dials for C chosen pictures of a pool.

    Args:
        chosen: (C,) indices.
        edited: (C, 1 + E, S, 9) dials of pieces with other seeds: of the picture itself, and of each null edit.

    Returns:
        The mean distance to the other pictures (C,), and the distances to the pieces of `edited` (C, 1 + E).
    """
    columns = [DIALS.index(name) for name in dials]
    values, edited = pool.figures("dials")[..., columns], edited[..., columns]
    deviation = values.reshape(-1, len(columns)).std(axis=0) + 1e-9
    center = values.mean(axis=1) / deviation  # (P, D)
    others = [np.delete(np.linalg.norm(center - center[i], axis=1), i).mean() for i in chosen]
    known = ~np.isnan(edited)
    mean = np.where(known, edited, 0).sum(axis=2) / np.maximum(known.sum(axis=2), 1) / deviation  # (C, 1 + E, D)
    apart = np.where(known.any(axis=2), mean - center[chosen][:, None], 0)
    return np.array(others), np.linalg.norm(apart, axis=2)


def moved(others: NDArray[np.float64], apart: NDArray[np.float64], groups: Sequence[str]) -> dict[str, Any]:
    """Summarise distances to other pictures (P,), and to the same one with other seeds and null edits (P, 1 + E).

    Where null edits move the music no further than other seeds do, the ratio is infinite: null in JSON.
    """
    floors = apart[:, 0]
    effect = others - floors
    noise = apart[:, 1:].mean(axis=1) - floors

    def ratio(rows: NDArray[np.int64]) -> float:
        above, below = float(effect[rows].mean()), float(noise[rows].mean())
        return above / below if below > 0 else float("inf") if above > 0 else 0.0

    found = {
        "another_picture": mean_of(effect, groups),
        "null_edit": mean_of(noise, groups),
        "floor": mean_of(floors, groups),
        "ratio": bootstrap(ratio, groups),
    }
    by_edit = {name: plain(float(apart[:, i].mean())) for i, name in enumerate(NULL_EDITS, start=1)}
    return {name: estimate.to_json() for name, estimate in found.items()} | {"by_edit": by_edit}
