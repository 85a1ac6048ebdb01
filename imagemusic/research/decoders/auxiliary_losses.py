"""Auxiliary losses that make the condition matter more.

auxiliary    a linear layer predicts the dials of the condition from the LSTM's outputs: mean squared error
contrast     the notes of a window must be likelier under their own condition than under that of another window
             (InfoNCE with one negative: van den Oord et al. 2018, arXiv:1807.03748); a state that was carried over
             from the window before is the same under both
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from imagemusic.model.conditioning import ConditionLayout
from imagemusic.model.decoder import DecoderConfig, DecoderState, NoteDecoder
from imagemusic.music.dials import DIALS

AUXILIARY, CONTRAST = "auxiliary", "contrast"


class DialPredictingDecoder(NoteDecoder):
    """A decoder that also predicts the dials from the outputs of its LSTM."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__(config)
        self.to_dials = nn.Linear(config.hidden_size, len(DIALS))
        self.outputs: Tensor | None = None  # (B, T, H) of the last forward pass

    def core(self, steps: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        self.outputs, after = super().core(steps, state)
        return self.outputs, after

    def dial_loss(self, condition: Tensor, counts: Tensor, layout: ConditionLayout) -> Tensor:
        """Compute the mean squared error (a scalar) of the dials predicted in the last forward pass.

        condition (B, S, C) holds the dials, of which those not given are left out; counts (B, T) is 0 for padding.
        """
        assert self.outputs is not None
        first, count = layout.embedding_size + 1, len(DIALS)
        values = condition[..., first : first + count] / layout.dial_scale
        given = condition[..., first + count : first + 2 * count]
        predicted = self.to_dials(self.outputs).float().unflatten(1, (condition.shape[1], -1))  # (B, S, rows, D)
        counted = counts.unflatten(1, (condition.shape[1], -1))[..., None] * given[:, :, None]
        error = (predicted - values[:, :, None]).square() * counted
        return error.sum() / counted.sum().clamp(min=1)


def window_nats(net: NoteDecoder, heads: Tensor, target: dict[str, Tensor], weights: dict[str, Tensor]) -> Tensor:
    """Compute the nats (B,) of windows; heads (B, T, 5K), target and weights are columns (B, T)."""
    nats = [
        functional.cross_entropy(score.float().transpose(1, 2), target[name], reduction="none") * weights[name]
        for name, score in net.logits(heads, target).items()
    ]
    return torch.stack(nats).sum(dim=(0, 2))


def contrastive_loss(own: Tensor, other: Tensor) -> Tensor:
    """Compute the nats per window (a scalar) of the choice between the own condition and another.

    own and other (B,) are the nats of windows under either condition.
    """
    return functional.softplus(own - other).mean()


def shifted_conditions(condition: Tensor) -> Tensor:
    """Give every window of conditions (B, S, C) the condition of the one before; return (B, S, C)."""
    return torch.roll(condition, 1, dims=0)
