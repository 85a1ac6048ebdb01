"""Residual LSTM (He et al. 2016, arXiv:1512.03385) with LayerNorm (Ba et al. 2016, arXiv:1607.06450).

    stream 0     = input of the step
    stream l + 1 = gain l * stream l + LSTM l (LayerNorm of stream l)        without the norm for l = 0
    output       = LayerNorm of stream L

The gains, one per unit, are learned.  The input of the first layer is not normalised, so that its weights can be
multiplied into the input embeddings beforehand (generation/stepper.py).
"""

import torch
from torch import Tensor, nn


class ResidualLSTM(nn.LSTM):
    """An LSTM with residual layers; its weights have the names and shapes of torch's own."""

    def __init__(self, width: int, layers: int, dropout: float) -> None:
        super().__init__(width, width, layers, batch_first=True)
        self.gains = nn.ParameterList(torch.ones(width) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))  # of streams 1 to L
        self.drop = nn.Dropout(dropout)

    def forward(  # type: ignore[override]
        self, steps: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Run steps (B, T, H) from hidden and cell (L, B, H); return outputs (B, T, H) and the state after the last."""
        stream, inputs = steps, steps
        after = []
        for layer in range(self.num_layers):
            before = [part[layer : layer + 1].to(inputs.dtype) for part in state]
            weights: list[Tensor] = [*self.all_weights[layer]]
            outputs, *memory = torch.lstm(inputs, before, weights, True, 1, 0.0, self.training, False, True)
            stream, inputs = self.add(layer, stream, outputs)
            after.append(memory)
        hidden, cell = (torch.cat(parts) for parts in zip(*after, strict=True))
        return inputs, (hidden, cell)

    def add(self, layer: int, stream: Tensor, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Add the outputs of a layer to the stream, (B, T, H) each; return the stream, and its LayerNorm."""
        stream = self.gains[layer] * stream + self.drop(outputs)
        normalized: Tensor = self.norms[layer](stream)
        return stream, normalized
