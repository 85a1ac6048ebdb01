"""Likelihood of music under a decoder: bits per note, in total and by field.

Bits per note: the negative log-likelihood of all rows of a piece (header, rests and end included) over ln 2 and the
number of its notes.  Velocity is counted apart, and only where it is known.  By default the condition is null and the
remaining time is hidden, so that nothing about the piece is given.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imagemusic.data.prepared import PreparedPiece, PreparedSet
from imagemusic.events.vocabulary import FIELDS, SEGMENT, SLOTS
from imagemusic.model.decoder import NoteDecoder
from imagemusic.training.batches import HEADER, HasMemory, field_weights, memory_of, window_columns

Totals = dict[str, float]
Columns = dict[str, NDArray[np.float32]]
Told = Callable[[NDArray[np.void], HasMemory], Mapping[str, Any]]  # of a piece's rows: its memory, and perhaps its plan


def tell_memory(rows: NDArray[np.void], decoder: HasMemory) -> Mapping[str, Any]:
    """Return the memory of a piece, prepared rows (R,); no plan."""
    return {"memory": memory_of(rows, decoder)}


def to_tensors(columns: dict[str, np.ndarray], device: torch.device | str = "cpu") -> dict[str, Tensor]:
    """Turn columns, arrays of any shape by name, into tensors."""
    return {name: torch.from_numpy(values).to(device) for name, values in columns.items()}


@torch.no_grad()
def _windows(
    decoder: NoteDecoder,
    prepared: PreparedSet,
    pieces: Sequence[PreparedPiece],
    conditions: Tensor | None,
    *,
    give_remaining: bool,
    batch_size: int,
    window: int,
    tell: Told = tell_memory,
) -> Iterator[tuple[list[int], int, Columns, Columns]]:
    """Score pieces in batches, window by window.

    Yields the indices of the pieces, the number of the window's first row, and by field, (B, T) each, the nats of every
    event and 1 where its most likely value is correct; both are 0 where the event has nothing to predict.
    conditions (P, C), or (P, S, C) with one for each segment: as many as fill the windows of the longest piece.
    """
    decoder.eval()
    order = sorted(range(len(pieces)), key=lambda i: pieces[i].rows)
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        condition = torch.zeros(len(chosen), decoder.config.condition_size)
        if conditions is not None:
            condition = conditions[chosen]
        by_segment = condition if condition.dim() == 3 else None
        state = decoder.initial_state(condition if by_segment is None else condition[:, 0])
        every = [prepared.rows[pieces[i].start : pieces[i].start + pieces[i].rows] for i in chosen]
        given = [tell(rows, decoder) for rows in every]
        for number in range(-(-pieces[chosen[-1]].rows // window)):
            parts = []
            for i, rows, known in zip(chosen, every, given, strict=True):
                parts.append(
                    window_columns(rows, pieces[i].end, number, window, hide_remaining=not give_remaining, **known)
                )
            before, target, weights = (
                to_tensors({name: np.stack([part[k][name] for part in parts]) for name in parts[0][k]})
                for k in range(3)
            )
            if by_segment is not None:
                condition = by_segment[:, number * window // SEGMENT : (number + 1) * window // SEGMENT]
            heads, state = decoder(before, condition, state)
            nats, correct = {}, {}
            for name, score in decoder.logits(heads, target).items():
                log_probability = score.float().log_softmax(-1).gather(-1, target[name][..., None])[..., 0]
                nats[name] = -(log_probability * weights[name]).numpy()
                correct[name] = ((score.argmax(-1) == target[name]) * weights[name]).numpy()
            yield chosen, number * window, nats, correct


def piece_nats(
    decoder: NoteDecoder,
    prepared: PreparedSet,
    pieces: Sequence[PreparedPiece],
    *,
    conditions: Tensor | None = None,
    give_remaining: bool = False,
    batch_size: int = 32,
    window: int = 256,
    tell: Told = tell_memory,
) -> Iterator[tuple[PreparedPiece, Totals, Totals]]:
    """Yield every piece with its nats and its number of correct predictions, by field.

    conditions: (P, C), in the order of the pieces, or (P, S, C), see `_windows`.
    tell: what a decoder reads of a piece beside its events.
    """
    sums = np.zeros((2, len(pieces), len(FIELDS)))
    batches = _windows(
        decoder, prepared, pieces, conditions,
        give_remaining=give_remaining, batch_size=batch_size, window=window, tell=tell,
    )  # fmt: skip
    for chosen, first, *both in batches:
        for total, by_field in zip(sums, both, strict=True):
            total[chosen] += np.stack([by_field[name].sum(1) for name in FIELDS], axis=1)
        if first + window >= pieces[chosen[-1]].rows:
            for i in chosen:
                nats, correct = (dict(zip(FIELDS, total[i].tolist(), strict=True)) for total in sums)
                yield pieces[i], nats, correct


def banded_nats(
    decoder: NoteDecoder,
    prepared: PreparedSet,
    pieces: Sequence[PreparedPiece],
    bands: Sequence[int],
    *,
    conditions: Tensor | None = None,
    batch_size: int = 32,
    window: int = 256,
) -> NDArray[np.float64]:
    """Return the nats of every piece by band of its notes, without velocity: (P, 1 + bands).

    The first column is the header's.  Band b holds the notes with numbers above bands[b - 1] and up to bands[b],
    counted from 1, and the rests before them; rows after the last band are not counted.
    """
    result = np.zeros((len(pieces), 1 + len(bands)))
    batches = _windows(
        decoder, prepared, pieces, conditions, give_remaining=False, batch_size=batch_size, window=window
    )
    for chosen, first, nats, _ in batches:
        total = np.sum([nats[name] for name in FIELDS if name != "velocity"], axis=0)
        for row, i in enumerate(chosen):
            band = note_bands(prepared, pieces[i], bands)[first : first + window]
            counted = np.bincount(band, weights=total[row, : len(band)], minlength=len(bands) + 2)
            result[i] += counted[:-1]
    return result


def note_bands(prepared: PreparedSet, piece: PreparedPiece, bands: Sequence[int]) -> NDArray[np.int64]:
    """Return the band (N,) of every row of a piece: 0 the header, then 1, 2 ...; see `banded_nats`."""
    part = prepared.rows[piece.start : piece.start + piece.rows]["part"].astype(np.int64)
    is_note = part < SLOTS
    number = np.cumsum(is_note) + ~is_note  # a rest counts with the note that follows it
    header = np.cumsum(~np.isin(part, HEADER)) == 0
    return np.where(header, 0, 1 + np.searchsorted(bands, number, side="left"))


def count_predictions(prepared: PreparedSet, pieces: Sequence[PreparedPiece]) -> Totals:
    """Count by field the events of pieces whose value a decoder has to predict."""
    names = ("part", "program", "pitch", "velocity")
    weights = [
        field_weights({name: prepared.rows[p.start : p.start + p.rows][name].astype(np.int64) for name in names})
        for p in pieces
    ]
    return {name: float(sum(weight[name].sum() for weight in weights)) for name in FIELDS}


def bits_per_note(nats: Sequence[Totals], pieces: Sequence[PreparedPiece]) -> Totals:
    """Convert nats of pieces, by field, to bits per note: the total without velocity, each field, and velocity.

    Bits of velocity are per note of the pieces whose velocities are known.
    """
    notes = sum(piece.notes for piece in pieces)
    with_velocity = sum(piece.notes for piece in pieces if piece.cues["loudness"] is not None)
    bits = {name: sum(piece[name] for piece in nats) / math.log(2) for name in FIELDS}
    result = {name: bits[name] / notes for name in FIELDS if name != "velocity"}
    return {"total": sum(result.values())} | result | {"velocity": bits["velocity"] / max(with_velocity, 1)}
