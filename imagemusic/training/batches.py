"""The batch of any step, as a pure function of (seed, step): training can stop and go on to the same numbers.

    epoch:   every piece, as often as its corpus weighs, in random order, cut into windows of T events
             |piece a: w0 w1 w2|piece b: w0|piece c: w0 w1 ...
    streams: that row cut into B equal lengths; step s reads window s of each stream

A stream reads a piece's windows in turn, so the decoder's state is carried from step to step and starts afresh from
the condition at the first window of a piece.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imagemusic.data.pairing import Pictures
from imagemusic.data.prepared import PreparedPiece, PreparedSet
from imagemusic.errors import ConfigError, DataError
from imagemusic.events import context
from imagemusic.events.vocabulary import (
    DRUMS,
    FIELDS,
    METER,
    NO_PITCH,
    NO_PROGRAM,
    NO_VELOCITY,
    SEGMENT,
    SLOT,
    SLOTS,
    START,
    TEMPO,
)
from imagemusic.model.conditioning import ConditionLayout
from imagemusic.training.condition_sampler import ConditionSampler

BEFORE = (*FIELDS, "place", "bar", "program", "last_pitch", "chroma", "remaining")
TARGET = (*FIELDS, "place", "chroma", "program", "last_pitch", "last_duration", "last_velocity")
HEADER = (SLOT, METER, TEMPO)
SHARES = (
    "drop_condition", "piece_level", "noisy", "drop_embedding", "drop_ensemble", "drop_remaining", "drop_state",
    "velocity_dropout", "mismatch_prob", "content_swap_prob",
)  # fmt: skip
START_ROW = {"part": START, "program": NO_PROGRAM, "last_pitch": NO_PITCH}


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """How windows are drawn and what of the condition is hidden."""

    batch_size: int = 32
    window: int = 192
    corpus_weights: Mapping[str, float] = field(default_factory=dict)  # times a corpus is read in an epoch; default 1
    transpose: int = 5  # semitones up or down at most
    drop_condition: float = 0.1  # everything hidden: the null condition of guidance
    piece_level: float = (
        0.1  # share of pieces conditioned on the dials of the whole piece; see training/condition_sampler.py
    )
    noisy: float = 0.2  # share of pieces conditioned on what an encoder would predict
    drop_embedding: float = 0.25
    drop_ensemble: float = 0.3
    drop_remaining: float = 0.1
    drop_state: float = 0.0  # share of windows inside a piece that start from the condition, not from what came before
    header_weight: float = 1.0  # how much a row of the header counts: there are few, and they choose who plays
    velocity_dropout: float = 0.3  # loudness heard by the loss only, as where it is not known
    mismatch_prob: float = 0.15  # a picture that disagrees with the dials, which then win
    # Of the pictures paired by dials, those that lend their dials alone; see condition_sampler.py.
    content_swap_prob: float = 0.0
    pairing_temperature: float = 0.25

    def __post_init__(self) -> None:
        if min(self.batch_size, self.window) < 1 or not 0 <= self.transpose <= 12 or not self.pairing_temperature > 0:
            raise ConfigError("batch_size, window and pairing_temperature must be above 0, transpose in 0..12")
        for name in SHARES:
            if not 0 <= (share := getattr(self, name)) <= 1:
                raise ConfigError(f"{name} must be in 0..1, got {share}")
        if not 0 < self.header_weight < float("inf"):
            raise ConfigError(f"header_weight must be above 0 and finite, got {self.header_weight}")
        if self.drop_condition + self.piece_level + self.noisy > 1:
            raise ConfigError("drop_condition, piece_level and noisy are shares of the pieces: together at most 1")
        if not all(weight >= 0 for weight in self.corpus_weights.values()):
            raise ConfigError(f"corpus_weights must be 0 or more, got {dict(self.corpus_weights)}")


class Batch(NamedTuple):
    """B windows of T events."""

    before: dict[str, NDArray[np.int64]]  # (B, T) each: what the step reads
    target: dict[str, NDArray[np.int64]]  # (B, T) each: what it predicts, with the context that helps
    weights: dict[str, NDArray[np.float32]]  # (B, T) for each field: 1 where it counts
    condition: NDArray[np.float32]  # (B, S, C): S stretches of each window have conditions of their own
    fresh: NDArray[np.bool_]  # (B,): the state starts from the condition here
    pieces: list[str]


@dataclass(frozen=True, slots=True)
class _Epoch:
    piece: NDArray[np.int64]  # (W,) piece of each window
    window: NDArray[np.int64]  # (W,) its number in the piece
    shift: NDArray[np.int64]  # (P,) semitones
    givens: ConditionSampler
    hide_remaining: NDArray[np.bool_]  # (P,)
    velocity_dropout: NDArray[np.bool_]  # (P,)


class BatchSource:
    """Batches of one split of a prepared set."""

    def __init__(
        self,
        prepared: PreparedSet,
        pieces: tuple[PreparedPiece, ...],
        pictures: Pictures,
        layout: ConditionLayout,
        options: BatchOptions,
        seed: int,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        """Draw batches for process number share[0] of share[1]; each has streams of its own."""
        if not pieces:
            raise DataError("no piece to train on; prepare a corpus first")
        self.prepared, self.pieces, self.pictures = prepared, pieces, pictures
        self.layout, self.options, self.seed = layout, options, seed
        self.windows = np.array([-(-piece.rows // options.window) for piece in pieces])
        weights = np.array([options.corpus_weights.get(piece.corpus, 1.0) for piece in pieces])
        # Whole numbers of readings on average: floor plus a coin, so that every epoch has about the same length.
        self.weights = weights
        self._streams = options.batch_size * share[1]
        self._rows = np.arange(options.batch_size) + options.batch_size * share[0]
        self._epoch_steps = max(1, int(round((self.windows * weights).sum())) // self._streams)
        self._cached: tuple[int, _Epoch] | None = None

    @property
    def epoch_steps(self) -> int:
        """Steps in an epoch."""
        return self._epoch_steps

    def _epoch(self, number: int) -> _Epoch:
        if self._cached is None or self._cached[0] != number:
            self._cached = (number, self._plan(number))
        return self._cached[1]

    def _plan(self, number: int) -> _Epoch:
        options, count = self.options, len(self.pieces)
        rng = np.random.default_rng((self.seed, number))
        times = np.floor(self.weights).astype(int) + (rng.random(count) < self.weights % 1)
        order = rng.permutation(np.repeat(np.arange(count), times))
        piece = np.repeat(order, self.windows[order])
        window = np.concatenate([np.arange(self.windows[p]) for p in order])
        wanted = self._epoch_steps * self._streams
        piece, window = np.resize(piece, wanted), np.resize(window, wanted)

        shift = rng.integers(-options.transpose, options.transpose + 1, count)
        givens = ConditionSampler(
            self.prepared, self.pieces, self.pictures, self.layout, options, (self.seed, number, 1), shift
        )
        return _Epoch(
            piece, window, shift, givens,
            rng.random(count) < options.drop_remaining, rng.random(count) < options.velocity_dropout,
        )  # fmt: skip

    def batch(self, step: int) -> Batch:
        """Make the batch of a step, counted from 0 over all epochs."""
        number, place = divmod(step, self._epoch_steps)
        epoch = self._epoch(number)
        index = self._rows * self._epoch_steps + place
        chosen, windows = epoch.piece[index], epoch.window[index]
        parts = [self._window(epoch, p, w) for p, w in zip(chosen, windows, strict=True)]
        stack = [{key: np.stack([part[i][key] for part in parts]) for key in parts[0][i]} for i in range(3)]
        dropped = np.random.default_rng((self.seed, number, 2, place)).random(self._streams)[self._rows]
        length = self.options.window
        parts_of = length // SEGMENT if length % SEGMENT == 0 else 1  # else a window has the condition of its start
        rows = windows[:, None] * length + np.arange(parts_of) * (length // parts_of)
        rows = np.minimum(rows, np.array([self.pieces[p].rows - 1 for p in chosen])[:, None])
        return Batch(
            stack[0], stack[1], stack[2], epoch.givens.conditions(chosen, rows),
            (windows == 0) | (place == 0) | (dropped < self.options.drop_state), [self.pieces[p].id for p in chosen],
        )  # fmt: skip

    def _window(self, epoch: _Epoch, number: int, window: int) -> tuple[dict[str, NDArray], ...]:
        piece = self.pieces[number]
        before, target, weights = window_columns(
            self.prepared.rows[piece.start : piece.start + piece.rows], piece.end, window, self.options.window,
            shift=int(epoch.shift[number]), hide_remaining=bool(epoch.hide_remaining[number]),
            velocity_dropout=bool(epoch.velocity_dropout[number]),
        )  # fmt: skip
        emphasis = np.where(np.isin(target["part"], HEADER), self.options.header_weight, 1).astype(np.float32)
        return before, target, {name: weight * emphasis for name, weight in weights.items()}


def window_columns(
    rows: NDArray[np.void],
    end: int,
    window: int,
    length: int,
    *,
    shift: int = 0,
    hide_remaining: bool = False,
    velocity_dropout: bool = False,
) -> tuple[dict[str, NDArray], dict[str, NDArray], dict[str, NDArray]]:
    """Cut window number `window` of `length` events from the rows of a piece that ends at tick `end`.

    Returns the columns before, the target columns and the weights, (T,) each, padded with weight 0.
    """
    first = window * length
    target = rows[first : first + length]
    before = rows[max(first - 1, 0) : first + length - 1][: len(target)]
    padding = (0, length - len(target))
    columns = {name: target[name].astype(np.int64) for name in TARGET}
    past = {name: before[name].astype(np.int64) for name in BEFORE if name != "remaining"}
    ticks = before["tick"].astype(np.int64)
    if first == 0:
        past = {name: np.concatenate([[START_ROW.get(name, 0)], past[name]])[: len(target)] for name in past}
        ticks = np.concatenate([[0], ticks])[: len(target)]
    _transpose(columns, shift)
    _transpose(past, shift)
    past["remaining"] = np.zeros(len(ticks), np.int64) if hide_remaining else context.remaining_index(end - ticks)
    weights = field_weights(columns)
    if velocity_dropout:
        past["velocity"] = np.zeros_like(past["velocity"])
        columns["last_velocity"] = np.where(columns["last_velocity"] == NO_VELOCITY, NO_VELOCITY, 0)
    return tuple({k: np.pad(v, padding) for k, v in part.items()} for part in (past, columns, weights))  # type: ignore[return-value]


def field_weights(columns: Mapping[str, NDArray[np.int64]]) -> dict[str, NDArray[np.float32]]:
    """Say which fields of each event carry information: the others are implied or not known."""
    part, program = columns["part"], columns["program"]
    note = part < SLOTS
    valued = (columns["pitch"] > 0) & ((part == METER) | (part == TEMPO))
    slot = part == SLOT
    counts = {
        "gap": np.ones_like(part),
        "part": np.ones_like(part),
        "pitch": note | slot | valued,
        "duration": note & (program != DRUMS) | slot,
        "velocity": note & (columns["velocity"] > 0),
    }
    return {name: value.astype(np.float32) for name, value in counts.items()}


def _transpose(columns: dict[str, NDArray[np.int64]], shift: int) -> None:
    """Move pitches by `shift` semitones in place; drums and what is not a note stay."""
    if not shift:
        return
    moved = columns["program"] < DRUMS
    columns["pitch"] = np.where(moved, np.clip(columns["pitch"] + shift, 0, 127), columns["pitch"])
    known = moved & (columns["last_pitch"] < NO_PITCH)
    columns["last_pitch"] = np.where(known, np.clip(columns["last_pitch"] + shift, 0, 127), columns["last_pitch"])
    turn = shift % 12
    columns["chroma"] = (columns["chroma"] << turn | columns["chroma"] >> (12 - turn)) & 0xFFF
