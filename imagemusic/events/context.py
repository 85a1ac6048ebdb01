"""What the events so far imply about the next one: place in the bar, sounding notes, the part's last note.

The decoder is fed these beside the events themselves, so that it need not count beats or remember who plays what.
`context` computes them for a whole piece at once, for training; `Running` keeps them up to date while composing.
Both give the same numbers.
"""

from dataclasses import dataclass, field
from math import ceil, log2
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imagemusic.events.codec import Events
from imagemusic.events.quantize import TICKS_PER_BEAT
from imagemusic.events.vocabulary import (
    BAR,
    BARS,
    CHROMA,
    CONTEXT,
    DRUMS,
    DURATION,
    GAP,
    LAST_DURATION,
    LAST_PITCH,
    LAST_VELOCITY,
    MAX_DURATION,
    METER,
    METERS,
    NO_DURATION,
    NO_PITCH,
    NO_PROGRAM,
    NO_VELOCITY,
    PART,
    PITCH,
    PLACE,
    PLACES,
    PROGRAM,
    REMAINING_SIZE,
    SLOT,
    SLOTS,
    VELOCITY,
)

COMMON_BAR = 4 * TICKS_PER_BEAT  # where the meter is not known


def remaining_index(ticks: NDArray[np.integer]) -> NDArray[np.int64]:
    """Say how much is left to play, (N,) ticks, in 63 steps that widen from half a beat to a third of an octave."""
    beats = np.maximum(ticks, 0) / TICKS_PER_BEAT
    near = np.ceil(beats * 2)  # 0..16: half beats up to 8 beats
    middle = 16 + np.ceil((beats - 8) / 2)  # ..28: two beats up to 32
    far = 28 + np.ceil(np.log2(np.maximum(beats, 32) / 32) * 3)
    index = np.where(beats <= 8, near, np.where(beats <= 32, middle, far))
    return 1 + np.minimum(index, REMAINING_SIZE - 2).astype(np.int64)


