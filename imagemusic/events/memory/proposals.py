"""The proposals of all pointers for every event of a whole piece, for training.

`RunningMemory` (running.py) gives the same numbers, one event after another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imagemusic.events.context import COMMON_BAR, bar_ticks
from imagemusic.events.memory.pointers import (
    ANSWER,
    BARS_BACK,
    BROKEN,
    DRUM_OFFSET,
    EXACT,
    HITS,
    INTERVAL_OFFSET,
    LENGTHS,
    MIX_1,
    MIX_2,
    MIX_3,
    NO_INTERVAL,
    NO_IOI,
    NOTHING,
    PART_LENGTHS,
    PART_LINE,
    PITCH_RANGE,
    POINTERS,
    POWERS,
    TERM_RANGE,
    TICK_KEY,
    TRANSPOSED,
    TRANSPOSED_LENGTHS,
    BarAnswers,
    ladder_steps,
)
from imagemusic.events.vocabulary import (
    DRUMS,
    DURATION,
    FIELDS,
    GAP,
    MAX_GAP,
    METER,
    PART,
    PITCH,
    REST,
    SLOT,
    SLOTS,
    VELOCITY,
)

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]


class Proposals(NamedTuple):
    """What every pointer proposes for every field of N events."""

    values: NDArray[np.uint8]  # (N, fields, pointers); NOTHING where it proposes none
    levels: NDArray[np.uint8]  # (N, fields, pointers); 0 where it proposes nothing


@dataclass(slots=True)
class _Notes:
    """The notes (M,) of a piece, sorted by tick, part and pitch."""

    tick: Ints
    part: Ints
    pitch: Ints
    duration: Ints
    velocity: Ints
    key: Ints
    is_pitched: NDArray[np.bool_]


def propose(rows: NDArray[np.integer], answers: BarAnswers | None = None) -> Proposals:
    """Return what the pointers propose for the events `rows` (N, 5) of a piece, each from the events before it."""
    return _Piece(np.asarray(rows, np.int64), answers).proposals()


class _Piece:
    """A piece and the notes before each of its events."""

    def __init__(self, rows: Ints, answers: BarAnswers | None) -> None:
        self.rows, self.answers = rows, answers
        self.gap, self.part, self.pitch = rows[:, GAP], rows[:, PART], rows[:, PITCH]
        self.tick = np.cumsum(self.gap)
        self.is_note = self.part < SLOTS
        self.past: Ints = np.cumsum(self.is_note) - self.is_note  # (N,) notes before each event
        self.now = np.concatenate([[0], self.tick[:-1]])  # (N,) tick of the event before
        chosen = rows[self.is_note]
        tick, drums = self.tick[self.is_note], np.flatnonzero(rows[self.part == SLOT, PITCH] == DRUMS)
        key = (tick * SLOTS + chosen[:, PART]) * PITCH_RANGE + chosen[:, PITCH]
        self.notes = _Notes(
            tick, chosen[:, PART], chosen[:, PITCH], chosen[:, DURATION], chosen[:, VELOCITY], key,
            ~np.isin(chosen[:, PART], drums),
        )  # fmt: skip
        shape = len(rows), len(FIELDS), len(POINTERS)
        self.values, self.levels = np.full(shape, NOTHING, np.uint8), np.zeros(shape, np.uint8)
        # Keys below which no note may be proposed: those of the event before and of what came with it.
        before = np.concatenate([[0], self.part[:-1]])
        floor = self.now * TICK_KEY
        floor[1:] += np.where(self.is_note[:-1], self.part[:-1] * PITCH_RANGE + self.pitch[:-1] + 1, 0)
        self.floor = floor + np.where(before == REST, TICK_KEY, 0)
        same = self.gap == 0
        self.after_gap = np.where(same, self.floor, self.tick * TICK_KEY)
        line = self.tick * TICK_KEY + np.minimum(self.part, SLOTS - 1) * PITCH_RANGE
        self.after_part = np.maximum(line, np.where(same, self.floor, 0))
        self.event_key = line + self.pitch

    def proposals(self) -> Proposals:
        """Compute all proposals."""
        if len(self.notes.tick):
            bar = self._bar_lengths()
            for pointer, bars in BARS_BACK.items():
                lag = np.where(self.now >= bars * bar, bars * bar, 0)
                self._place(pointer, *self._first_after(self.floor, lag), lag)
            if self.answers is not None and len(self.answers.shifts):
                self._answer(self.answers)
            self._match(EXACT, LENGTHS, self._exact_terms(), None)
            last = self._last_pitches()
            self._match(TRANSPOSED, TRANSPOSED_LENGTHS, self._interval_terms(last), last)
            self._part_lines()
        return Proposals(self.values, self.levels)

    def _bar_lengths(self) -> Ints:
        """Length (N,) of the bar before each event, in ticks."""
        starts = np.flatnonzero(self.part == METER)
        run = np.searchsorted(starts, np.arange(len(self.rows)), side="left") - 1
        lengths = np.array([bar_ticks(value) for value in self.pitch[starts].tolist()] or [COMMON_BAR])
        return np.where(run >= 0, lengths[np.maximum(run, 0)], COMMON_BAR)

    # Places

    def _first_after(self, keys: Ints, lag: Ints) -> tuple[Ints, NDArray[np.bool_]]:
        """Find the first note (N,) at or after keys (N,) less a lag in ticks, and whether it was played already."""
        found = np.searchsorted(self.notes.key, keys - lag * TICK_KEY)
        return np.minimum(found, len(self.notes.key) - 1), (found < self.past) & (lag > 0)

    def _place(self, pointer: int, first: Ints, known: NDArray[np.bool_], lag: Ints, later: Ints | None = None) -> None:
        """Fill in a pointer to places: `first` (N,) notes before the gap is chosen, `lag` (N,) ticks back.

        later: (N,) the lag once the gap is chosen, where it is another.
        """
        notes = self.notes
        wait = notes.tick[first] + lag - self.now
        known = known & (wait >= 0)
        hits = known & (notes.key[first] + lag * TICK_KEY == self.event_key) & self.is_note
        right = np.concatenate([[0], np.cumsum(hits[self.is_note])])
        level = 1 + right[self.past] - right[np.maximum(self.past - HITS, 0)]
        self._write(pointer, GAP, known, np.minimum(wait, MAX_GAP), level)
        lag = lag if later is None else later
        second, found = self._first_after(self.after_gap, lag)
        here = found & (notes.tick[second] + lag == self.tick)
        waits = found & (self.gap == MAX_GAP) & (notes.tick[second] + lag > self.tick)
        broken = np.where(known & (second == first), 0, BROKEN)
        self._write(pointer, PART, here | waits, np.where(here, notes.part[second], REST), level + broken)
        third, found = self._first_after(self.after_part, lag)
        here = found & (notes.tick[third] + lag == self.tick) & (notes.part[third] == self.part) & self.is_note
        broken = np.where(known & (third == first), 0, BROKEN)
        self._write(pointer, PITCH, here, notes.pitch[third], level + broken)
        fourth, found = self._first_after(self.event_key, lag)
        same = found & (notes.key[fourth] + lag * TICK_KEY == self.event_key) & self.is_note
        source = np.where(same, fourth, third)
        broken = np.where(same & known & (fourth == first), 0, BROKEN)
        for field, values in ((DURATION, notes.duration), (VELOCITY, notes.velocity)):
            self._write(pointer, field, same | here, values[source], level + broken)

    def _answer(self, answers: BarAnswers) -> None:
        """Fill in the pointer to the bars that the plan names."""
        bar, count = answers.bar_of(self.now), len(answers.shifts)
        lag = answers.shifts[bar]
        first, known = self._first_after(self.floor, lag)
        end = answers.starts[bar + 1]
        over = known & (self.notes.tick[first] + lag >= end)  # the rest of the answered bar is empty
        following = np.where(bar + 1 < count, answers.shifts[np.minimum(bar + 1, count - 1)], 0)
        other, played = self._first_after(end * TICK_KEY, following)
        first, known = np.where(over, other, first), np.where(over, played, known)
        self._place(ANSWER, first, known, np.where(over, following, lag), answers.shifts[answers.bar_of(self.tick)])

    # Matches

    def _exact_terms(self) -> Hashes:
        notes = self.notes
        return _mix((np.diff(notes.tick, prepend=notes.tick[:1]) * SLOTS + notes.part) * TERM_RANGE + notes.pitch)

    def _last_pitches(self) -> Ints:
        """Return the pitch (M,) of the last pitched note up to each note; -1 where there is none."""
        notes = self.notes
        latest = np.maximum.accumulate(np.where(notes.is_pitched, np.arange(len(notes.tick)), -1))
        return np.where(latest >= 0, notes.pitch[latest], -1)

    def _interval_terms(self, last: Ints) -> Hashes:
        notes = self.notes
        before = np.concatenate([[-1], last[:-1]])
        interval = np.where(before >= 0, notes.pitch - before + INTERVAL_OFFSET, NO_INTERVAL)
        value = np.where(notes.is_pitched, interval, DRUM_OFFSET + notes.pitch)
        return _mix((np.diff(notes.tick, prepend=notes.tick[:1]) * SLOTS + notes.part) * TERM_RANGE + value)

    def _match(self, pointer: int, lengths: Sequence[int], terms: Hashes, last: Ints | None) -> None:
        """Fill in a pointer to the note after the longest match; `last` pitches where matches may be transposed."""
        notes, count = self.notes, len(terms)
        found, rank = np.full(count, -1), np.zeros(count, np.int64)  # of the latest match, for each last note
        for number, (length, hashes) in enumerate(_ladder(terms, lengths), 1):
            matched = _latest_equal(hashes, np.arange(count) >= length - 1)
            found, rank = np.where(matched >= 0, matched, found), np.where(matched >= 0, number, rank)
        recent = np.maximum(self.past - 1, 0)
        match, level = found[recent], rank[recent]
        target = match + 1
        wait = notes.tick[target] - notes.tick[np.maximum(match, 0)] - (self.now - notes.tick[recent])
        rested = np.concatenate([[False], self.part[:-1] == REST])
        known = (self.past > 0) & (match >= 0) & (wait >= rested)
        pitch, allowed = notes.pitch[target], np.ones(len(match), bool)
        if last is not None:
            moved = pitch + np.where(notes.is_pitched[target], last[recent] - last[np.maximum(match, 0)], 0)
            allowed, pitch = (moved >= 0) & (moved < PITCH_RANGE - 1), moved
        self._write(pointer, GAP, known, np.minimum(wait, MAX_GAP), level)
        in_time = np.where(wait > MAX_GAP, self.gap == MAX_GAP, self.gap == wait)
        part = np.where(wait > MAX_GAP, REST, notes.part[target])
        self._write(pointer, PART, known, part, level + np.where(in_time, 0, BROKEN))
        known = known & self.is_note & (part == self.part)
        self._write(pointer, PITCH, known & allowed, pitch, level + np.where(in_time, 0, BROKEN))
        level = level + np.where(in_time & (pitch == self.pitch), 0, BROKEN)
        for field, values in ((DURATION, notes.duration), (VELOCITY, notes.velocity)):
            self._write(pointer, field, known, values[target], level)

    def _part_lines(self) -> None:
        """Fill in the pointer to the longest match in the part's own line."""
        notes = self.notes
        order = np.argsort(notes.part, kind="stable")
        part, tick, pitch = notes.part[order], notes.tick[order], notes.pitch[order]
        is_first = np.concatenate([[True], part[1:] != part[:-1]])
        rank = np.arange(len(order)) - np.maximum.accumulate(np.where(is_first, np.arange(len(order)), 0))
        ioi = np.where(is_first, NO_IOI, np.diff(tick, prepend=0))
        terms = _mix((ioi * SLOTS + part) * TERM_RANGE + pitch)
        found, level = np.full(len(order), -1), np.zeros(len(order), np.int64)
        for number, (length, hashes) in enumerate(_ladder(terms, PART_LENGTHS), 1):
            context = np.concatenate([np.zeros(1, np.uint64), hashes[:-1]]) * np.uint64(POWERS[1])
            context += ioi.astype(np.uint64) * np.uint64(MIX_3)
            matched = _latest_equal(context, rank >= length)
            found, level = np.where(matched >= 0, matched, found), np.where(matched >= 0, number, level)
        events = np.flatnonzero(self.is_note)[order]
        known = np.flatnonzero(found >= 0)
        source, events, level = order[found[known]], events[known], level[known]
        self.values[events, PITCH, PART_LINE], self.levels[events, PITCH, PART_LINE] = notes.pitch[source], level
        level = level + np.where(notes.pitch[source] == self.pitch[events], 0, BROKEN)
        for field, values in ((DURATION, notes.duration), (VELOCITY, notes.velocity)):
            self.values[events, field, PART_LINE] = values[source]
            self.levels[events, field, PART_LINE] = level

    def _write(self, pointer: int, field: int, known: NDArray[np.bool_], values: Ints, levels: Ints) -> None:
        self.values[known, field, pointer] = values[known]
        self.levels[known, field, pointer] = levels[known]


