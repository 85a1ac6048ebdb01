"""Figures 3, 4 and 5, from pieces for many pictures with many seeds each.

3  how far the music moves with another picture, against a null edit of the same one
4  from a piece back to its picture among a hundred, by ticks alone
5  how much of a dial's variance is the picture's, how much the seed's
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

COMPARED = tuple(name for name in DIALS if name != "tempo")  # tempo is exact, so it would prove nothing
WITHOUT_TEMPO = tuple(
    name for name in COMPARED if name not in AFFECT_DIALS
)  # those weigh onsets a second, so tempo too


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Pieces for many pictures, the same seeds for each."""

    pairs: tuple[Pair, ...]  # (P,) a picture each
    pieces: tuple[tuple[Measured, ...], ...]  # (P, S)

    @property
    def groups(self) -> list[str]:
        """What is drawn again in a bootstrap."""
        return [pair.picture_group for pair in self.pairs]

    def figures(self, columns: str) -> NDArray[np.float64]:
        """Figures of all pieces (P, S, F); what could not be measured takes the mean of what could."""
        rows = np.array([table(list(row), columns) for row in self.pieces])
        known = ~np.isnan(rows)
        means = np.where(known, rows, 0).sum(axis=(0, 1)) / np.maximum(known.sum(axis=(0, 1)), 1)
        return np.where(known, rows, means)

    @property
    def all_pieces(self) -> list[Measured]:
        """Every piece."""
        return [piece for row in self.pieces for piece in row]


def compose_pool(composer: Composer, pairs: Sequence[Pair], options: SteeringOptions) -> Pool:
    """Compose for up to `pictures` of the pairs, seeds 0 to `pieces` - 1."""
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
    """Split each dial's variance by a one-way random-effects analysis: the picture's share, the rest being the seed's.

    Share = (M - W) / (M + (S - 1) W), with M and W the mean squares between and within pictures.
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
    """Compare how far music moves with another picture and with null edits, each less the floor of the seeds.

    Distances are between the mean standardised dials of `pieces` pieces, tempo left out; and once more without the
    dials that hold it.  The floor is the distance between two sets of seeds for one picture.
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
    """Measure how far the mean of some dials lies from that of each chosen picture of a pool.

    Returns the mean distance to the other pictures (C,), and those to its pieces of `edited` (C, 1 + E, S, 9): with
    other seeds alone, and with each null edit (C, 1 + E).
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
    """Sum up distances to other pictures (P,), and to the same one with other seeds and null edits (P, 1 + E).

    Where null edits move the music no further than other seeds do, the ratio has no end, which JSON says as null.
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
