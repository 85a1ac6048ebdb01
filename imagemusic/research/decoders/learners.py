"""A variant of the bench, ready to be trained and scored: what note events and tokens have in common.

loss(step, state)    the loss of the next batch, the state to carry on, and how many notes were seen
nats(pieces)         what each piece costs
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
from imagemusic.research.decoders.aims import (
    AUXILIARY,
    CONTRAST,
    TellingDecoder,
    contrast,
    others_conditions,
    window_nats,
)
from imagemusic.research.decoders.bench import Bench
from imagemusic.research.decoders.token_decoder import IGNORED, TokenDecoder, TokenSource, TokenState, token_nats
from imagemusic.research.decoders.tokens import Tokens
from imagemusic.research.decoders.variants import Variant, fitting_width
from imagemusic.training.batches import BatchSource
from imagemusic.training.evaluation import piece_nats, to_tensors

TRIAL_PIECES = 40  # by which tokens a note are counted


class Learner(Protocol):
    """A net with its batches."""

    width: int
    rate: float  # of learning, times that of all variants

    @property
    def net(self) -> nn.Module: ...

    def loss(self, step: int, carried: list[Tensor]) -> tuple[Tensor, list[Tensor], int]: ...

    def nats(self, pieces: Sequence[PreparedPiece]) -> dict[str, float]: ...

    def position(self) -> dict[str, Any]: ...

    def go_to(self, position: dict[str, Any]) -> None: ...


def make_learner(bench: Bench, variant: Variant, *, parameters: int, seed: int) -> Learner:
    """Make a variant of about so many parameters, with the first weights and the batches of a seed."""
    width = fitting_width(partial(variant.make, bench), parameters)
    torch.manual_seed(seed)
    net = variant.make(bench, width)
    if isinstance(net, NoteDecoder):
        return NoteLearner(bench, net, width, variant, seed)
    assert isinstance(net, TokenDecoder)
    return TokenLearner(bench, net, width, variant, seed)


class NoteLearner:
    """A decoder of note events, trained as `NoteTraining` does."""

    def __init__(self, bench: Bench, net: NoteDecoder, width: int, variant: Variant, seed: int) -> None:
        self.bench, self.net, self.width, self.rate, self.aim = bench, net, width, variant.rate, variant.aim
        options = variant.batches(bench)
        self.source = BatchSource(bench.prepared, bench.training, bench.pictures, bench.layout, options, seed)

    def loss(self, step: int, carried: list[Tensor]) -> tuple[Tensor, list[Tensor], int]:
        batch = self.source.batch(step)
        before, target, weights = (to_tensors(part) for part in (batch.before, batch.target, batch.weights))
        condition = torch.from_numpy(batch.condition)
        first = self.net.initial_state(condition[:, 0])
        state = DecoderState(*_carried(first, carried, torch.from_numpy(batch.fresh)))
        heads, after = self.net(before, condition, state)
        nats, _ = self.net.loss(heads, target, weights)
        loss = torch.stack(list(nats.values())).sum() / weights["gap"].sum()
        if self.aim == AUXILIARY:
            assert isinstance(self.net, TellingDecoder)
            loss = loss + self.net.guess_error(condition, weights["gap"], self.bench.layout)
        elif self.aim == CONTRAST:
            other = others_conditions(condition)
            begun = _carried(self.net.initial_state(other[:, 0]), carried, torch.from_numpy(batch.fresh))
            wrong, _ = self.net(before, other, DecoderState(*begun))
            costs = (window_nats(self.net, one, target, weights) for one in (heads, wrong))
            loss = loss + contrast(*costs)
        notes = int(((target["part"] < SLOTS) & (weights["gap"] > 0)).sum())
        return loss, [part.detach().float() for part in after], notes

    def nats(self, pieces: Sequence[PreparedPiece]) -> dict[str, float]:
        scored = piece_nats(self.net, self.bench.prepared, pieces)
        return {piece.id: sum(by_field.values()) for piece, by_field, _ in scored}

    def position(self) -> dict[str, Any]:
        return {}  # a batch is a function of its step

    def go_to(self, position: dict[str, Any]) -> None:
        pass


class TokenLearner:
    """An LSTM over tokens; its windows hold about as many notes as those of note events."""

    def __init__(self, bench: Bench, net: TokenDecoder, width: int, variant: Variant, seed: int) -> None:
        self.bench, self.net, self.width, self.rate = bench, net, width, variant.rate
        self.tokens = bench.tokens[variant.tokens]
        trial = bench.training[:: max(1, len(bench.training) // TRIAL_PIECES)]
        self.tokens_per_row = sum(len(self.spell(p)) for p in trial) / sum(p.rows for p in trial)
        weights = np.array([bench.unconditional.corpus_weights.get(piece.corpus, 1.0) for piece in bench.training])
        self.source = TokenSource(
            bench.training, weights, self.spell, self.tokens.start, bench.unconditional.batch_size,
            round(bench.unconditional.window * self.tokens_per_row), bench.unconditional.transpose, seed,
        )  # fmt: skip

    def spell(self, piece: PreparedPiece, shift: int = 0) -> Tokens:
        return self.tokens.encode(self.bench.prepared.events(piece), shift)

    def loss(self, step: int, carried: list[Tensor]) -> tuple[Tensor, list[Tensor], int]:
        batch = self.source.batch()
        state = TokenState(*_carried(self.net.initial_state(len(batch.fresh)), carried, batch.fresh))
        scores, after = self.net(batch.before, state)
        loss = functional.cross_entropy(scores.float().flatten(0, 1), batch.target.flatten(), ignore_index=IGNORED)
        return loss, [part.detach().float() for part in after], batch.notes

    def nats(self, pieces: Sequence[PreparedPiece]) -> dict[str, float]:
        scored = token_nats(self.net, [self.spell(piece) for piece in pieces], self.tokens.start)
        return {pieces[number].id: nats for number, nats in scored}

    def position(self) -> dict[str, Any]:
        return self.source.position

    def go_to(self, position: dict[str, Any]) -> None:
        self.source.position = position


def _carried(first: Sequence[Tensor], carried: list[Tensor], fresh: Tensor) -> list[Tensor]:
    """Take up the carried states, and afresh where a piece begins; the batch is the second axis."""
    if not carried:
        return list(first)
    return [
        torch.where(fresh.view(1, -1, *(1,) * (new.dim() - 2)), new.float(), old)
        for new, old in zip(first, carried, strict=True)
    ]
