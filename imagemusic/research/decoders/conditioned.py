"""What the right dials save: nats of held-out pieces told their own dials, none, or those of another piece.

Dials are those of every stretch of 16 rows, as in training (condition_sampler.py): all that can be heard one by one,
without picture and ensemble.
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
from imagemusic.research.decoders.bench import Bench
from imagemusic.training.evaluation import banded_nats, note_bands

BANDS = (16, 64, 256, 1 << 30)
BAND_NAMES = ("1-16", "17-64", "65-256", "257-")
WINDOW = 256  # rows scored at once: whole stretches


def dial_savings(net: NoteDecoder, bench: Bench) -> dict[str, Any]:
    """Measure bits per note of the test pieces with the right dials, and how many more without or with others'."""
    pieces = bench.test
    wrong = {"swapped": others(pieces), "swapped, same ensemble": others(pieces, same_ensemble=True)}
    conditions = {"right": told(bench, pieces, pieces), "null": None}
    conditions |= {name: told(bench, pieces, [pieces[i] for i in partner]) for name, partner in wrong.items()}
    nats = {
        name: banded_nats(net, bench.prepared, pieces, BANDS, conditions=condition, window=WINDOW)
        for name, condition in conditions.items()
    }
    notes = np.array([
        np.bincount(note_bands(bench.prepared, piece, BANDS)[_is_note(bench, piece)], minlength=len(BANDS) + 1)
        for piece in pieces
    ])  # fmt: skip
    groups = [piece.group for piece in pieces]
    rows = [slice(None), *(slice(band, band + 1) for band in range(1, len(BANDS) + 1))]  # the header counts to `all`
    result: dict[str, Any] = {"right_bits_per_note": float(nats["right"].sum() / np.log(2) / notes.sum())}
    for name in ("null", *wrong):
        lost = (nats[name] - nats["right"]) / np.log(2)
        result[name] = {
            band: bootstrap(_per_note(lost[:, row], notes[:, row]), groups).to_json()
            for band, row in zip(("all", *BAND_NAMES), rows, strict=True)
        }
    return result


def told(bench: Bench, pieces: Sequence[PreparedPiece], whose: Sequence[PreparedPiece]) -> Tensor:
    """Lay out conditions (P, S, C) of the stretches of pieces, with the dials of others, repeated where those end."""
    most = max(-(-piece.rows // WINDOW) * WINDOW // SEGMENT for piece in pieces)
    values = np.full((len(pieces), most, len(DIALS)), np.nan)
    for number, (piece, other) in enumerate(zip(pieces, whose, strict=True)):
        cues = bench.prepared.segments[other.segments].astype(np.float64)
        dials = bench.prepared.scale.table(cues)
        length = segment_count(piece.rows)
        values[number, :length] = dials[np.arange(length) % len(dials)]
    values[..., [DIALS.index(name) for name in AFFECT_DIALS]] = np.nan
    flat = values.reshape(-1, len(DIALS))
    packed = bench.layout.pack(None, flat, np.full(len(flat), -1))
    return torch.from_numpy(packed.reshape(len(pieces), most, -1))


def others(pieces: Sequence[PreparedPiece], *, same_ensemble: bool = False) -> NDArray[np.int64]:
    """Choose another piece for each (P,), of another group where there is one: the next in a random order."""
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
    """Bits over notes of the pieces that are drawn."""
    return lambda chosen: float(bits[chosen].sum() / max(notes[chosen].sum(), 1))


def _is_note(bench: Bench, piece: PreparedPiece) -> NDArray[np.bool_]:
    part: NDArray[np.uint8] = bench.prepared.rows[piece.start : piece.start + piece.rows]["part"]
    return part < SLOTS
