"""Bars as the planner reads and writes them: fields, and what is known before each.

    fields of a bar, in the order of writing:  kind | distance to the answered bar | first chord | second chord

Chords are relative to the tonic of the key.  A step reads the fields of the bar before, the chords that come if this
bar goes on where that one answered, its place among eight bars, the bars that are left, the meter and the mode.
"""

from math import log1p
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imagemusic.events.quantize import TICKS_PER_BEAT
from imagemusic.plan.analysis import NEW, NOWHERE, Analysis
from imagemusic.plan.chords import CHORDS, transposed

Integers = NDArray[np.int64]

FIELDS = ("kind", "distance", "first_chord", "second_chord")
FARTHEST = 64  # bars; answers farther away share one class
DISTANCES = FARTHEST + 2  # 0: a new bar; 65: farther
NONE_YET = CHORDS  # the chord of a bar that is not there
PHRASE = 8  # bars
LEFT = 17  # bars left: 0..15, and more
METERS = 5
# Columns of what a step reads, with the number of values of each, and of the numbers that go with them.
READ = {
    "kind": 4, "distance": DISTANCES + 1, "first": CHORDS + 1, "second": CHORDS + 1,
    "next_first": CHORDS + 1, "next_second": CHORDS + 1, "place": PHRASE, "left": LEFT, "meter": METERS, "minor": 2,
}  # fmt: skip
NUMBERS = 2


class Bars(NamedTuple):
    """A piece for the planner."""

    kinds: Integers  # (B,)
    answers: Integers  # (B,) bars, NOWHERE for new ones
    chords: Integers  # (B, 2), relative to the tonic
    meter: int  # of METERS
    minor: bool


def meter_class(bar: int) -> int:
    """Sort bars by their length in ticks: up to two beats, three, four, six, others."""
    beats = bar / TICKS_PER_BEAT
    return 0 if beats <= 2 else {3.0: 1, 4.0: 2, 6.0: 3}.get(beats, 4)


def distance_class(bar: int, answer: int) -> int:
    """Return the class of the distance from a bar to the one that it answers."""
    return 0 if answer == NOWHERE else min(bar - answer, FARTHEST + 1)


def bars_of_piece(analysis: Analysis, tonic: int, minor: bool) -> Bars:
    """Take from an analysis what the planner learns; tonic is a pitch class."""
    usual = int(np.bincount(analysis.bar_lengths).argmax())
    return Bars(
        analysis.kinds.astype(np.int64), analysis.answers.astype(np.int64), transposed(analysis.chords, -tonic),
        meter_class(usual), minor,
    )  # fmt: skip


def read_before(bars: Bars, number: int, count: int) -> tuple[list[int], list[float]]:
    """Return what the step of bar `number` of `count` reads: a value of each column of READ, and NUMBERS numbers."""
    place = [number % PHRASE, min(count - 1 - number, LEFT - 1), bars.meter, int(bars.minor)]
    numbers = [log1p(number) / 5, log1p(count - 1 - number) / 5]
    if not number:
        return [NEW + 3, DISTANCES, NONE_YET, NONE_YET, NONE_YET, NONE_YET, *place], numbers
    before = number - 1
    distance = distance_class(before, int(bars.answers[before]))
    following = bars.chords[number - distance] if 0 < distance <= FARTHEST else (NONE_YET, NONE_YET)
    row = [int(bars.kinds[before]), distance, *bars.chords[before].tolist(), int(following[0]), int(following[1])]
    return row + place, numbers


def read_all(bars: Bars) -> tuple[Integers, NDArray[np.float32]]:
    """Return `read_before` of every bar of a whole piece: (B, columns) and (B, NUMBERS)."""
    count = len(bars.kinds)
    read = [read_before(bars, number, count) for number in range(count)]
    return np.array([row for row, _ in read]), np.array([numbers for _, numbers in read], np.float32)


def written(bars: Bars) -> tuple[Integers, Integers]:
    """Return the fields (B, 4) that a piece writes, and the chords (B, 2) of the bars that are answered."""
    numbers = np.arange(len(bars.kinds))
    distance = np.where(bars.answers >= 0, np.minimum(numbers - bars.answers, FARTHEST + 1), 0)
    answered = np.where(bars.answers[:, None] >= 0, bars.chords[np.maximum(bars.answers, 0)], NONE_YET)
    return np.column_stack([bars.kinds, distance, bars.chords]), answered