def _mix(values: Ints) -> Hashes:
    """Mix numbers (M,) as `pointers.mix` does."""
    mixed = values.astype(np.uint64) * np.uint64(MIX_1)
    mixed = (mixed ^ mixed >> np.uint64(29)) * np.uint64(MIX_2)
    return mixed ^ mixed >> np.uint64(32)


def _ladder(terms: Hashes, lengths: Sequence[int]) -> list[tuple[int, Hashes]]:
    """Hash the last notes up to each of M notes, for every length of a ladder: length, hashes (M,)."""
    hashes = {1: terms}
    for length, near, far in ladder_steps(max(lengths)):
        shifted = np.zeros_like(terms)
        shifted[near:] = hashes[far][: max(len(terms) - near, 0)]
        hashes[length] = (hashes[near] + np.uint64(POWERS[near]) * shifted).astype(np.uint64)
    return [(length, hashes[length]) for length in lengths]


def _latest_equal(hashes: Hashes, counted: NDArray[np.bool_]) -> Ints:
    """Return for each of M places the latest one before it with the same hash, of those counted; -1 for none."""
    places = np.flatnonzero(counted)
    order = places[np.argsort(hashes[places], kind="stable")]
    same = hashes[order[1:]] == hashes[order[:-1]]
    result = np.full(len(hashes), -1)
    result[order[1:][same]] = order[:-1][same]
    return result
