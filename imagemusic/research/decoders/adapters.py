"""Adapters of the benchmark's nets: one interface for note events and for tokens.

loss(step, state)    the loss of the next batch, the state to carry over, and the number of notes in the batch
nats(pieces)         the negative log-likelihood of each piece
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from imagemusic.data.prepared import PreparedPiece
from imagemusic.events.vocabulary import SLOTS
from imagemusic.model.decoder import DecoderState, NoteDecoder
from imagemusic.research.decoders.auxiliary_losses import (
    AUXILIARY,
    CONTRAST,
    DialPredictingDecoder,
    contrastive_loss,
    shifted_conditions,
    window_nats,
)
from imagemusic.research.decoders.benchmark import Benchmark
from imagemusic.research.decoders.token_decoder import IGNORED, TokenDecoder, TokenSource, TokenState, token_nats
from imagemusic.research.decoders.tokens import Tokens
from imagemusic.research.decoders.variants import Variant, fitting_width
from imagemusic.training.batches import BatchSource
from imagemusic.training.condition_sampler import TrainingData
from imagemusic.training.evaluation import piece_nats, to_tensors

SAMPLE_PIECES = 40  # on which the number of tokens per note is measured


class Adapter(Protocol):
    """A net with its batches."""

    width: int
    rate: float  # of its learning rate to that of all variants

    @property
    def net(self) -> nn.Module: ...

    def loss(self, step: int, carried_state: list[Tensor]) -> tuple[Tensor, list[Tensor], int]: ...

    def nats(self, pieces: Sequence[PreparedPiece]) -> dict[str, float]: ...

    def position(self) -> dict[str, Any]: ...

    def go_to(self, position: dict[str, Any]) -> None: ...


def make_adapter(benchmark: Benchmark, variant: Variant, *, parameters: int, seed: int) -> Adapter:
    """Make a variant of about `parameters` parameters, with the initial weights and the batches of a seed."""
    width = fitting_width(partial(variant.make, benchmark), parameters)
    torch.manual_seed(seed)
    net = variant.make(benchmark, width)
    if isinstance(net, NoteDecoder):
        return NoteAdapter(benchmark, net, width, variant, seed)
    assert isinstance(net, TokenDecoder)
    return TokenAdapter(benchmark, net, width, variant, seed)


class NoteAdapter:
    """A decoder of note events, trained as `DecoderTraining` does."""

    def __init__(self, benchmark: Benchmark, net: NoteDecoder, width: int, variant: Variant, seed: int) -> None:
        self.benchmark, self.net, self.width = benchmark, net, width
        self.rate, self.auxiliary = variant.rate, variant.auxiliary
        data = TrainingData(benchmark.prepared, benchmark.training, benchmark.pictures, benchmark.layout)
        self.source = BatchSource(data, variant.batches(benchmark), seed)

    def loss(self, step: int, carried_state: list[Tensor]) -> tuple[Tensor, list[Tensor], int]:
        """Compute the loss (a scalar) of a step's batch; also return the states after it and its number of notes."""
        batch = self.source.batch(step)
        before, target, weights = (to_tensors(part) for part in (batch.before, batch.target, batch.weights))
        condition, reset = torch.from_numpy(batch.condition), torch.from_numpy(batch.reset)
        state = DecoderState(*_carry_over(self.net.initial_state(condition[:, 0]), carried_state, reset))
        heads, after = self.net(before, condition, state)
        nats, _ = self.net.loss(heads, target, weights)
        loss = torch.stack(list(nats.values())).sum() / weights["gap"].sum()
        if self.auxiliary == AUXILIARY:
            assert isinstance(self.net, DialPredictingDecoder)
            loss = loss + self.net.dial_loss(condition, weights["gap"], self.benchmark.layout)
        elif self.auxiliary == CONTRAST:
            other = shifted_conditions(condition)
            state = DecoderState(*_carry_over(self.net.initial_state(other[:, 0]), carried_state, reset))
            negative, _ = self.net(before, other, state)
            loss = loss + contrastive_loss(*(window_nats(self.net, one, target, weights) for one in (heads, negative)))
        notes = int(((target["part"] < SLOTS) & (weights["gap"] > 0)).sum())
        return loss, [part.detach().float() for part in after], notes

    def nats(self, pieces: Sequence[PreparedPiece]) -> dict[str, float]:
        """Return the nats of pieces by id."""
        scored = piece_nats(self.net, self.benchmark.prepared, pieces)
        return {piece.id: sum(by_field.values()) for piece, by_field, _ in scored}

    def position(self) -> dict[str, Any]:
        """Return where the batches are: a batch is a function of its step."""
        return {}

    def go_to(self, position: dict[str, Any]) -> None:
        """Do nothing: a batch is a function of its step."""


class TokenAdapter:
    """An LSTM over tokens; its windows hold about as many notes as those of note events."""

    def __init__(self, benchmark: Benchmark, net: TokenDecoder, width: int, variant: Variant, seed: int) -> None:
        self.benchmark, self.net, self.width, self.rate = benchmark, net, width, variant.rate
        self.tokens = benchmark.tokens[variant.tokens]
        options = benchmark.unconditional
        sample = benchmark.training[:: max(1, len(benchmark.training) // SAMPLE_PIECES)]
        self.tokens_per_row = sum(len(self.tokenize(p)) for p in sample) / sum(p.rows for p in sample)
        weights = np.array([options.corpus_weights.get(piece.corpus, 1.0) for piece in benchmark.training])
        self.source = TokenSource(
            benchmark.training, weights, self.tokenize, self.tokens.start, options.batch_size,
            round(options.window * self.tokens_per_row), options.transpose, seed,
        )  # fmt: skip

    def tokenize(self, piece: PreparedPiece, shift: int = 0) -> Tokens:
        """Return the tokens (N,) of a piece, transposed by `shift` semitones."""
        return self.tokens.encode(self.benchmark.prepared.events(piece), shift)

    def loss(self, step: int, carried_state: list[Tensor]) -> tuple[Tensor, list[Tensor], int]:
        """Compute the loss (a scalar) of the next batch; also return the states after it and its number of notes."""
        batch = self.source.batch()
        initial = self.net.initial_state(len(batch.reset))
        logits, after = self.net(batch.before, TokenState(*_carry_over(initial, carried_state, batch.reset)))
        loss = functional.cross_entropy(logits.float().flatten(0, 1), batch.target.flatten(), ignore_index=IGNORED)
        return loss, [part.detach().float() for part in after], batch.notes

    def nats(self, pieces: Sequence[PreparedPiece]) -> dict[str, float]:
        """Return the nats of pieces by id."""
        scored = token_nats(self.net, [self.tokenize(piece) for piece in pieces], self.tokens.start)
        return {pieces[number].id: nats for number, nats in scored}

    def position(self) -> dict[str, Any]:
        """Return where the batches are, to resume from."""
        return self.source.position

    def go_to(self, position: dict[str, Any]) -> None:
        """Resume the batches from a position."""
        self.source.position = position


def _carry_over(initial: Sequence[Tensor], carried_state: list[Tensor], reset: Tensor) -> list[Tensor]:
    """Return the carried states, each (L, B, ...), with the initial ones where reset (B,) is set."""
    if not carried_state:
        return list(initial)
    return [
        torch.where(reset.view(1, -1, *(1,) * (new.dim() - 2)), new.float(), carried)
        for new, carried in zip(initial, carried_state, strict=True)
    ]
