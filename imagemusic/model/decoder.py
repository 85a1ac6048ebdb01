"""Condition to state to notes: the LSTM that writes one event a step.

    event i-1, its context, what is left ──► LSTM ──► hidden ──► gap ─► part ─► pitch ─► duration ─► velocity
    condition ──► first state, every step, every head            (event i: each field given the ones before it)

Within a step the fields are chosen one after the other (nested decoding, Ryu et al. 2024, arXiv:2408.01180).  Once a
field is chosen, more of the context is known: the gap tells the place in the bar, the part tells its last pitch.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from imagemusic.model.fields import CHROMA, FIELDS, INPUTS, INTERVALS, NO_INTERVAL, STAGES


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderConfig:
    """Shape of a `NoteDecoder`; saved in the checkpoint."""

    sizes: dict[str, int]  # vocabulary of every field and context column, and of `remaining`
    condition_size: int
    hidden_size: int = 512
    layers: int = 2
    head_size: int = 192
    condition_hidden: int = 256
    condition_every_step: bool = True  # False: the condition sets the first state only
    dropout: float = 0.1
    drums: int = 128  # program whose pitches are not pitches
    no_pitch: int = 128


class DecoderState(NamedTuple):
    """What the LSTM remembers between two events."""

    hidden: Tensor  # (L, B, H)
    cell: Tensor  # (L, B, H)


def interval_of(pitch: Tensor, last_pitch: Tensor, program: Tensor, config: DecoderConfig) -> Tensor:
    """Index of the step from the part's last pitch; NO_INTERVAL for drums, first notes and rows that are not notes."""
    index = (pitch - last_pitch).clamp(-24, 24) + 25
    return torch.where((program < config.drums) & (last_pitch < config.no_pitch), index, NO_INTERVAL)


def bits_of(chroma: Tensor) -> Tensor:
    """Spread 12-bit sets (...) over floats (..., 12)."""
    return (chroma[..., None] >> torch.arange(CHROMA, device=chroma.device) & 1).float()


class NoteDecoder(nn.Module):
    """Predict every field of the next event from the events so far and a condition."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        hidden, head = config.hidden_size, config.head_size
        sizes = config.sizes | {"interval": INTERVALS}
        self.inputs = nn.ModuleDict(
            {name: nn.Linear(CHROMA, hidden, bias=False) if name == "chroma" else nn.Embedding(sizes[name], hidden)
             for name in INPUTS}
        )  # fmt: skip
        self.condition = nn.Linear(config.condition_size, config.condition_hidden)
        self.to_hidden = nn.Linear(config.condition_hidden, config.layers * hidden)
        self.to_cell = nn.Linear(config.condition_hidden, config.layers * hidden)
        self.to_input = nn.Linear(config.condition_hidden, hidden)
        self.lstm = nn.LSTM(
            hidden, hidden, config.layers, batch_first=True, dropout=config.dropout if config.layers > 1 else 0.0
        )
        self.dropout = nn.Dropout(config.dropout)
        self.to_heads = nn.Linear(hidden, len(FIELDS) * head)
        self.condition_to_heads = nn.Linear(config.condition_hidden, len(FIELDS) * head)
        self.known = nn.ModuleDict()
        for stage, names in enumerate(STAGES):
            width = (len(FIELDS) - 1 - stage) * head  # one share for each head still to come
            for name in names:
                is_set = name == "chroma"
                self.known[name] = nn.Linear(CHROMA, width, bias=False) if is_set else nn.Embedding(sizes[name], width)
        self.heads = nn.ModuleDict({name: nn.Linear(head, sizes[name]) for name in FIELDS})
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.3)
        for layer in range(config.layers):
            # Remember at first: a forget gate that starts half shut hides everything older than a few events
            # (Jozefowicz, Zaremba & Sutskever 2015).
            nn.init.constant_(getattr(self.lstm, f"bias_ih_l{layer}")[hidden : 2 * hidden], 1.0)

    def initial_state(self, condition: Tensor) -> DecoderState:
        """Turn conditions (B, C) into the state before the first event."""
        seen = self.condition(condition).relu()
        shape = (len(condition), self.config.layers, self.config.hidden_size)
        # (B, L, H) -> (L, B, H)
        hidden = self.to_hidden(seen).tanh().view(shape).transpose(0, 1).contiguous()
        cell = self.to_cell(seen).view(shape).transpose(0, 1).contiguous()
        return DecoderState(hidden, cell)

    def reminders(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Turn conditions (B, C) into what every step (B, H) and every head (B, 5K) is told; zeros when that is off."""
        if not self.config.condition_every_step:
            batch, width = len(condition), len(FIELDS) * self.config.head_size
            return condition.new_zeros(batch, self.config.hidden_size), condition.new_zeros(batch, width)
        seen = self.condition(condition).relu()
        return self.to_input(seen), self.condition_to_heads(seen)

    def forward(self, before: dict[str, Tensor], condition: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """Read the events before (each column (B, T)); return what the heads start from, (B, T, 5K), and the state
        after the last."""
        columns = before | {
            "interval": interval_of(before["pitch"], before["last_pitch"], before["program"], self.config)
        }
        to_step, to_heads = self.reminders(condition)
        step = to_step[:, None]
        for name in INPUTS:
            step = step + self.inputs[name](bits_of(columns[name]) if name == "chroma" else columns[name])
        outputs, (hidden, cell) = self.lstm(self.dropout(step), tuple(state))
        return self.to_heads(self.dropout(outputs)) + to_heads[:, None], DecoderState(hidden, cell)

    def logits(self, heads: Tensor, event: dict[str, Tensor]) -> dict[str, Tensor]:
        """Score every field (B, T, V) of the events (columns (B, T)), each given the fields before it."""
        scores = {}
        for stage, name in enumerate(FIELDS):
            scores[name] = self.heads[name](heads[..., : self.config.head_size].relu())
            if stage < len(STAGES):
                heads = heads[..., self.config.head_size :]
                for known in STAGES[stage]:
                    column = event[known]
                    heads = heads + self.known[known](bits_of(column) if known == "chroma" else column)
        return scores

    def loss(
        self, heads: Tensor, event: dict[str, Tensor], weights: dict[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Sum weighted nats and count right guesses per field, over the events whose weight (B, T) is not 0."""
        nats, right = {}, {}
        for name, score in self.logits(heads, event).items():
            chosen = weights[name].bool()
            score, target = score[chosen].float(), event[name][chosen]
            nats[name] = (functional.cross_entropy(score, target, reduction="none") * weights[name][chosen]).sum()
            right[name] = (score.argmax(-1) == target).sum()
        return nats, right
