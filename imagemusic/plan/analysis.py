"""The plan of a piece that is there: chords of half bars, and which earlier bar each bar answers.

    events (N, 5) ──► bars ──► chords (B, 2)
                       └─────► answers, kinds (B,)

A bar answers an earlier one if their sets of (place, part, pitch) are alike, or become so when parts are transposed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagemusic.events.context import COMMON_BAR, bar_ticks
from imagemusic.events.quantize import TICKS_PER_BEAT
from imagemusic.events.vocabulary import DRUMS, DURATION, GAP, MAX_DURATION, METER, PART, PITCH, SLOT, SLOTS
from imagemusic.plan.chords import best_chords, chroma

Integers = NDArray[np.int64]
Floats = NDArray[np.float32]

NEW, VARIED, SAME = range(3)  # kinds of bar
KINDS = ("new", "varied", "same")
NOWHERE = -1  # the bar that a new bar answers

REACH = 128  # bars back that an answer may lie
SAME_FROM, VARIED_FROM = 0.9, 0.5  # likeness
TRANSPOSED_WEIGHT = 0.85  # of the likeness with the parts transposed
NEAR_TIE = 0.1  # likeness
AHEAD_WEIGHT = 0.1  # of the likeness of the bars after
SHORT_BAR = 3 * TICKS_PER_BEAT  # shorter bars have one chord


@dataclass(frozen=True, slots=True)
class Analysis:
    """The plan of a piece, bar by bar."""

    bar_starts: NDArray[np.int32]  # (B,) ticks
    bar_lengths: NDArray[np.int32]  # (B,) ticks; shorter where a meter changes within a bar
    chords: NDArray[np.uint8]  # (B, 2) of chords.py, for each half bar
    answers: NDArray[np.int32]  # (B,) the bar that is answered, NOWHERE for new bars
    kinds: NDArray[np.uint8]  # (B,) NEW, VARIED or SAME


def bar_grid(rows: NDArray[np.integer]) -> tuple[Integers, Integers]:
    """Return starts and lengths (B,), in ticks, of the bars of events (N, 5), to the last event and the last sound."""
    table = np.asarray(rows, np.int64)
    ticks, parts = np.cumsum(table[:, GAP]), table[:, PART]
    lasting = np.where(parts < SLOTS, np.minimum(table[:, DURATION] + 1, MAX_DURATION), 1)
    end = int((ticks + lasting).max(initial=1))
    grids = {0: COMMON_BAR} | {
        int(ticks[row]): bar_ticks(int(table[row, PITCH])) for row in np.flatnonzero(parts == METER)
    }
    origins = [*grids, end]
    starts = np.concatenate([np.arange(a, max(b, a + 1), grids[a]) for a, b in zip(origins, origins[1:], strict=False)])
    last_length = grids[origins[-2]]
    return starts, np.diff(starts, append=starts[-1] + last_length)


def analyse(rows: NDArray[np.integer]) -> Analysis:
    """Analyse events (N, 5) of the codec, a whole piece with its header."""
    starts, lengths = bar_grid(rows)
    table = np.asarray(rows, np.int64)
    ticks, parts, pitches = np.cumsum(table[:, GAP]), table[:, PART], table[:, PITCH]
    programs = np.append(pitches[parts == SLOT], [DRUMS] * SLOTS)[:SLOTS]
    is_note = parts < SLOTS
    pitched = is_note & (programs[np.minimum(parts, SLOTS - 1)] != DRUMS)
    onset, duration = ticks[pitched], np.minimum(table[pitched, DURATION] + 1, MAX_DURATION)
    chords = _chords(onset, onset + duration, pitches[pitched], starts, lengths)
    bar = np.searchsorted(starts, ticks[is_note], side="right") - 1
    answers, kinds = _answers(bar, ticks[is_note] - starts[bar], parts[is_note], pitches[is_note], len(starts))
    return Analysis(starts.astype(np.int32), lengths.astype(np.int32), chords, answers, kinds)


def _chords(
    onset: Integers, offset: Integers, pitch: Integers, starts: Integers, lengths: Integers
) -> NDArray[np.uint8]:
    has_two = lengths >= SHORT_BAR
    windows = np.cumsum(1 + has_two)  # up to and with each bar
    edges = np.empty(windows[-1] + 1, np.int64)
    edges[windows - 1] = starts + np.where(has_two, lengths // 2, 0)
    edges[windows - 1 - has_two] = starts
    edges[-1] = starts[-1] + lengths[-1]
    found = best_chords(*chroma(onset, offset, pitch, edges))
    return np.column_stack([found[windows - 1 - has_two], found[windows - 1]]).astype(np.uint8)


def _answers(
    bar: Integers, place: Integers, part: Integers, pitch: Integers, count: int
) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Find the bar (B,) that each answers, and its kind (B,), from the notes (N,) in order of time."""
    place = np.minimum(place, 4095)
    # The first note of a part in a bar is what its others are measured from.
    voice = bar * SLOTS + part
    _, first, inverse = np.unique(voice, return_index=True, return_inverse=True)
    interval = pitch - pitch[first][inverse] + 128
    at_pitch = _Alike(bar, (place * SLOTS + part) * 512 + pitch, count)
    by_interval = _Alike(bar, (place * SLOTS + part) * 512 + interval, count)
    answers, kinds = np.full(count, NOWHERE, np.int32), np.zeros(count, np.uint8)
    lag = 0
    for block in range(0, count, REACH):
        stop = min(block + REACH + 1, count)  # one row more, to look ahead
        low = max(block - REACH, 0)
        exact = at_pitch.table(block, stop, low, stop)
        alike = np.maximum(exact, TRANSPOSED_WEIGHT * by_interval.table(block, stop, low, stop))
        score = alike.copy()
        score[:-1, :-1] += AHEAD_WEIGHT * alike[1:, 1:]
        for number in range(block, min(block + REACH, count)):
            nearest = max(number - REACH, 0) - low
            row = score[number - block, nearest : number - low]
            if not len(row):
                continue
            chosen = len(row) - 1 - int(row[::-1].argmax())
            if 0 < lag <= len(row) and row[-lag] >= row[chosen] - NEAR_TIE:
                chosen = len(row) - lag
            likeness = alike[number - block, nearest + chosen]
            lag = len(row) - chosen if likeness >= VARIED_FROM else 0
            if lag:
                answers[number] = number - lag
                kinds[number] = SAME if exact[number - block, nearest + chosen] >= SAME_FROM else VARIED
    return answers, kinds


