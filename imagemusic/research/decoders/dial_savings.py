"""Bits per note that the right dials save: nats of held-out pieces given their own dials, none, or another piece's.

The dials are those of every segment, as in training (condition_sampler.py), without the composite ones, picture and
ensemble.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imagemusic.data.prepared import PreparedPiece, segment_count
from imagemusic.evaluation.intervals import Statistic, bootstrap
from imagemusic.events.vocabulary import SEGMENT, SLOTS
from imagemusic.model.decoder import NoteDecoder
from imagemusic.music.dials import AFFECT_DIALS, DIALS
from imagemusic.research.decoders.benchmark import Benchmark
from imagemusic.training.evaluation import banded_nats, note_bands

BANDS = (16, 64, 256, 1 << 30)
BAND_NAMES = ("1-16", "17-64", "65-256", "257-")
WINDOW = 256  # rows scored at once: whole segments


def dial_savings(net: NoteDecoder, benchmark: Benchmark) -> dict[str, Any]:
    """Measure bits per note of the test pieces with the right dials, and the increase without or with others'."""
    pieces = benchmark.test
    wrong = {"swapped": other_pieces(pieces), "swapped, same ensemble": other_pieces(pieces, same_ensemble=True)}
    conditions = {"right": segment_conditions(benchmark, pieces, pieces), "null": None}
    conditions |= {
        name: segment_conditions(benchmark, pieces, [pieces[i] for i in partner]) for name, partner in wrong.items()
    }
    nats = {
        name: banded_nats(net, benchmark.prepared, pieces, BANDS, conditions=condition, window=WINDOW)
        for name, condition in conditions.items()
    }
    notes = np.array([
        np.bincount(note_bands(benchmark.prepared, piece, BANDS)[_is_note(benchmark, piece)], minlength=len(BANDS) + 1)
        for piece in pieces
    ])  # fmt: skip
    groups = [piece.group for piece in pieces]
    rows = [slice(None), *(slice(band, band + 1) for band in range(1, len(BANDS) + 1))]  # the header is part of `all`
    result: dict[str, Any] = {"right_bits_per_note": float(nats["right"].sum() / np.log(2) / notes.sum())}
    for name in ("null", *wrong):
        increase = (nats[name] - nats["right"]) / np.log(2)
        result[name] = {
            band: bootstrap(_per_note(increase[:, row], notes[:, row]), groups).to_json()
            for band, row in zip(("all", *BAND_NAMES), rows, strict=True)
        }
    return result


def segment_conditions(benchmark: Benchmark, pieces: Sequence[PreparedPiece], whose: Sequence[PreparedPiece]) -> Tensor:
    """Return conditions (P, S, C) of the segments of P pieces, with the dials of the pieces `whose`, repeated."""
    longest = max(-(-piece.rows // WINDOW) * WINDOW // SEGMENT for piece in pieces)
    values = np.full((len(pieces), longest, len(DIALS)), np.nan)
    for number, (piece, other) in enumerate(zip(pieces, whose, strict=True)):
        cues = benchmark.prepared.segments[other.segments].astype(np.float64)
        dials = benchmark.prepared.scale.table(cues)
        length = segment_count(piece.rows)
        values[number, :length] = dials[np.arange(length) % len(dials)]
    values[..., [DIALS.index(name) for name in AFFECT_DIALS]] = np.nan
    flat = values.reshape(-1, len(DIALS))
    packed = benchmark.layout.pack(None, flat, np.full(len(flat), -1))
    return torch.from_numpy(packed.reshape(len(pieces), longest, -1))


def other_pieces(pieces: Sequence[PreparedPiece], *, same_ensemble: bool = False) -> NDArray[np.int64]:
    """Return for each piece the index (P,) of another: the next one of another group in a random order."""
    by_kind: dict[str, list[int]] = defaultdict(list)
    for i in np.random.default_rng(0).permutation(len(pieces)).tolist():
        by_kind[pieces[i].ensemble if same_ensemble else ""].append(i)
    chosen = np.empty(len(pieces), np.int64)
    for members in by_kind.values():
        for place, i in enumerate(members):
            following = [*members[place + 1 :], *members[:place]]
            chosen[i] = next((j for j in following if pieces[j].group != pieces[i].group), i)
    return chosen


def _per_note(bits: NDArray[np.float64], notes: NDArray[np.int64]) -> Statistic:
    """Return the statistic of a bootstrap sample of pieces: bits (P, B) over notes (P, B)."""
    return lambda chosen: float(bits[chosen].sum() / max(notes[chosen].sum(), 1))


def _is_note(benchmark: Benchmark, piece: PreparedPiece) -> NDArray[np.bool_]:
    part: NDArray[np.uint8] = benchmark.prepared.rows[piece.start : piece.start + piece.rows]["part"]
    return part < SLOTS
