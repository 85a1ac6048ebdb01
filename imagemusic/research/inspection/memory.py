"""Memory of a decoder: the influence of its initial state and of earlier events on its predictions.

the same events, another initial state ──► KL divergence of the predictions, bits an event
one event's loss ──► norm of its gradient with respect to the input 0, 1, 2 ... events before
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
    """Return the KL divergence of the predictions under each of other conditions, in bits an event: (P, T) by name.

    Fields of an event are predicted given the true values of the fields before, so that their divergences add up.

    Args:
        before: columns (P, T) that the decoder reads before each event.
        target: columns (P, T) of the events.
        weights: (P, T) by field; fields of weight 0 do not count.
        condition: (P, C) of the reference.
        others: by name, the conditions of the initial state and of the steps, (P, C) each.
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
    """Return values (P, T) of events by the number of the note in its piece: (P, most), NaN where it has fewer."""
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
    """Return the norm (P, last + 1) of the gradient of event `last`'s loss with respect to the LSTM's inputs.

    Column d is for the input d events before.  Columns and weights are (P, T), the condition (P, C).
    """
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