class _Alike:
    """The Jaccard index of sets: what each bar holds, of which only what two bars share is kept."""

    def __init__(self, bar: Integers, code: Integers, count: int) -> None:
        """Take the bar and the code of each note (N,)."""
        _, codes = np.unique(code, return_inverse=True)
        members = np.unique(bar * (int(codes.max(initial=0)) + 1) + codes)
        bars, codes = np.divmod(members, int(codes.max(initial=0)) + 1)
        self.sizes = np.bincount(bars, minlength=count).astype(np.float32)
        shared = np.bincount(codes)[codes] > 1 if len(codes) else np.empty(0, bool)
        self.bars, self.codes = bars[shared], codes[shared]

    def table(self, first: int, stop: int, low: int, high: int) -> Floats:
        """Return the likeness (stop - first, high - low) of some bars to others; low <= first, stop <= high."""
        chosen = slice(*np.searchsorted(self.bars, [low, high]))
        _, columns = np.unique(self.codes[chosen], return_inverse=True)
        has = np.zeros((high - low, int(columns.max(initial=0)) + 1), np.float32)
        has[self.bars[chosen] - low, columns] = 1
        both = has[first - low : stop - low] @ has.T
        union = self.sizes[first:stop, None] + self.sizes[None, low:high] - both
        return (both / np.maximum(union, 1)).astype(np.float32)
