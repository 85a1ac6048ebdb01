"""How long a decoder remembers: its first state, and the events that it has read.

the same events, another first state ──► how far the predictions differ, note by note      (KL, bits a note)
one prediction ──► its gradient with respect to what was read 0, 1, 2 ... events before     (norm)
"""

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from imagemusic.model.decoder import DecoderState, NoteDecoder

BATCH = 16


@torch.no_grad()
def divergences(
    decoder: NoteDecoder,
    before: dict[str, Tensor],
    target: dict[str, Tensor],
    weights: dict[str, Tensor],
    condition: Tensor,
    others: Mapping[str, tuple[Tensor, Tensor]],
) -> dict[str, NDArray[np.floating]]:
    """Measure by how much predictions differ (P, T), in bits an event, once the condition (P, C) is another.

    Each of `others` holds the condition from which the first state is made, and the one that every step is told,
    (P, C) each.  The fields of an event are each given the true ones before, so that their divergences add up.
    """
    parts: dict[str, list[NDArray[np.floating]]] = {name: [] for name in others}
    for start in range(0, len(condition), BATCH):
        part = slice(start, start + BATCH)
        read, event, weight = ({name: v[part] for name, v in table.items()} for table in (before, target, weights))
        right = _scores(decoder, read, event, condition[part], condition[part])
        for name, (first, later) in others.items():
            other = _scores(decoder, read, event, first[part], later[part])
            nats = [(right[f].exp() * (right[f] - other[f])).sum(-1) * (weight[f] > 0) for f in right]
            parts[name].append(torch.stack(nats).sum(0).numpy() / math.log(2))
    return {name: np.concatenate(rows) for name, rows in parts.items()}


def _scores(
    decoder: NoteDecoder, before: dict[str, Tensor], event: dict[str, Tensor], first: Tensor, later: Tensor
) -> dict[str, Tensor]:
    heads, _ = decoder(before, later, decoder.initial_state(first))
    return {name: score.log_softmax(-1) for name, score in decoder.logits(heads, event).items()}


def by_note(values: NDArray[np.floating], is_note: NDArray[np.bool_], most: int) -> NDArray[np.float64]:
    """Gather values (P, T) of notes by their number in the piece: (P, most), NaN where a piece has fewer."""
    result = np.full((len(values), most), np.nan)
    for row, (value, note) in enumerate(zip(values, is_note, strict=True)):
        found = value[note][:most]
        result[row, : len(found)] = found
    return result


def gradients(
    decoder: NoteDecoder,
    before: dict[str, Tensor],
    target: dict[str, Tensor],
    weights: dict[str, Tensor],
    condition: Tensor,
    last: int,
) -> NDArray[np.float64]:
    """Norm (P, last + 1) of the gradient of what event `last` costs, by how many events before it was read."""
    norms = []
    for start in range(0, len(condition), BATCH):
        part = slice(start, start + BATCH)
        read = {name: column[part, : last + 1] for name, column in before.items()}
        fed: list[Tensor] = []

        def catch(_: torch.nn.Module, arguments: tuple[Tensor, DecoderState], fed: list[Tensor] = fed) -> tuple:
            fed.append(arguments[0].detach().requires_grad_())
            return (fed[0], *arguments[1:])

        hook = decoder.lstm.register_forward_pre_hook(catch)
        try:
            heads, _ = decoder(read, condition[part], decoder.initial_state(condition[part]))
        finally:
            hook.remove()
        event = {name: column[part, last : last + 1] for name, column in target.items()}
        costs = [
            functional.cross_entropy(score[:, 0], event[name][:, 0], reduction="none") * weights[name][part, last]
            for name, score in decoder.logits(heads[:, last:], event).items()
        ]
        (slope,) = torch.autograd.grad(torch.stack(costs).sum(), fed[0])
        norms.append(slope.norm(dim=-1).flip(1).numpy())  # (B, T, H) -> (B, T), the nearest first
    return np.concatenate(norms).astype(np.float64)
