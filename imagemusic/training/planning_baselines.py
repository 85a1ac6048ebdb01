"""What the planner is measured against: unigrams and bigrams of the fields of a bar.

kind | kind of the bar before                  first chord | second chord of the bar before
distance | kind, distance of the bar before    second chord | first chord
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from imagemusic.plan.analysis import NEW
from imagemusic.plan.chords import CHORDS
from imagemusic.plan.features import DISTANCES, FIELDS

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

SIZES = (3, DISTANCES, CHORDS, CHORDS)
CONTEXTS = (4, 3 * (DISTANCES + 1), CHORDS + 1, CHORDS)
SMOOTHING = 0.5  # counts added to each value of a unigram
BACK_OFF = 10.0  # counts of the unigram that a bigram is mixed with


def contexts(fields: Integers) -> Integers:
    """Return what the bigram of each field of a piece (B, 4) depends on, (B, 4)."""
    kind, distance, _, second = (
        np.concatenate([[size], fields[:-1, n]]) for n, size in enumerate((3, DISTANCES, 0, CHORDS))
    )
    return np.column_stack([kind, fields[:, 0] * (DISTANCES + 1) + distance, second, fields[:, 2]])


def baseline_nats(training: Sequence[Integers], held_out: Sequence[Integers]) -> dict[str, dict[str, float]]:
    """Return mean nats a bar of each field of held-out pieces (B, 4), by "unigram" and "bigram" of the others."""
    known, known_context = np.concatenate(training), np.concatenate([contexts(piece) for piece in training])
    asked, asked_context = np.concatenate(held_out), np.concatenate([contexts(piece) for piece in held_out])
    nats: dict[str, dict[str, float]] = {"unigram": {}, "bigram": {}}
    for field, name in enumerate(FIELDS):
        has = known[:, 0] != NEW if name == "distance" else np.ones(len(known), bool)
        wanted = asked[:, 0] != NEW if name == "distance" else np.ones(len(asked), bool)
        values, context = asked[wanted, field], asked_context[wanted, field]
        counts = np.zeros((CONTEXTS[field], SIZES[field]))
        np.add.at(counts, (known_context[has, field], known[has, field]), 1)
        single = counts.sum(axis=0) + SMOOTHING
        single /= single.sum()
        pair = (counts + BACK_OFF * single) / (counts.sum(axis=1, keepdims=True) + BACK_OFF)
        nats["unigram"][name] = float(-np.log(single[values]).sum() / len(asked))
        nats["bigram"][name] = float(-np.log(pair[context, values]).sum() / len(asked))
    return nats
