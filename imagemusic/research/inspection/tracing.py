"""Hidden states and gate activations of a decoder's layers while it reads.

    columns (P, T) ──► decoder ──► input of its LSTM (P, T, H) ──► layer by layer, gate by gate

torch's LSTM returns the outputs of its last layer only, so the recurrence is written out here; a test compares the two.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from imagemusic.model.decoder import DecoderState, NoteDecoder
from imagemusic.model.residual import ResidualLSTM

GATES = ("input", "forget", "output")  # the fourth block of weights is the candidate, no gate
BATCH = 32


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Activations for P excerpts of T events, in L layers of H units."""

    inputs: NDArray[np.float32]  # (P, T, H) of the first layer
    hidden: NDArray[np.float32]  # (L, P, T, H)
    gates: NDArray[np.float32]  # (L, 3, H) mean activation of each gate, 0..1
    shut: NDArray[np.float64]  # (L, 3) share of steps and units at which a gate is below 0.1
    open: NDArray[np.float64]  # (L, 3) above 0.9


@torch.no_grad()
def trace(decoder: NoteDecoder, before: dict[str, Tensor], condition: Tensor, counts: NDArray[np.bool_]) -> Trace:
    """Run a decoder on columns (P, T) under conditions (P, C); gates are averaged where `counts` (P, T) is true."""
    lstm, layers, hidden_size = decoder.lstm, decoder.config.layers, decoder.config.hidden_size
    inputs, hidden = [], []
    sums, shut, open_ = (np.zeros((layers, 3, hidden_size)) for _ in range(3))
    for start in range(0, len(condition), BATCH):
        part = slice(start, start + BATCH)
        state = decoder.initial_state(condition[part])
        fed = feed_of(decoder, {name: column[part] for name, column in before.items()}, condition[part], state)
        inputs.append(fed.numpy())
        chosen = torch.from_numpy(counts[part])
        outputs, stream = [], fed
        for layer in range(layers):
            said, gates = run_layer(lstm, layer, fed, state)
            outputs.append(said.numpy())
            stream, fed = lstm.add(layer, stream, said) if isinstance(lstm, ResidualLSTM) else (said, said)
            for number, gate in enumerate(gates):
                values = gate[chosen]
                sums[layer, number] += values.sum(0).numpy()
                shut[layer, number] += (values < 0.1).sum(0).numpy()
                open_[layer, number] += (values > 0.9).sum(0).numpy()
        hidden.append(np.stack(outputs))
    total = int(counts.sum())
    return Trace(
        np.concatenate(inputs), np.concatenate(hidden, axis=1), (sums / total).astype(np.float32),
        shut.mean(-1) / total, open_.mean(-1) / total,
    )  # fmt: skip


def feed_of(decoder: NoteDecoder, before: dict[str, Tensor], condition: Tensor, state: DecoderState) -> Tensor:
    """Return the input of the LSTM (B, T, H) for columns (B, T) under conditions (B, C)."""
    caught: list[Tensor] = []
    hook = decoder.lstm.register_forward_pre_hook(lambda _, arguments: caught.append(arguments[0]))
    try:
        decoder(before, condition, state)
    finally:
        hook.remove()
    return caught[0]


def run_layer(lstm: nn.LSTM, layer: int, fed: Tensor, state: DecoderState) -> tuple[Tensor, list[Tensor]]:
    """Run one layer on (B, T, H); return its hidden states and the input, forget and output gates, (B, T, H) each."""
    weight_ih, weight_hh, bias_ih, bias_hh = (
        getattr(lstm, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    driven = fed @ weight_ih.T + (bias_ih + bias_hh)
    hidden, cell = state.hidden[layer], state.cell[layer]
    hiddens, gates = [], []
    for step in range(fed.shape[1]):
        before_in, before_forget, before_candidate, before_out = (driven[:, step] + hidden @ weight_hh.T).chunk(4, -1)
        gate = (before_in.sigmoid(), before_forget.sigmoid(), before_out.sigmoid())
        cell = gate[1] * cell + gate[0] * before_candidate.tanh()
        hidden = gate[2] * cell.tanh()
        hiddens.append(hidden)
        gates.append(torch.stack(gate))
    return torch.stack(hiddens, 1), list(torch.stack(gates, 2))