def remaining_of(ticks: int) -> int:
    """Say the same of one number of ticks; a few times quicker than an array of one."""
    if ticks <= 8 * TICKS_PER_BEAT:
        step = -(-2 * max(ticks, 0) // TICKS_PER_BEAT)
    elif ticks <= 32 * TICKS_PER_BEAT:
        step = 16 - (8 * TICKS_PER_BEAT - ticks) // (2 * TICKS_PER_BEAT)
    else:
        step = 28 + ceil(log2(ticks / TICKS_PER_BEAT / 32) * 3)
    return 1 + min(step, REMAINING_SIZE - 2)


def place_of(ticks: NDArray[np.integer] | int, bar: NDArray[np.integer] | int) -> NDArray[np.int64]:
    """Fold ticks since the bar grid began, and the bar's length in ticks, into 0..PLACES-1."""
    position = np.asarray(ticks) % bar
    return np.where(position < PLACES, position, 96 + (position - 96) % 96)


def bar_ticks(meter: int) -> int:
    """Length of a bar of meter index `meter`, in ticks."""
    if not 1 <= meter <= len(METERS):
        return COMMON_BAR
    numerator, denominator = METERS[meter - 1]
    return numerator * 4 * TICKS_PER_BEAT // denominator


def context(events: Events) -> NDArray[np.uint16]:
    """Compute the context (N, 7) of every row of `events` (N, 5)."""
    rows = np.asarray(events, np.int64)
    ticks, parts = np.cumsum(rows[:, GAP]), rows[:, PART]
    result = np.empty((len(rows), len(CONTEXT)), np.uint16)

    starts = np.flatnonzero(parts == METER)
    run = np.searchsorted(starts, np.arange(len(rows)), side="left") - 1  # a METER row counts from the next row on
    bars = np.array([bar_ticks(value) for value in rows[starts, PITCH]] or [COMMON_BAR])
    origin = np.where(run >= 0, ticks[starts[run]] if len(starts) else 0, 0)
    bar = np.where(run >= 0, bars[run], COMMON_BAR)
    result[:, PLACE] = place_of(ticks - origin, bar)
    result[:, BAR] = (ticks - origin) // bar % BARS

    programs = np.append(rows[parts == SLOT, PITCH], [NO_PROGRAM] * (SLOTS + 1))[:SLOTS]
    is_note = parts < SLOTS
    result[:, PROGRAM] = np.where(is_note, programs[np.minimum(parts, SLOTS - 1)], NO_PROGRAM)

    order = np.argsort(parts, kind="stable")
    order = order[is_note[order]]
    same = parts[order[1:]] == parts[order[:-1]]
    before = np.full(len(rows), -1)
    before[order[1:][same]] = order[:-1][same]
    for column, source, nothing in (
        (LAST_PITCH, PITCH, NO_PITCH),
        (LAST_DURATION, DURATION, NO_DURATION),
        (LAST_VELOCITY, VELOCITY, NO_VELOCITY),
    ):
        result[:, column] = np.where(before >= 0, rows[before, source], nothing)

    result[:, CHROMA] = _sounding(rows, ticks, is_note & (result[:, PROGRAM] != DRUMS))
    return result


def _sounding(rows: NDArray[np.int64], ticks: NDArray[np.int64], pitched: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Pitch classes that sound at each row's tick, of the rows before it, as 12 bits."""
    offsets = ticks + np.minimum(rows[:, DURATION] + 1, MAX_DURATION)
    bits = np.zeros(len(rows), np.int64)
    for pitch_class in range(12):
        chosen = pitched & (rows[:, PITCH] % 12 == pitch_class)
        started = np.cumsum(chosen) - chosen
        ended = np.searchsorted(np.sort(offsets[chosen]), ticks, side="right")
        bits |= (started > ended).astype(np.int64) << pitch_class
    return bits


class AddedNote(NamedTuple):
    """A note that was appended to a piece in the making."""

    tick: int
    part: int
    program: int  # DRUMS for drums
    pitch: int
    ticks: int  # of this row; a held note goes on in a later row
    velocity: int  # MIDI; 0 where the codec does not know it
    is_tied: bool  # it only prolongs a held note of its part and pitch


@dataclass(slots=True)
class Running:
    """The context of a piece that is being written, one event at a time."""

    tick: int = 0
    programs: list[int] = field(default_factory=list)  # of the slots declared so far
    origin: int = 0  # tick at which the bar grid began
    bar: int = COMMON_BAR
    last: dict[int, tuple[int, int, int]] = field(default_factory=dict)  # part -> pitch, duration, velocity
    sounding: list[tuple[int, int]] = field(default_factory=list)  # (offset, pitch) of pitched notes

    def place(self, tick: int) -> int:
        """Place in the bar of `tick`."""
        position = (tick - self.origin) % self.bar
        return position if position < PLACES else 96 + (position - 96) % 96

    def starts_half_bar(self, tick: int) -> bool:
        """Whether a half of a bar starts at `tick`."""
        return (tick - self.origin) % self.bar in (0, self.bar // 2)

    def bar_number(self, tick: int) -> int:
        """Bars since the meter changed, modulo BARS."""
        return (tick - self.origin) // self.bar % BARS

    def chroma(self, tick: int) -> int:
        """Pitch classes still sounding at `tick`, as 12 bits."""
        bits = 0
        for offset, pitch in self.sounding:
            if offset > tick:
                bits |= 1 << pitch % 12
        return bits

    def program(self, part: int) -> int:
        """Program of a part; NO_PROGRAM for rows that are not notes."""
        return self.programs[part] if part < len(self.programs) else NO_PROGRAM

    def last_note(self, part: int) -> tuple[int, int, int]:
        """Pitch, duration index and velocity index of the note that a part played last."""
        return self.last.get(part, (NO_PITCH, NO_DURATION, NO_VELOCITY))

    def add(self, event: tuple[int, int, int, int, int]) -> None:
        """Take in one event."""
        gap, part, pitch, duration, velocity = event
        self.tick += gap
        if gap:
            self.sounding = [note for note in self.sounding if note[0] > self.tick]
        if part == SLOT:
            self.programs.append(pitch)
        elif part == METER:
            self.origin, self.bar = self.tick, bar_ticks(pitch)
        elif part < SLOTS:
            self.last[part] = (pitch, duration, velocity)
            if self.programs[part] != DRUMS:
                self.sounding.append((self.tick + min(duration + 1, MAX_DURATION), pitch))
