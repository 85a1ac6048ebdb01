"""Variants of the note decoder, each with one difference from `NoteDecoder`.

    heads     IndependentHeads   fields are not conditioned on the fields before them
    inputs    FieldsAlone        a step reads the five fields of the row before, without context columns
    core      GRUDecoder, ResidualLSTMDecoder, MinLSTMDecoder, TransformerDecoder

Each core keeps a `DecoderState`; the meaning of its two tensors is given below.  The batch is their second axis.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from imagemusic.events.vocabulary import FIELDS
from imagemusic.model.decoder import DecoderState, NoteDecoder

HEADS = 4  # of attention
SPAN = 256  # previous events that an event attends to


class IndependentHeads(NoteDecoder):
    """Predict all fields at once, from the hidden state alone.

    Only the kind of header row is known to the head of pitches, as its indices have another meaning there.
    """

    stages: ClassVar[tuple[tuple[str, ...], ...]] = ((),) * (len(FIELDS) - 1)


class FieldsAlone(NoteDecoder):
    """Use the fields only: no place in the bar, sounding notes, program, interval or last note of a part."""

    reads: ClassVar[tuple[str, ...]] = (*FIELDS, "remaining")
    stages: ClassVar[tuple[tuple[str, ...], ...]] = tuple((name,) for name in FIELDS[:-1])


class GRUDecoder(NoteDecoder):
    """Gated recurrent units (Cho et al. 2014); `cell` is passed on unused."""

    def build_core(self, width: int) -> None:
        config = self.config
        dropout = config.dropout if config.layers > 1 else 0.0
        self.gru = nn.GRU(width, config.hidden_size, config.layers, batch_first=True, dropout=dropout)

    def core(self, steps: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        outputs, hidden = self.gru(steps, state.hidden)
        return outputs, DecoderState(hidden, state.cell)


class ResidualLSTMDecoder(NoteDecoder):
    """Residual LSTM layers with LayerNorm before each: the blocks of the cores below, without their MLPs."""

    def build_core(self, width: int) -> None:
        layers = range(self.config.layers)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in layers)
        self.lstms = nn.ModuleList(nn.LSTM(width, width, batch_first=True) for _ in layers)
        self.norm, self.drop = nn.LayerNorm(width), nn.Dropout(self.config.dropout)
        for lstm in self.lstms:
            bias = dict(lstm.named_parameters())["bias_ih_l0"]
            nn.init.constant_(bias[width : 2 * width], 1.0)  # bias of the forget gate, as in the LSTM

    def core(self, steps: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        after = []
        for layer, (norm, lstm) in enumerate(zip(self.norms, self.lstms, strict=True)):
            before = tuple(part[layer : layer + 1].to(steps.dtype) for part in state)
            outputs, memory = lstm(norm(steps), before)
            steps = steps + self.drop(outputs)
            after.append(memory)
        hidden, cell = (torch.cat(parts) for parts in zip(*after, strict=True))
        return self.norm(steps), DecoderState(hidden, cell)


class MinLSTMLayer(nn.Module):
    """minLSTM with normalised gates (Feng et al. 2024, arXiv:2410.01201, appendix B.2), then an MLP.

        f, i = sigmoid of x;   h = f / (f + i) * h before + i / (f + i) * g(x)

    The gates do not depend on h, so all steps are computed in parallel, in log space.  Residuals and norms as in the
    paper's language model, without its convolution.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm, self.gates = nn.LayerNorm(width), nn.Linear(width, 3 * width)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )
        self.dropout = nn.Dropout(dropout)
        nn.init.constant_(self.gates.bias[:width], 1.0)  # bias of the forget gate, as in the LSTM

    def forward(self, x: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """Run steps x (B, T, H) from states (B, H) above 0; return outputs (B, T, H) and the states after the last."""
        forget, enter, value = self.gates(self.norm(x)).float().chunk(3, dim=-1)
        gap = functional.softplus(-forget) - functional.softplus(-enter)
        log_kept, log_entered = -functional.softplus(gap), -functional.softplus(-gap)
        log_value = torch.where(value >= 0, (value.relu() + 0.5).log(), -functional.softplus(-value))
        kept = functional.pad(log_kept.cumsum(1), (0, 0, 1, 0))  # of the state before, after each step
        entered = torch.cat([before.float().log()[:, None], log_entered + log_value], dim=1)
        states = (kept + (entered - kept).logcumsumexp(1))[:, 1:].exp()
        x = x + self.dropout(states)
        return x + self.dropout(self.mlp(x)), states[:, -1]


class MinLSTMDecoder(NoteDecoder):
    """Minimal LSTM layers; `hidden` holds their states, which are above 0, and `cell` is passed on unused."""

    def build_core(self, width: int) -> None:
        config = self.config
        self.blocks = nn.ModuleList(MinLSTMLayer(width, config.dropout) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width)

    def initial_state(self, condition: Tensor) -> DecoderState:
        state = super().initial_state(condition)
        return DecoderState(state.hidden.float() + 1.01, state.cell)  # tanh is above -1

    def core(self, steps: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        after = []
        for block, before in zip(self.blocks, state.hidden, strict=True):
            steps, states = block(steps, before)
            after.append(states)
        return self.norm(steps), DecoderState(torch.stack(after), state.cell)


class AttentionLayer(nn.Module):
    """Attention to the SPAN previous events, with rotary positions (Su et al. 2021), then an MLP."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm, self.project, self.join = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, before: Tensor, mask: Tensor, rotation: Tensor) -> tuple[Tensor, Tensor]:
        """Run steps x (B, T, H) from keys and values (B, SPAN, 2H) of the events before.

        mask (B, 1, T, SPAN + T) is true where a step may attend; rotation (2, SPAN + T, H / HEADS / 2) holds cosines
        and sines.  Returns outputs (B, T, H), and keys and values (B, SPAN, 2H) of the last events.
        """
        query, key, value = self.project(self.norm(x)).chunk(3, dim=-1)
        both = torch.cat([before.to(key.dtype), torch.cat([key, value], dim=-1)], dim=1)
        key, value = both.chunk(2, dim=-1)
        # (B, T, H) -> (B, HEADS, T, H / HEADS)
        query, key, value = (part.unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in (query, key, value))
        found = functional.scaled_dot_product_attention(
            _rotated(query, rotation[:, -x.shape[1] :]), _rotated(key, rotation), value, attn_mask=mask
        )
        x = x + self.dropout(self.join(found.transpose(1, 2).flatten(2)))
        return x + self.dropout(self.mlp(x)), both[:, -SPAN:]


def _rotated(x: Tensor, rotation: Tensor) -> Tensor:
    """Rotate pairs of x (..., T, D) by the cosines and sines rotation (2, T, D / 2) of their positions."""
    first, second = x.chunk(2, dim=-1)
    cosine, sine = rotation.to(x.dtype)
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], dim=-1)


class TransformerDecoder(NoteDecoder):
    """A causal Transformer; `hidden` (L, B, SPAN, 2H) holds keys and values, `cell` (1, B, SPAN) which are valid.

    The state that the condition sets is the first key and value.  Keys and values of earlier windows are kept
    (Transformer-XL, Dai et al. 2019), so every event of a window attends to equally many previous ones.
    """

    def build_core(self, width: int) -> None:
        config = self.config
        self.blocks = nn.ModuleList(AttentionLayer(width, config.dropout) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width)

    def initial_state(self, condition: Tensor) -> DecoderState:
        first = torch.cat(super().initial_state(condition), dim=-1)[:, :, None]  # (L, B, 1, 2H)
        valid = first.new_ones(1, len(condition), 1)
        return DecoderState(functional.pad(first, (0, 0, SPAN - 1, 0)), functional.pad(valid, (SPAN - 1, 0)))

    def core(self, steps: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        batch, length, width = steps.shape
        place = torch.arange(SPAN + length, device=steps.device)
        valid = torch.cat([state.cell[0], state.cell.new_ones(batch, length)], dim=1)
        distance = place[SPAN:, None] - place
        mask = (distance >= 0) & (distance <= SPAN) & (valid > 0)[:, None, None]
        frequency = 10_000 ** (-torch.arange(0, width // HEADS, 2, device=steps.device) / (width // HEADS))
        angle = place[:, None] * frequency
        rotation, kept = torch.stack([angle.cos(), angle.sin()]), []
        for block, before in zip(self.blocks, state.hidden, strict=True):
            steps, memory = block(steps, before, mask, rotation)
            kept.append(memory)
        return self.norm(steps), DecoderState(torch.stack(kept), valid[None, :, -SPAN:])


class FieldsAloneTransformer(FieldsAlone, TransformerDecoder):
    """A causal Transformer that reads fields only."""
