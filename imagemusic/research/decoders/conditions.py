"""Other ways to tell an LSTM its condition at each step than to add it, as `NoteDecoder` does.

The heads are told in the same way as by `NoteDecoder`, where not said otherwise.
"""

import torch
from torch import Tensor, nn

from imagemusic.model.decoder import DecoderConfig, NoteDecoder


class ConcatenatedCondition(NoteDecoder):
    """Put what the condition says beside the step: the LSTM reads both."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__(config)
        self.to_input = nn.Identity()  # type: ignore[assignment]

    def build_core(self, width: int) -> None:
        super().build_core(width + self.config.condition_hidden)

    def condition_step(self, step: Tensor, told: Tensor) -> Tensor:
        return torch.cat([step, told], dim=-1)


class FiLMCondition(NoteDecoder):
    """Scale and shift steps and heads (Perez et al. 2018, arXiv:1709.07871)."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__(config)
        self.to_input, self.condition_to_heads = (
            nn.Linear(config.condition_hidden, 2 * layer.out_features)
            for layer in (self.to_input, self.condition_to_heads)
        )

    def condition_step(self, step: Tensor, told: Tensor) -> Tensor:
        scale, shift = told.chunk(2, dim=-1)
        return step * (1 + scale) + shift

    def condition_heads(self, heads: Tensor, told: Tensor) -> Tensor:
        return self.condition_step(heads, told)
