"""What a decoder may learn beside the next note, so that the condition matters more.

auxiliary    its outputs are to tell the dials that it was told: the mean squared error of a linear guess
contrast     its notes are to tell whose condition was given: of a window's own and another row's, the own one shall
             make the notes likelier (InfoNCE with one negative: van den Oord et al. 2018, arXiv:1807.03748); a
             state that was carried from the window before is the same under both
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from imagemusic.model.conditioning import ConditionLayout
from imagemusic.model.decoder import DecoderConfig, DecoderState, NoteDecoder
from imagemusic.music.dials import DIALS

AUXILIARY, CONTRAST = "auxiliary", "contrast"


class TellingDecoder(NoteDecoder):
    """Guess the dials from the outputs of the LSTM."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__(config)
        self.to_dials = nn.Linear(config.hidden_size, len(DIALS))
        self.outputs: Tensor | None = None  # (B, T, H) of the last pass

    def core(self, steps: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        self.outputs, after = super().core(steps, state)
        return self.outputs, after

    def guess_error(self, condition: Tensor, counts: Tensor, layout: ConditionLayout) -> Tensor:
        """Mean squared error of the guesses after the last pass.

        condition (B, S, C) holds the dials that were told; counts (B, T) is 0 for rows that are not there.
        """
        assert self.outputs is not None
        first, count = layout.embedding_size + 1, len(DIALS)
        told = condition[..., first : first + count] / layout.dial_scale
        given = condition[..., first + count : first + 2 * count]
        guesses = self.to_dials(self.outputs).float().unflatten(1, (condition.shape[1], -1))  # (B, S, rows, D)
        counted = counts.unflatten(1, (condition.shape[1], -1))[..., None] * given[:, :, None]
        error = (guesses - told[:, :, None]).square() * counted
        return error.sum() / counted.sum().clamp(min=1)


def window_nats(net: NoteDecoder, heads: Tensor, target: dict[str, Tensor], weights: dict[str, Tensor]) -> Tensor:
    """Nats of every window (B,)."""
    nats = [
        functional.cross_entropy(score.float().transpose(1, 2), target[name], reduction="none") * weights[name]
        for name, score in net.logits(heads, target).items()
    ]
    return torch.stack(nats).sum(dim=(0, 2))


def contrast(own: Tensor, other: Tensor) -> Tensor:
    """Nats for telling the own condition from another's, given what windows (B,) cost under either, a window."""
    return functional.softplus(own - other).mean()


def others_conditions(condition: Tensor) -> Tensor:
    """Give every row (B, S, C) the condition of the row before."""
    return torch.roll(condition, 1, dims=0)
