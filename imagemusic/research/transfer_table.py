"""Likelihood of music under tuned models on unseen albums, and the table of all folds.

fold, variant ──> nats of every test pair: own cover, other covers, none ──> folds joined ──> bits per note, gaps
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imagemusic.evaluation.intervals import ratio_of
from imagemusic.evaluation.steering.conditional import Music, derangement, gap_table
from imagemusic.model.decoder import NoteDecoder
from imagemusic.research.cover_conditions import CoverConditions
from imagemusic.research.transfer import Rows, Split, scorer_for

DRAWS = 3  # random assignments of wrong covers
TRAINED_PAIRS = 20  # training pairs that are scored too, to see whether anything was learned

Arrays = dict[str, NDArray[Any]]
ConditionOf = Callable[[Rows], NDArray[np.float32]]


def measure_fold(
    decoder: NoteDecoder,
    conditions: CoverConditions,
    music: Music,
    features: Tensor,
    split: Split,
    *,
    notes: int,
    seed: int,
) -> Arrays:
    """Score the test pairs of a fold under their own covers, others of the fold and none, and some training pairs.

    features (N, F) are those of the covers of all pairs.  The wrong covers depend on the seed alone, so that they are
    the same for all variants.
    """

    def condition_of(rows: Rows) -> NDArray[np.float32]:
        with torch.no_grad():
            return conditions(features[rows]).numpy()

    trained = np.random.default_rng((seed, 0)).permutation(split.train)[:TRAINED_PAIRS]
    found = {"test": split.test, "train": trained}
    for part, rows, draws in (("tested", split.test, DRAWS), ("trained", trained, 1)):
        found |= {f"{part}_{name}": value for name, value in _scored(
            decoder, music, rows, condition_of, notes=notes, draws=draws, seed=seed).items()}  # fmt: skip
    return found


def _scored(
    decoder: NoteDecoder, music: Music, rows: Rows, condition_of: ConditionOf, *, notes: int, draws: int, seed: int
) -> Arrays:
    """Return nats and notes by band, (P, 1 + bands) each, of pairs with their covers, and the increase with others."""
    scorer = scorer_for(decoder, music, rows, notes)
    right, counts = scorer.nats(condition_of(rows)), scorer.notes()
    groups, kinds = ([names[i] for i in rows] for names in (music.groups, music.kinds))
    pictures = np.array([music.pairs[i].reading.hash for i in rows])
    found = {"right": right, "notes": counts, "null": scorer.nats(np.zeros_like(condition_of(rows)))}
    for number, (name, alike) in enumerate((("swapped", ["" for _ in rows]), ("swapped_within_kind", kinds))):
        gaps, counted = [], []
        for draw in range(draws):
            order = derangement(alike, groups, np.random.default_rng((seed, number, draw)))
            other = (pictures[order] != pictures)[:, None]
            gaps.append((scorer.nats(condition_of(rows[order])) - right) * other)
            counted.append(counts * other)
        found |= {name: np.mean(gaps, axis=0), f"{name}_notes": np.mean(counted, axis=0)}
    return found


def joined(folds: Sequence[Arrays]) -> Arrays:
    """Concatenate the rows of several folds."""
    return {name: np.concatenate([np.atleast_1d(fold[name]) for fold in folds]) for name in folds[0]}


def table_of(found: Mapping[str, Arrays], groups: Sequence[str], control: Callable[[str], str]) -> dict[str, Any]:
    """Compute the figures of every variant from its joined folds, also against its control and against `none`.

    found: arrays of `measure_fold` by variant; groups (N,) of all pairs; control: name of a variant -> of its control.
    """
    table = {}
    for name, arrays in found.items():
        tested = [groups[i] for i in arrays["test"]]
        trained = [groups[i] for i in arrays["train"]]
        notes = arrays["tested_notes"]
        figures: dict[str, Any] = {
            "bits_per_note": _bits(arrays["tested_right"], notes, tested),
            "null_bits_per_note": _bits(arrays["tested_null"], notes, tested),
            "gap_swapped": gap_table(arrays["tested_swapped"], arrays["tested_swapped_notes"], tested),
            "gap_within_kind": gap_table(
                arrays["tested_swapped_within_kind"], arrays["tested_swapped_within_kind_notes"], tested
            ),
            "gap_null": gap_table(arrays["tested_null"] - arrays["tested_right"], notes, tested),
            "gap_on_trained_albums": gap_table(arrays["trained_swapped"], arrays["trained_swapped_notes"], trained),
            "kept_steps": arrays["kept_step"].tolist(),
            "open_corpora_bits_per_note": float(arrays["open_nats"].sum() / math.log(2) / arrays["open_notes"].sum()),
        }
        if name != "none" and "none" in found:
            change = arrays["tested_right"] - found["none"]["tested_right"]
            figures["change_of_bits_per_note"] = _bits(change, notes, tested)
        if (other := control(name)) in found and other != name:
            more = arrays["tested_swapped"] - found[other]["tested_swapped"]
            figures["gap_more_than_shuffled"] = gap_table(more, arrays["tested_swapped_notes"], tested)
        table[name] = figures
    return table


def _bits(nats: NDArray[np.float64], notes: NDArray[np.float64], groups: Sequence[str]) -> dict[str, Any]:
    return ratio_of(nats.sum(axis=1) / math.log(2), notes.sum(axis=1), groups).to_json()
