"""Baselines of the decoder: a unigram model, and a Markov model over the same fields.

Each field is conditioned on the earlier fields of its event and all fields of the event before.  Long contexts are
mostly unseen, so shorter ones are mixed in by interpolated Witten-Bell smoothing (Chen & Goodman 1998):

    p(v | context) = (count(v) + kinds x p(v | shorter)) / (total + kinds)

where `kinds` is the number of distinct values seen in the context; the shortest context backs off to 1 / V.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagemusic.events.vocabulary import FIELDS
from imagemusic.training.batches import field_weights

Columns = dict[str, NDArray[np.int64]]

# Contexts of each field, shortest first; a leading dash means the event before.
_BEFORE = tuple(f"-{name}" for name in FIELDS)
CONTEXTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "gap": (("-part",), ("-part", "-gap"), ("-part", "-gap", "-duration"), _BEFORE),
    "part": (("-part",), ("gap", "-part"), ("gap", "-part", "-pitch"), ("gap", *_BEFORE)),
    "pitch": (("part",), ("part", "-pitch"), ("gap", "part", "-part", "-pitch"), ("gap", "part", *_BEFORE)),
    "duration": (
        ("part",),
        ("part", "-duration"),
        ("gap", "part", "-duration", "-part"),
        ("gap", "part", "pitch", *_BEFORE),
    ),
    "velocity": (
        ("part",),
        ("part", "-velocity"),
        ("gap", "part", "-velocity", "-part"),
        ("gap", "part", "pitch", "duration", *_BEFORE),
    ),
}


def with_previous(events: NDArray[np.integer], programs: NDArray[np.integer]) -> Columns:
    """Return the columns (N,) of the events (N, 5) and programs (N,) of a piece, with those of the event before.

    The first event has zeros before it.
    """
    columns = {name: events[:, i].astype(np.int64) for i, name in enumerate(FIELDS)}
    before = {f"-{name}": np.concatenate([[0], values[:-1]]) for name, values in columns.items()}
    return columns | before | {"program": programs.astype(np.int64)}


@dataclass(frozen=True, slots=True)
class _ContextCounts:
    """Counts of one kind of context, with sorted keys: K pairs of context and value, C contexts."""

    pairs: NDArray[np.int64]  # (K,) context x V + value
    pair_counts: NDArray[np.int64]  # (K,)
    contexts: NDArray[np.int64]  # (C,)
    totals: NDArray[np.int64]  # (C,)
    kinds: NDArray[np.int64]  # (C,) distinct values

    @classmethod
    def count(cls, contexts: NDArray[np.int64], values: NDArray[np.int64], size: int) -> "_ContextCounts":
        pairs, pair_counts = np.unique(contexts * size + values, return_counts=True)
        unique, first, kinds = np.unique(pairs // size, return_index=True, return_counts=True)
        return cls(pairs, pair_counts, unique, np.add.reduceat(pair_counts, first), kinds)

    def smooth(
        self, contexts: NDArray[np.int64], values: NDArray[np.int64], size: int, shorter: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        counts = _look_up(self.pairs, self.pair_counts, contexts * size + values)
        totals = _look_up(self.contexts, self.totals, contexts)
        kinds = _look_up(self.contexts, self.kinds, contexts)
        seen = totals > 0
        return np.where(seen, (counts + kinds * shorter) / np.where(seen, totals + kinds, 1), shorter)


def _look_up(keys: NDArray[np.int64], values: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    if not len(keys):
        return np.zeros_like(wanted)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], 0)


class Baseline:
    """A model of counts; without `markov` a field is not conditioned on anything."""

    def __init__(self, sizes: Sequence[int], *, markov: bool) -> None:
        self.sizes = dict(zip(FIELDS, sizes, strict=True))
        self.markov = markov
        self._counts: dict[str, list[_ContextCounts]] = {}

    def _levels(self, field: str) -> list[tuple[str, ...]]:
        return [(), *(CONTEXTS[field] if self.markov else ())]

    def _keys(self, columns: Columns, names: Iterable[str], length: int) -> NDArray[np.int64]:
        keys = np.zeros(length, np.int64)
        for name in names:
            keys = keys * self.sizes[name.lstrip("-")] + columns[name]
        return keys

    def fit(self, columns: Columns) -> None:
        """Count the events, columns (N,), of all training pieces joined."""
        weights = field_weights(columns)
        for field, size in self.sizes.items():
            chosen = weights[field] > 0
            kept = {name: values[chosen] for name, values in columns.items()}
            values = kept[field]
            self._counts[field] = [
                _ContextCounts.count(self._keys(kept, names, len(values)), values, size)
                for names in self._levels(field)
            ]

    def nats(self, columns: Columns) -> dict[str, float]:
        """Return the nats of events, columns (N,) of one or more pieces, by field."""
        weights = field_weights(columns)
        result = {}
        for field, size in self.sizes.items():
            chosen = weights[field] > 0
            kept = {name: values[chosen] for name, values in columns.items()}
            values = kept[field]
            probability = np.full(len(values), 1 / size)
            for names, counts in zip(self._levels(field), self._counts[field], strict=True):
                probability = counts.smooth(self._keys(kept, names, len(values)), values, size, probability)
            result[field] = float(-np.log(probability).sum())
        return result
