"""The probability of the next frame of 88 keys: one LSTM over time, shared by all keys.

    the frame before, relative to key k ─┐
    pitch classes, copied frame ─────────┼─► LSTM over time ─► hidden ─┬─► independent ────► p(key k | frames before)
    height of key k ─────────────────────┘                             └─► autoregressive ─► p(key k | ..., lower keys)
                                        lower keys of this frame ──────────┘

All inputs are relative to the key, as intervals, so the net is invariant to transposition (tied-parallel networks:
Johnson 2017, "Generating polyphonic music using tied parallel networks").  The autoregressive head reads a frame from
low to high as NADE does (Larochelle & Murray 2011), by the intervals down from key k.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from imagemusic.research.pianoroll.data import KEYS, Batch

HEIGHTS = 9  # interpolated steps of 11 keys
COUNTS = 6  # largest number of lower keys that is counted
BITS = 4  # of the number of the frame
NEAR = 9  # features of the key itself, which the heads read too
BEFORE = 12 + 12 + 3 + HEIGHTS + BITS  # features of the frames before, beside the neighbouring keys
BELOW = 12 + COUNTS + 3  # features of the lower keys, beside those just below

State = tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class RollConfig:
    """Shape of a `RollLSTM`."""

    hidden_size: int = 96
    head_size: int = 96
    window: int = 24  # neighbouring keys to each side
    dropout: float = 0.2
    copies: bool = True  # whether the copied frame is an input


class RollLSTM(nn.Module):
    """An LSTM over time, whose weights all keys share, with two heads."""

    def __init__(self, config: RollConfig) -> None:
        super().__init__()
        self.config = config
        size = config.head_size
        self.lstm = nn.LSTM(NEAR + 2 * config.window + 1 + BEFORE, config.hidden_size)
        self.shared = nn.Linear(config.hidden_size + NEAR, 2 * size)
        self.lower = nn.Linear(config.window + BELOW, size, bias=False)
        self.independent = nn.Linear(size, 1)
        self.autoregressive = nn.Sequential(nn.Linear(size, size // 2), nn.SiLU(), nn.Linear(size // 2, 1))

    def forward(self, batch: Batch, piece: Tensor, key: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Compute logits (2, T, R), independent and autoregressive, of keys (R,) of pieces (R,) in every frame.

        Also returns the state, hidden and cell (1, R, H), after the last frame.
        """
        if not self.config.copies:
            nothing = torch.zeros_like(batch.frames)
            batch = batch._replace(copied=nothing, matched=nothing[..., 0])
        near = self._near(batch, piece, key)
        hidden, state = self.lstm(torch.cat([near, self._before(batch, piece, key)], -1), state)
        known = self.shared(torch.cat([self._drop(hidden), near.to(hidden.dtype)], -1))
        alone, given = known.chunk(2, -1)
        given = given + self.lower(self._below(batch, piece, key))
        logits = self.independent(functional.silu(alone)), self.autoregressive(functional.silu(given))
        return torch.stack(logits)[..., 0], state

    def _drop(self, hidden: Tensor) -> Tensor:
        """Drop the same units in all frames: Gal & Ghahramani 2016, arXiv:1512.05287."""
        return hidden * functional.dropout(torch.ones_like(hidden[:1]), self.config.dropout, self.training)

    def _near(self, batch: Batch, piece: Tensor, key: Tensor) -> Tensor:
        """Return features (T, R, NEAR) of the key itself: whether it sounded, and the copied frame there."""
        copied, matched = _around(batch.copied, piece, key, 1, 1), batch.matched.T[:, piece, None]
        here, found, length = copied[..., 1:2], matched.clamp(max=1), matched.log1p() / 3
        first = (batch.place.T[:, piece, None] == 0).to(length.dtype)
        sounding = batch.sounding.transpose(0, 1)[:, piece, key, None]
        return torch.cat([copied, found, length, here * length, (found - here) * length, sounding, first], -1)

    def _before(self, batch: Batch, piece: Tensor, key: Tensor) -> Tensor:
        """Return features (T, R, 2 W + 1 + BEFORE) of the frames before, relative to the key."""
        sounding = batch.sounding
        lower, total = _count_below(sounding, piece, key), sounding.sum(-1).T[:, piece]
        height = (1 - (key[:, None] / (KEYS / (HEIGHTS - 1)) - torch.arange(HEIGHTS)).abs()).clamp(min=0)
        bits = (batch.place.long().T[:, piece, None] >> torch.arange(BITS)) & 1
        return torch.cat(
            [
                _around(sounding, piece, key, self.config.window, self.config.window),
                _rotated(_by_octave(sounding).sum(-2), piece, key),
                _rotated(batch.chroma, piece, key),
                torch.stack([lower, total - lower, total], -1) / 4,
                height.to(sounding.dtype).expand(len(bits), -1, -1),
                bits.to(sounding.dtype),
            ],
            -1,
        )

    def _below(self, batch: Batch, piece: Tensor, key: Tensor) -> Tensor:
        """Return features (T, R, W + BELOW) of the lower keys of the frame itself, relative to the key."""
        frames = batch.frames
        octaves = _by_octave(frames).cumsum(-2).flatten(-2)[..., :KEYS]  # a key and those of its pitch class below
        count = _count_below(frames, piece, key)
        unlike = [_count_below((other - frames).abs(), piece, key) for other in (batch.copied, batch.sounding)]
        return torch.cat(
            [
                _around(frames, piece, key, self.config.window, -1),
                _around(octaves, piece, key, 12, -1),
                (count[..., None] > torch.arange(COUNTS)).to(frames.dtype),
                torch.stack([count, *unlike], -1) / 4,
            ],
            -1,
        )


def _around(frames: Tensor, piece: Tensor, key: Tensor, down: int, up: int) -> Tensor:
    """Cut keys key - down .. key + up out of frames (B, T, 88): (T, R, down + up + 1)."""
    views = functional.pad(frames, (down, max(up, 0))).unfold(-1, down + up + 1, 1)
    return views.transpose(0, 1)[:, piece, key]  # (B, T, 88, W) -> (T, R, W)


def _count_below(frames: Tensor, piece: Tensor, key: Tensor) -> Tensor:
    """Count what is set below the key in frames (B, T, 88): (T, R)."""
    return (frames.cumsum(-1) - frames).transpose(0, 1)[:, piece, key]


def _by_octave(frames: Tensor) -> Tensor:
    """Fold keys (B, T, 88) into octaves (B, T, 8, 12)."""
    return functional.pad(frames, (0, -KEYS % 12)).unflatten(-1, (-1, 12))


def _rotated(chroma: Tensor, piece: Tensor, key: Tensor) -> Tensor:
    """Rotate pitch classes (B, T, 12) to begin at that of the key: (T, R, 12)."""
    return torch.cat([chroma, chroma], -1).unfold(-1, 12, 1).transpose(0, 1)[:, piece, key % 12]
