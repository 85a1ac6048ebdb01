"""LSTM layers that add to a stream (He et al. 2016, arXiv:1512.03385), normed (Ba et al. 2016, arXiv:1607.06450).

    stream 0     = what a step reads
    stream l + 1 = gain l * stream l + LSTM l (stream l normed)        the first layer reads its stream as it is
    output       = stream L normed

That the first layer's input is not normed lets the tables of inputs be multiplied by its weights beforehand
(generation/stepper.py).  The gains, one for each unit, are learned.
"""

import torch
from torch import Tensor, nn


class ResidualLSTM(nn.LSTM):
    """An LSTM whose layers add to what they read; its weights have the names and shapes of torch's own."""

    def __init__(self, width: int, layers: int, dropout: float) -> None:
        super().__init__(width, width, layers, batch_first=True)
        self.gains = nn.ParameterList(torch.ones(width) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))  # of streams 1 to L
        self.drop = nn.Dropout(dropout)

    def forward(  # type: ignore[override]
        self, steps: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Run steps (B, T, H) on from hidden and cell (L, B, H); return outputs (B, T, H) and the state after."""
        stream, read = steps, steps
        after = []
        for layer in range(self.num_layers):
            before = [part[layer : layer + 1].to(read.dtype) for part in state]
            weights: list[Tensor] = [*self.all_weights[layer]]
            outputs, *memory = torch.lstm(read, before, weights, True, 1, 0.0, self.training, False, True)
            stream, read = self.add(layer, stream, outputs)
            after.append(memory)
        hidden, cell = (torch.cat(parts) for parts in zip(*after, strict=True))
        return read, (hidden, cell)

    def add(self, layer: int, stream: Tensor, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Add what a layer says to the stream that it read, (B, T, H) each; return it, and it normalised."""
        stream = self.gains[layer] * stream + self.drop(outputs)
        read: Tensor = self.norms[layer](stream)
        return stream, read
