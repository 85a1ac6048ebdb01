"""The decoder: an LSTM that predicts one event per step, given a condition.

    event i-1, its context, what is left ──► LSTM ──► hidden ──► gap ─► part ─► pitch ─► duration ─► velocity
    condition ──► first state, every step, every head            (event i: each field given the ones before it)

Within a step the fields are decoded one after the other (nested decoding, Ryu et al. 2024, arXiv:2408.01180).  Each
decoded field adds to the context of the next ones: the gap gives the place in the bar, the part gives its last pitch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from imagemusic.events.vocabulary import (
    DRUMS,
    FIELDS,
    GAP,
    HEADER_KINDS,
    INPUTS,
    INTERVALS,
    NO_PITCH,
    PITCH_CLASSES,
    PLAN_SIZES,
    STAGES,
    interval_indices,
)
from imagemusic.model.memory import MemoryHeads
from imagemusic.model.residual import ResidualLSTM


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderConfig:
    """Shape of a `NoteDecoder`; saved in the checkpoint."""

    sizes: dict[str, int]  # number of values of every field and context column, see events/vocabulary.py
    condition_size: int
    hidden_size: int = 512
    layers: int = 2
    head_size: int = 192
    condition_hidden: int = 256
    condition_every_step: bool = True  # False: the condition sets the first state only
    condition_scales: bool = False  # the condition scales the inputs of the heads (FiLM), it does not only shift them
    residual: bool = False  # residual LSTM layers, see residual.py
    dropout: float = 0.1
    event_dropout: float = 0.0  # share of steps whose event is dropped in training; the condition remains
    memory: bool = False  # reads pointers into the notes so far and a plan of the bars, see memory.py
    first_header: int = 16  # the first of the HEADER_KINDS values of `part` that mark rows of the header

    @classmethod
    def from_json(cls, table: Mapping[str, Any]) -> "DecoderConfig":
        """Read the `decoder` table of a checkpoint, also with `forget_events`, the old name of `event_dropout`.

        Raises:
            TypeError: a value is missing or not known.
        """
        constants = {"drums": DRUMS, "no_pitch": NO_PITCH}  # were saved before 0.2
        for name, value in constants.items():
            if table.get(name, value) != value:
                raise TypeError(f"{name} must be {value}, got {table[name]}")
        renamed = {"forget_events": "event_dropout"}
        return cls(**{renamed.get(name, name): value for name, value in table.items() if name not in constants})


class DecoderState(NamedTuple):
    """State of the LSTM between two events."""

    hidden: Tensor  # (L, B, H)
    cell: Tensor  # (L, B, H)


def multi_hot(chroma: Tensor) -> Tensor:
    """Unpack 12-bit sets (...) to floats (..., 12), 0 or 1."""
    return (chroma[..., None] >> torch.arange(PITCH_CLASSES, device=chroma.device) & 1).float()


def header_kind(part: Tensor, config: DecoderConfig) -> Tensor:
    """Return (...) for values of `part` (...): 1 to HEADER_KINDS for rows of the header, else 0."""
    kind = part - config.first_header + 1
    return torch.where((kind >= 1) & (kind <= HEADER_KINDS), kind, 0)


def column_layer(name: str, size: int, width: int) -> nn.Module:
    """Return the layer that maps a column to vectors (..., width): an embedding, or a matrix for pitch-class sets."""
    return nn.Linear(PITCH_CLASSES, width, bias=False) if name == "chroma" else nn.Embedding(size, width)


class NoteDecoder(nn.Module):
    """Predict every field of the next event from the events so far and a condition."""

    reads: ClassVar[tuple[str, ...]] = INPUTS  # columns of the event before
    stages: ClassVar[tuple[tuple[str, ...], ...]] = STAGES  # columns known after each field

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        hidden, head = config.hidden_size, config.head_size
        pitches = config.sizes["pitch"] * (1 + HEADER_KINDS)
        sizes = config.sizes | {"interval": INTERVALS, "pitch": pitches}
        self.inputs = nn.ModuleDict({name: column_layer(name, sizes[name], hidden) for name in self.reads})
        self.condition = nn.Linear(config.condition_size, config.condition_hidden)
        self.to_hidden = nn.Linear(config.condition_hidden, config.layers * hidden)
        self.to_cell = nn.Linear(config.condition_hidden, config.layers * hidden)
        self.to_input = nn.Linear(config.condition_hidden, hidden)
        self.build_core(hidden)
        self.dropout = nn.Dropout(config.dropout)
        self.to_heads = nn.Linear(hidden, len(FIELDS) * head)
        terms = 2 if config.condition_scales else 1  # shift and scale, or shift
        self.condition_to_heads = nn.Linear(config.condition_hidden, terms * len(FIELDS) * head)
        self.known = nn.ModuleDict()
        for stage, names in enumerate(self.stages):
            width = (len(FIELDS) - 1 - stage) * head  # one share for each head still to come
            for name in names:
                self.known[name] = column_layer(name, sizes[name], width)
        self.heads = nn.ModuleDict({name: nn.Linear(head, sizes[name]) for name in FIELDS})
        if config.memory:
            self.memory = MemoryHeads(config.sizes, hidden, head)
            width = (len(FIELDS) - 1) * head
            self.plan_inputs = nn.ModuleDict({name: nn.Embedding(size, hidden) for name, size in PLAN_SIZES.items()})
            self.plan_known = nn.ModuleDict({name: nn.Embedding(size, width) for name, size in PLAN_SIZES.items()})
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.3)
        if config.memory:
            self.memory.reset()
            for parameter in (*self.plan_inputs.parameters(), *self.plan_known.parameters()):
                nn.init.zeros_(parameter)

    def build_core(self, width: int) -> None:
        """Build the recurrent layers, which map steps (B, T, width) to outputs (B, T, H); see `core`."""
        config, hidden = self.config, self.config.hidden_size
        self.lstm: nn.LSTM
        if config.residual:
            self.lstm = ResidualLSTM(hidden, config.layers, config.dropout)
        else:
            dropout = config.dropout if config.layers > 1 else 0.0
            self.lstm = nn.LSTM(width, hidden, config.layers, batch_first=True, dropout=dropout)
        for layer in range(config.layers):
            # Bias of the forget gate 1: at 0 the layer forgets within a few events
            # (Jozefowicz, Zaremba & Sutskever 2015).
            nn.init.constant_(getattr(self.lstm, f"bias_ih_l{layer}")[hidden : 2 * hidden], 1.0)

    def core(self, steps: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """Run steps (B, T, width) from a state; return outputs (B, T, H) and the state after the last."""
        outputs, (hidden, cell) = self.lstm(steps, tuple(state))
        return outputs, DecoderState(hidden, cell)

    def initial_state(self, condition: Tensor) -> DecoderState:
        """Compute the state before the first event from conditions (B, C)."""
        features = functional.silu(self.condition(condition))
        shape = (len(condition), self.config.layers, self.config.hidden_size)
        # (B, L, H) -> (L, B, H)
        hidden = self.to_hidden(features).tanh().view(shape).transpose(0, 1).contiguous()
        cell = self.to_cell(features).view(shape).transpose(0, 1).contiguous()
        return DecoderState(hidden, cell)

    def condition_terms(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the terms of conditions (..., C) for every step, (..., H), and for the heads.

        Those of the heads are shifts (..., 5K), or shifts and scales (..., 10K).  All are 0 without
        `condition_every_step`.
        """
        if not self.config.condition_every_step:
            shape, width = condition.shape[:-1], self.condition_to_heads.out_features
            return condition.new_zeros(*shape, self.config.hidden_size), condition.new_zeros(*shape, width)
        features = functional.silu(self.condition(condition))
        return self.to_input(features), self.condition_to_heads(features)

    def _pitch_row(self, columns: dict[str, Tensor]) -> Tensor:
        """Return the row (B, T) of each pitch in the pitch embedding, which has rows for every kind of header row."""
        return columns["pitch"] + self.config.sizes["pitch"] * header_kind(columns["part"], self.config)

    def forward(self, before: dict[str, Tensor], condition: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """Compute the inputs of the heads, (B, T, 5K), and the state after the last event.

        before: columns (B, T) of the events before; condition (B, C), or (B, S, C) with one for each of S segments of
        equal length.
        """
        interval = interval_indices(before["pitch"], before["last_pitch"], before["program"])
        columns = before | {"interval": interval, "pitch": self._pitch_row(before)}
        length = before["part"].shape[1]
        condition_terms = self.condition_terms(condition if condition.dim() == 3 else condition[:, None])
        # Expanding, unlike repeat_interleave, has gradients that add up in the same order each time.
        to_step, to_heads = (
            terms[:, :, None].expand(-1, -1, length // terms.shape[1], -1).flatten(1, 2) for terms in condition_terms
        )
        step = torch.stack(
            [self.inputs[name](multi_hot(columns[name]) if name == "chroma" else columns[name]) for name in self.reads]
        ).sum(0)
        if self.config.memory:
            step = step + self.memory.step_terms(before["memory_levels"])
            for name in PLAN_SIZES:
                step = step + self.plan_inputs[name](before[name])
        if self.training and self.config.event_dropout:
            # A decoder that always reads the previous notes learns to ignore the condition (Bowman et al. 2016,
            # arXiv:1511.06349, who drop words for the same reason).
            kept = torch.rand(step.shape[:2], device=step.device) >= self.config.event_dropout
            step = step * kept[..., None]
        outputs, state = self.core(self.dropout(self.condition_step(step, to_step)), state)
        return self.condition_heads(self.to_heads(self.dropout(outputs)), to_heads), state

    def condition_step(self, step: Tensor, terms: Tensor) -> Tensor:
        """Add the terms of the condition (B, T, H) to steps (B, T, H)."""
        return step + terms

    def condition_heads(self, heads: Tensor, terms: Tensor) -> Tensor:
        """Apply `condition_terms` to heads (B, T, 5K): FiLM (Perez et al. 2018, arXiv:1709.07871), or a sum."""
        if not self.config.condition_scales:
            return heads + terms
        shift, scale = terms.chunk(2, dim=-1)
        return heads * (1 + scale) + shift

    def logits(self, heads: Tensor, event: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute the logits (B, T, V) of every field of events, columns (B, T), each given the fields before it.

        With a memory they are log-probabilities: softmax leaves them as they are.
        """
        scores = {}
        columns = event | {"pitch": self._pitch_row(event)}
        for stage, name in enumerate(FIELDS):
            hidden = heads[..., : self.config.head_size]
            if self.config.memory:
                proposed = event["memory_values"][:, :, stage], event["memory_levels"][:, :, stage]
                hidden = hidden + self.memory.head_terms(name, *proposed)
            hidden = hidden.relu()
            scores[name] = self._pitch_scores(hidden, event["part"]) if name == "pitch" else self.heads[name](hidden)
            if self.config.memory:
                scores[name] = self.memory.mix(name, hidden, scores[name], *proposed)
            if stage < len(self.stages):
                heads = heads[..., self.config.head_size :]
                for known in self.stages[stage]:
                    column = columns[known]
                    heads = heads + self.known[known](multi_hot(column) if known == "chroma" else column)
                for table in PLAN_SIZES if self.config.memory and stage == GAP else ():
                    heads = heads + self.plan_known[table](event[table])
        return scores

    def _pitch_scores(self, hidden: Tensor, part: Tensor) -> Tensor:
        """Compute the logits (B, T, 129) of pitches, or of the value of a header row; hidden (B, T, K), part (B, T)."""
        head, size = self.heads["pitch"], self.config.sizes["pitch"]
        assert isinstance(head, nn.Linear)
        kind = header_kind(part, self.config)
        scores = functional.linear(hidden, head.weight[:size], head.bias[:size])
        declares = kind > 0
        if declares.any():  # few rows do, so only they pay for all kinds
            every = head(hidden[declares]).unflatten(-1, (1 + HEADER_KINDS, size))
            scores = scores.masked_scatter(
                declares[..., None], every[torch.arange(len(every)), kind[declares]].to(scores.dtype)
            )
        return scores

    def loss(
        self, heads: Tensor, event: dict[str, Tensor], weights: dict[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Sum the weighted negative log-likelihood in nats and count the correct predictions, by field.

        heads (B, T, 5K); event and weights are columns (B, T).  Events of weight 0 are not counted.
        """
        nats, correct = {}, {}
        for name, score in self.logits(heads, event).items():
            chosen = weights[name].bool()
            score, target = score[chosen].float(), event[name][chosen]
            nats[name] = (functional.cross_entropy(score, target, reduction="none") * weights[name][chosen]).sum()
            correct[name] = (score.argmax(-1) == target).sum()
        return nats, correct
