"""A plain LSTM over tokens, its batches, and the likelihood of pieces under it.

pieces in random order ──> B streams, each reads one piece after the other, W tokens a step
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from imagemusic.data.prepared import PreparedPiece
from imagemusic.research.decoders.tokens import Tokens

IGNORED = -100  # target where a stream has nothing to predict
Tokenize = Callable[[PreparedPiece, int], Tokens]  # of a piece, transposed by semitones


class TokenState(NamedTuple):
    """State of the LSTM between two tokens."""

    hidden: Tensor  # (L, B, H)
    cell: Tensor  # (L, B, H)


class TokenDecoder(nn.Module):
    """Predict the next token from those so far; input and output embeddings are tied (Press & Wolf 2017)."""

    def __init__(self, size: int, hidden_size: int, layers: int = 2, dropout: float = 0.0) -> None:
        super().__init__()
        self.hidden_size, self.layers = hidden_size, layers
        self.embedding = nn.Embedding(size, hidden_size)
        self.lstm = nn.LSTM(hidden_size, hidden_size, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.dropout = nn.Dropout(dropout)
        self.bias = nn.Parameter(torch.zeros(size))
        nn.init.normal_(self.embedding.weight, std=hidden_size**-0.5)
        for layer in range(layers):  # bias of the forget gate, as in `NoteDecoder`
            nn.init.constant_(getattr(self.lstm, f"bias_ih_l{layer}")[hidden_size : 2 * hidden_size], 1.0)

    def initial_state(self, batch: int) -> TokenState:
        """Return the state before the first token of B pieces."""
        zeros = self.bias.new_zeros(self.layers, batch, self.hidden_size)
        return TokenState(zeros, zeros)

    def forward(self, tokens: Tensor, state: TokenState) -> tuple[Tensor, TokenState]:
        """Read tokens (B, T) from a state; return the logits (B, T, V) of the next ones and the last state."""
        # The output embedding starts small, so that the softmax starts flat; the input is scaled up for the LSTM.
        steps = self.embedding(tokens) * self.hidden_size**0.5 * 0.3
        outputs, (hidden, cell) = self.lstm(self.dropout(steps), tuple(state))
        return functional.linear(self.dropout(outputs), self.embedding.weight, self.bias), TokenState(hidden, cell)


class TokenBatch(NamedTuple):
    """B windows of W tokens."""

    before: Tensor  # (B, W)
    target: Tensor  # (B, W), IGNORED after a piece has ended
    reset: Tensor  # (B,) whether the window begins a piece
    notes: int


@dataclass
class TokenSource:
    """Batches of tokens, one after the other, from `position` on, which can be saved and set."""

    pieces: Sequence[PreparedPiece]
    weights: NDArray[np.float64]  # (P,) times a piece is read in an epoch
    tokenize: Tokenize
    start: int  # the token before the first
    batch_size: int
    window: int
    transpose: int
    seed: int
    position: dict[str, Any] = field(default_factory=lambda: {"read": 0, "streams": []})

    def __post_init__(self) -> None:
        self._epoch: tuple[int, NDArray[np.int64], NDArray[np.int64]] | None = None
        self._tokenized: dict[tuple[int, int], Tokens] = {}

    def _piece(self, read: int) -> tuple[int, int]:
        """Return the number of the piece to read after `read` others, and its shift, in the order of `BatchSource`."""
        number = 0
        while True:
            if self._epoch is None or self._epoch[0] != number:
                rng = np.random.default_rng((self.seed, number))
                times = np.floor(self.weights).astype(int) + (rng.random(len(self.pieces)) < self.weights % 1)
                order = rng.permutation(np.repeat(np.arange(len(self.pieces)), times))
                shift = rng.integers(-self.transpose, self.transpose + 1, len(self.pieces))
                self._epoch = (number, order, shift)
            _, order, shift = self._epoch
            if read < len(order):
                return int(order[read]), int(shift[order[read]])
            read, number = read - len(order), number + 1

    def batch(self) -> TokenBatch:
        """Return the next batch."""
        before = np.full((self.batch_size, self.window), self.start)
        target = np.full((self.batch_size, self.window), IGNORED)
        reset, notes = np.zeros(self.batch_size, bool), 0.0
        streams = self.position["streams"] or [None] * self.batch_size
        for row in range(self.batch_size):
            if streams[row] is None:
                streams[row] = [*self._piece(self.position["read"]), 0]
                self.position["read"] += 1
                reset[row] = True
            piece, shift, first = streams[row]
            key = (piece, shift)
            if key not in self._tokenized:
                self._tokenized[key] = self.tokenize(self.pieces[piece], shift)
            tokens = self._tokenized[key]
            part = tokens[first : first + self.window]
            target[row, : len(part)] = part
            before[row, : len(part)] = np.concatenate([[self.start], tokens])[first : first + len(part)]
            notes += self.pieces[piece].notes * len(part) / len(tokens)
            streams[row] = [piece, shift, first + self.window]
            if first + self.window >= len(tokens):
                streams[row] = None
                del self._tokenized[key]
        self.position["streams"] = streams
        return TokenBatch(torch.from_numpy(before), torch.from_numpy(target), torch.from_numpy(reset), round(notes))


@torch.no_grad()
def token_nats(
    decoder: TokenDecoder, pieces: Sequence[Tokens], start: int, *, batch_size: int = 32, window: int = 512
) -> Iterator[tuple[int, float]]:
    """Yield the number and the nats of every piece, given as tokens (N,); `start` is the token before the first."""
    decoder.eval()
    order = sorted(range(len(pieces)), key=lambda i: len(pieces[i]))
    for begin in range(0, len(order), batch_size):
        chosen = order[begin : begin + batch_size]
        length = len(pieces[chosen[-1]])
        target = np.full((len(chosen), length), IGNORED)
        for row, i in enumerate(chosen):
            target[row, : len(pieces[i])] = pieces[i]
        before = np.concatenate([np.full((len(chosen), 1), start), np.maximum(target[:, :-1], 0)], axis=1)
        state, nats = decoder.initial_state(len(chosen)), np.zeros(len(chosen))
        for first in range(0, length, window):
            part = slice(first, first + window)
            scores, state = decoder(torch.from_numpy(before[:, part]), state)
            wanted = torch.from_numpy(target[:, part])
            nats_of_tokens = functional.cross_entropy(scores.float().flatten(0, 1), wanted.flatten(), reduction="none")
            nats += nats_of_tokens.view(wanted.shape).sum(1).double().numpy()
        yield from zip(chosen, nats.tolist(), strict=True)
