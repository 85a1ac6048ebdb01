"""Alternative ways to condition each step of the LSTM; `NoteDecoder` adds the condition.

The heads are conditioned as in `NoteDecoder`, unless stated otherwise.
"""

import torch
from torch import Tensor, nn

from imagemusic.model.decoder import DecoderConfig, NoteDecoder


class ConcatenatedCondition(NoteDecoder):
    """Concatenate the condition features to the input of each step."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__(config)
        self.to_input = nn.Identity()  # type: ignore[assignment]

    def build_core(self, width: int) -> None:
        super().build_core(width + self.config.condition_hidden)

    def condition_step(self, step: Tensor, terms: Tensor) -> Tensor:
        return torch.cat([step, terms], dim=-1)


class FiLMCondition(NoteDecoder):
    """Scale and shift steps and heads (Perez et al. 2018, arXiv:1709.07871)."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__(config)
        self.to_input, self.condition_to_heads = (
            nn.Linear(config.condition_hidden, 2 * layer.out_features)
            for layer in (self.to_input, self.condition_to_heads)
        )

    def condition_step(self, step: Tensor, terms: Tensor) -> Tensor:
        scale, shift = terms.chunk(2, dim=-1)
        return step * (1 + scale) + shift

    def condition_heads(self, heads: Tensor, terms: Tensor) -> Tensor:
        return self.condition_step(heads, terms)
