"""How well a decoder predicts music: bits per note, in total and for each field.

Bits per note: all the nats that the rows of a piece cost (header, rests and end included), over ln 2 and the piece's
notes.  Velocity stands apart, counted only where it is known.  Nothing of the piece is given beforehand: the condition
is null and what is left to play is hidden, unless asked otherwise.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from imagemusic.data.dataset import PreparedPiece, PreparedSet
from imagemusic.model.decoder import NoteDecoder
from imagemusic.model.fields import FIELDS
from imagemusic.training.batches import field_weights, window_columns

Totals = dict[str, float]


def to_tensors(columns: dict[str, np.ndarray], device: torch.device | str = "cpu") -> dict[str, Tensor]:
    """Move columns (B, T) to torch."""
    return {name: torch.from_numpy(values).to(device) for name, values in columns.items()}


@torch.no_grad()
def piece_nats(
    decoder: NoteDecoder,
    prepared: PreparedSet,
    pieces: Sequence[PreparedPiece],
    *,
    conditions: Tensor | None = None,
    give_remaining: bool = False,
    batch_size: int = 32,
    window: int = 256,
) -> Iterator[tuple[PreparedPiece, Totals, Totals]]:
    """Yield every piece with its nats and its right guesses by field; conditions (P, C) go with the pieces."""
    decoder.eval()
    order = sorted(range(len(pieces)), key=lambda i: pieces[i].rows)
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        condition = torch.zeros(len(chosen), decoder.config.condition_size)
        if conditions is not None:
            condition = conditions[chosen]
        state = decoder.initial_state(condition)
        nats = np.zeros((len(chosen), len(FIELDS)))
        right = np.zeros_like(nats)
        for number in range(-(-pieces[chosen[-1]].rows // window)):
            parts = []
            for i in chosen:
                piece = pieces[i]
                rows = prepared.rows[piece.start : piece.start + piece.rows]
                parts.append(window_columns(rows, piece.end, number, window, hide_remaining=not give_remaining))
            before, target, weights = (
                to_tensors({name: np.stack([part[k][name] for part in parts]) for name in parts[0][k]})
                for k in range(3)
            )
            heads, state = decoder(before, condition, state)
            for column, (name, score) in enumerate(decoder.logits(heads, target).items()):
                log_probability = score.float().log_softmax(-1).gather(-1, target[name][..., None])[..., 0]
                nats[:, column] -= (log_probability * weights[name]).sum(1).numpy()
                right[:, column] += ((score.argmax(-1) == target[name]) * weights[name]).sum(1).numpy()
        for row, i in enumerate(chosen):
            yield pieces[i], dict(zip(FIELDS, nats[row], strict=True)), dict(zip(FIELDS, right[row], strict=True))


def count_guesses(prepared: PreparedSet, pieces: Sequence[PreparedPiece]) -> Totals:
    """Count by field the events of pieces in which a decoder has something to guess."""
    names = ("part", "program", "pitch", "velocity")
    weights = [
        field_weights({name: prepared.rows[p.start : p.start + p.rows][name].astype(np.int64) for name in names})
        for p in pieces
    ]
    return {name: float(sum(weight[name].sum() for weight in weights)) for name in FIELDS}


def bits_per_note(nats: Sequence[Totals], pieces: Sequence[PreparedPiece]) -> Totals:
    """Sum pieces to bits per note: total without velocity, each field, and velocity per note that has one."""
    notes = sum(piece.notes for piece in pieces)
    loud = sum(piece.notes for piece in pieces if piece.cues["loudness"] is not None)
    bits = {name: sum(piece[name] for piece in nats) / math.log(2) for name in FIELDS}
    result = {name: bits[name] / notes for name in FIELDS if name != "velocity"}
    return {"total": sum(result.values())} | result | {"velocity": bits["velocity"] / max(loud, 1)}
