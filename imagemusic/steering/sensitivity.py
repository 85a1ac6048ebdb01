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

from imagemusic.composition import ComposeOptions
from imagemusic.music.dials import DIALS
from imagemusic.pipeline import ImageMusic
from imagemusic.steering.composing import Composer, Job
from imagemusic.steering.intervals import bootstrap, mean_of, plain
from imagemusic.steering.measures import Measured, table
from imagemusic.steering.pairs import Pair
from imagemusic.steering.settings import SteeringOptions
from imagemusic.vision.image import load_image
from imagemusic.vision.views import NULL_EDITS

COMPARED = tuple(name for name in DIALS if name != "tempo")  # tempo is exact, so it would prove nothing


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Pieces for many pictures, the same seeds for each."""

    pairs: tuple[Pair, ...]  # (P,) a picture each
    pieces: tuple[tuple[Measured, ...], ...]  # (P, S)

    @property
    def groups(self) -> list[str]:
        """What is drawn again in a bootstrap."""
        return [pair.group for pair in self.pairs]

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


def distinct_pictures(pairs: Sequence[Pair], most: int, seed: int = 0) -> tuple[Pair, ...]:
    """Choose pairs of different pictures at random, in the order of the list."""
    firsts = list({pair.reading.hash: pair for pair in reversed(pairs)}.values())[::-1]
    chosen = np.sort(np.random.default_rng(seed).permutation(len(firsts))[:most])
    return tuple(firsts[i] for i in chosen)


def compose_pool(composer: Composer, pairs: Sequence[Pair], options: SteeringOptions) -> Pool:
    """Compose for up to `pictures` of the pairs, seeds 0 to `pieces` - 1."""
    chosen = distinct_pictures(pairs, options.pictures)
    jobs = [
        Job(pair.reading, ComposeOptions(seed=seed, seconds=options.seconds))
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

    Distances are between the mean standardised dials of `pieces` pieces, tempo left out.  The floor is the distance
    between two sets of seeds for one picture.
    """
    columns = [DIALS.index(name) for name in COMPARED]
    values = pool.figures("dials")[..., columns]
    deviation = values.reshape(-1, len(columns)).std(axis=0) + 1e-9
    center = values.mean(axis=1) / deviation  # (P, D)
    chosen = range(min(options.edited_pictures, len(pool.pairs)))
    others = [float(np.delete(np.linalg.norm(center - center[i], axis=1), i).mean()) for i in chosen]
    kinds = ["floor", *NULL_EDITS]
    jobs = []
    for index in chosen:
        pair = pool.pairs[index]
        image = load_image(pair.image)
        readings = [pair.reading, *(model.look(edit(image)) for edit in NULL_EDITS.values())]
        jobs += [
            Job(reading, ComposeOptions(seed=seed, seconds=options.seconds))
            for reading in readings
            for seed in range(options.pieces, 2 * options.pieces)
        ]
    pieces = composer.measure(jobs, "null edits of pictures")
    apart = np.array(
        [
            _distance(pieces[start : start + options.pieces], columns, deviation, center[number // len(kinds)])
            for number, start in enumerate(range(0, len(pieces), options.pieces))
        ]
    ).reshape(len(chosen), len(kinds))
    groups = [pool.pairs[i].group for i in chosen]
    return moved(np.array(others), apart[:, 0], apart[:, 1:].mean(axis=1), groups) | {
        "by_edit": {name: plain(float(apart[:, i].mean())) for i, name in enumerate(kinds) if i},
        "pictures": len(chosen),
        "seeds": options.pieces,
    }


def _distance(
    pieces: list[Measured], columns: list[int], deviation: NDArray[np.float64], center: NDArray[np.float64]
) -> float:
    values = table(pieces, "dials")[:, columns]
    known = ~np.isnan(values)
    mean = np.where(known, values, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1) / deviation
    return float(np.linalg.norm(np.where(known.any(axis=0), mean - center, 0)))


def moved(
    others: NDArray[np.float64], floors: NDArray[np.float64], nulls: NDArray[np.float64], groups: Sequence[str]
) -> dict[str, Any]:
    """Sum up distances (P,): to other pictures, to the same one, to its null edits.

    Where null edits move the music no further than other seeds do, the ratio has no end, which JSON says as null.
    """
    effect = others - floors
    noise = nulls - floors

    def ratio(rows: NDArray[np.int64]) -> float:
        above, below = float(effect[rows].mean()), float(noise[rows].mean())
        return above / below if below > 0 else float("inf") if above > 0 else 0.0

    found = {
        "another_picture": mean_of(effect, groups),
        "null_edit": mean_of(noise, groups),
        "floor": mean_of(floors, groups),
        "ratio": bootstrap(ratio, groups),
    }
    return {name: estimate.to_json() for name, estimate in found.items()}
