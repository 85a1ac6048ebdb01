"""The batch of any step, as a pure function of (seed, step), so that training resumes to the same numbers.

    epoch:   all pieces, each as often as its corpus weighs, in random order, cut into windows of T events
             |piece a: w0 w1 w2|piece b: w0|piece c: w0 w1 ...
    streams: this sequence is cut into B equal lengths; step s reads window s of each stream

A stream reads the windows of a piece in order, so the decoder's state is carried over from step to step (truncated
backpropagation through time) and is reset to the condition's initial state at the first window of a piece.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from imagemusic.errors import DataError
from imagemusic.events import context
from imagemusic.events.memory.proposals import Proposals, propose
from imagemusic.events.vocabulary import (
    DRUMS,
    FIELDS,
    GAP,
    HEADER,
    METER,
    NO_PITCH,
    NO_PROGRAM,
    NO_VELOCITY,
    PITCH,
    SEGMENT,
    SLOT,
    SLOTS,
    START,
    TEMPO,
    VELOCITY,
)
from imagemusic.plan.columns import PlanColumns, plan_window
from imagemusic.training.condition_sampler import ConditionSampler, TrainingData
from imagemusic.training.settings import BatchOptions

BEFORE = (*FIELDS, "place", "bar", "program", "last_pitch", "chroma", "remaining")
TARGET = (*FIELDS, "place", "chroma", "program", "last_pitch", "last_duration", "last_velocity")
START_ROW = {"part": START, "program": NO_PROGRAM, "last_pitch": NO_PITCH}


class Batch(NamedTuple):
    """B windows of T events."""

    before: dict[str, NDArray[np.int64]]  # (B, T) by column: the input of each step
    target: dict[str, NDArray[np.int64]]  # (B, T) by column: the event to predict, with its context
    weights: dict[str, NDArray[np.float32]]  # (B, T) by field: weight in the loss
    condition: NDArray[np.float32]  # (B, S, C): one for each of the S segments of a window
    reset: NDArray[np.bool_]  # (B,): the state starts from the condition, it is not carried over
    pieces: list[str]  # ids


@dataclass(frozen=True, slots=True)
class _Epoch:
    piece: NDArray[np.int64]  # (W,) piece of each window
    window: NDArray[np.int64]  # (W,) its number within the piece
    shift: NDArray[np.int64]  # (P,) semitones
    conditions: ConditionSampler
    hide_remaining: NDArray[np.bool_]  # (P,)
    velocity_dropout: NDArray[np.bool_]  # (P,)
    drop_chords: NDArray[np.bool_]  # (P,)
    drop_answers: NDArray[np.bool_]  # (P,)


class MemoryConfig(Protocol):
    """The settings of a decoder, as far as they tell what it reads."""

    @property
    def memory(self) -> bool: ...


class HasMemory(Protocol):
    """A decoder, with a memory or without."""

    @property
    def config(self) -> MemoryConfig: ...


class _Told(NamedTuple):
    """What a decoder may read of a piece beside its events."""

    memory: Proposals | None
    plan: PlanColumns | None


class BatchSource:
    """Batches of one split of a prepared set."""

    def __init__(
        self,
        data: TrainingData,
        options: BatchOptions,
        seed: int,
        share: tuple[int, int] = (0, 1),
        *,
        memory: bool = False,
    ) -> None:
        """Sample batches for process number share[0] of share[1]; each process has streams of its own.

        memory: add the columns of a memory and a plan, for a decoder that reads them.

        Raises:
            DataError: there are no pieces.
        """
        if not data.pieces:
            raise DataError("no piece to train on; prepare a corpus first")
        self.data, self.options, self.seed, self.memory = data, options, seed, memory
        self.windows = np.array([-(-piece.rows // options.window) for piece in data.pieces])
        weights = np.array([options.corpus_weights.get(piece.corpus, 1.0) for piece in data.pieces])
        self.weights = weights  # readings in an epoch
        self._streams = options.batch_size * share[1]
        self._rows = np.arange(options.batch_size) + options.batch_size * share[0]
        self._epoch_steps = max(1, int(round((self.windows * weights).sum())) // self._streams)
        self._cached: tuple[int, _Epoch] | None = None
        self._told = lru_cache(maxsize=4 * options.batch_size)(self._tell)

    @property
    def epoch_steps(self) -> int:
        """Number of steps in an epoch."""
        return self._epoch_steps

    def _epoch(self, number: int) -> _Epoch:
        if self._cached is None or self._cached[0] != number:
            self._cached = (number, self._plan(number))
        return self._cached[1]

    def _plan(self, number: int) -> _Epoch:
        options, count = self.options, len(self.data.pieces)
        rng = np.random.default_rng((self.seed, number))
        # Fractions are rounded at random; epochs have about the same length, and on average the exact weights.
        times = np.floor(self.weights).astype(int) + (rng.random(count) < self.weights % 1)
        order = rng.permutation(np.repeat(np.arange(count), times))
        piece = np.repeat(order, self.windows[order])
        window = np.concatenate([np.arange(self.windows[p]) for p in order])
        total = self._epoch_steps * self._streams
        piece, window = np.resize(piece, total), np.resize(window, total)

        shift = rng.integers(-options.transpose, options.transpose + 1, count)
        conditions = ConditionSampler(self.data, options, (self.seed, number, 1), shift)
        return _Epoch(
            piece, window, shift, conditions,
            rng.random(count) < options.drop_remaining, rng.random(count) < options.velocity_dropout,
            rng.random(count) < options.drop_chords, rng.random(count) < options.drop_answers,
        )  # fmt: skip

    def batch(self, step: int) -> Batch:
        """Return the batch of a step, counted from 0 over all epochs."""
        number, place = divmod(step, self._epoch_steps)
        epoch = self._epoch(number)
        index = self._rows * self._epoch_steps + place
        chosen, windows = epoch.piece[index], epoch.window[index]
        parts = [self._window(epoch, p, w) for p, w in zip(chosen, windows, strict=True)]
        stack = [{key: np.stack([part[i][key] for part in parts]) for key in parts[0][i]} for i in range(3)]
        dropped = np.random.default_rng((self.seed, number, 2, place)).random(self._streams)[self._rows]
        length = self.options.window
        segments = length // SEGMENT if length % SEGMENT == 0 else 1  # else one condition, that of the window's start
        rows = windows[:, None] * length + np.arange(segments) * (length // segments)
        rows = np.minimum(rows, np.array([self.data.pieces[p].rows - 1 for p in chosen])[:, None])
        reset = (windows == 0) | (place == 0) | (dropped < self.options.drop_state)
        ids = [self.data.pieces[p].id for p in chosen]
        return Batch(stack[0], stack[1], stack[2], epoch.conditions.conditions(chosen, rows), reset, ids)

    def _tell(self, number: int, drop_chords: bool, drop_answers: bool) -> _Told:
        """Compute the memory and the plan of a whole piece."""
        if not self.memory:
            return _Told(None, None)
        piece = self.data.pieces[number]
        events = event_rows(self.data.prepared.rows[piece.start : piece.start + piece.rows])
        plan = None
        if piece.metrical and not (drop_chords and drop_answers):
            plan = PlanColumns.of(events, chords=not drop_chords, answers=not drop_answers)
        return _Told(propose(events, plan.answers if plan else None), plan)

    def _window(self, epoch: _Epoch, number: int, window: int) -> tuple[dict[str, NDArray], ...]:
        piece = self.data.pieces[number]
        before, target, weights = window_columns(
            self.data.prepared.rows[piece.start : piece.start + piece.rows], piece.end, window, self.options.window,
            shift=int(epoch.shift[number]), hide_remaining=bool(epoch.hide_remaining[number]),
            velocity_dropout=bool(epoch.velocity_dropout[number]),
            **self._told(number, bool(epoch.drop_chords[number]), bool(epoch.drop_answers[number]))._asdict(),
        )  # fmt: skip
        emphasis = np.where(np.isin(target["part"], HEADER), self.options.header_weight, 1).astype(np.float32)
        return before, target, {name: weight * emphasis for name, weight in weights.items()}


def event_rows(rows: NDArray[np.void]) -> NDArray[np.int64]:
    """Return the events (R, 5) of prepared rows (R,)."""
    return np.stack([rows[name] for name in FIELDS], axis=1).astype(np.int64)


def memory_of(rows: NDArray[np.void], decoder: HasMemory) -> Proposals | None:
    """Return the memory of a piece, prepared rows (R,), for a decoder that has one; None for others."""
    return propose(event_rows(rows)) if decoder.config.memory else None


def window_columns(
    rows: NDArray[np.void],
    end: int,
    window: int,
    length: int,
    *,
    shift: int = 0,
    hide_remaining: bool = False,
    velocity_dropout: bool = False,
    memory: Proposals | None = None,
    plan: PlanColumns | None = None,
) -> tuple[dict[str, NDArray], dict[str, NDArray], dict[str, NDArray]]:
    """Cut window number `window`, of T = `length` events, from the rows (R,) of a piece that ends at tick `end`.

    Returns the input columns, the target columns and the weights, (T,) each, padded with weight 0.  `shift` transposes
    by semitones; `hide_remaining` and `velocity_dropout` hide the remaining time and the velocities from the input.
    `memory`, the proposals for the whole piece, adds the columns that a decoder with a memory reads; `plan` is what the
    plan says of the piece, nothing by default.
    """
    first = window * length
    target = rows[first : first + length]
    before = rows[max(first - 1, 0) : first + length - 1][: len(target)]
    padding = (0, length - len(target))
    columns: dict[str, NDArray] = {name: target[name].astype(np.int64) for name in TARGET}
    past: dict[str, NDArray] = {name: before[name].astype(np.int64) for name in BEFORE if name != "remaining"}
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
    if memory is not None:
        past["memory_levels"] = memory.levels[first : first + length, GAP]
        columns |= _proposed(memory, slice(first, first + length), columns, shift, velocity_dropout)
    past |= plan_window(plan, slice(first, first + len(target)), len(target), shift, before=True)
    columns |= plan_window(plan, slice(first, first + len(target)), len(target), shift, before=False)
    return tuple({name: pad(v, padding) for name, v in part.items()} for part in (past, columns, weights))  # type: ignore[return-value]


def pad(values: NDArray, padding: tuple[int, int]) -> NDArray:
    """Pad the first axis with zeros."""
    return np.pad(values, [padding] + [(0, 0)] * (values.ndim - 1))


def _proposed(
    memory: Proposals, chosen: slice, columns: dict[str, NDArray[np.int64]], shift: int, velocity_dropout: bool
) -> dict[str, NDArray[np.uint8]]:
    """Return the columns of a memory: values and levels (T, fields, pointers)."""
    values, levels = memory.values[chosen].copy(), memory.levels[chosen].copy()
    if shift:
        moves = (columns["program"] < DRUMS)[:, None] & (levels[:, PITCH] > 0)
        moved = np.clip(values[:, PITCH].astype(np.int64) + shift, 0, 127)
        values[:, PITCH] = np.where(moves, moved, values[:, PITCH])
    if velocity_dropout:
        levels[:, VELOCITY] = 0
    return {"memory_values": values, "memory_levels": levels}


def field_weights(columns: Mapping[str, NDArray[np.int64]]) -> dict[str, NDArray[np.float32]]:
    """Return by field (N,) 1 for the events of columns (N,) in which it carries information, 0 where it is implied."""
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
    """Transpose the columns (T,) of pitched notes by `shift` semitones, in place."""
    if not shift:
        return
    is_pitched = columns["program"] < DRUMS
    columns["pitch"] = np.where(is_pitched, np.clip(columns["pitch"] + shift, 0, 127), columns["pitch"])
    known = is_pitched & (columns["last_pitch"] < NO_PITCH)
    columns["last_pitch"] = np.where(known, np.clip(columns["last_pitch"] + shift, 0, 127), columns["last_pitch"])
    rotation = shift % 12
    columns["chroma"] = (columns["chroma"] << rotation | columns["chroma"] >> (12 - rotation)) & 0xFFF
