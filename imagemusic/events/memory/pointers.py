"""What the pointers of a memory are, and how sure each is.

    EXACT       the note after the longest earlier passage that equals the notes before this one
    TRANSPOSED  the same by intervals, in any key; it proposes the pitch at the distance of now
    BAR_1 .. 8  the note at the same place 1, 2, 4 or 8 bars before
    ANSWER      the note at the same place of the bar that the plan says this one answers
    PART        the note after the longest earlier passage of the part's own line, drums too, once the part is known

A pointer proposes a value of each field, or nothing.  Its level says how much there is to it: for matches the length
(rank in a ladder of lengths), for places how many of the last HITS notes it hit.  A pointer whose proposal was
not followed in an earlier field of the same event has BROKEN added.

The idea is that of pointer networks (Vinyals et al. 2015, arXiv:1506.03134; See et al. 2017, arXiv:1704.04368), the
neural cache (Grave et al. 2017, arXiv:1612.04426) and lookback features (Waite 2016, Magenta).
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imagemusic.events.vocabulary import SIZES, SLOTS

POINTERS = ("exact", "transposed", "bar_1", "bar_2", "bar_4", "bar_8", "answer", "part")
EXACT, TRANSPOSED, BAR_1, BAR_2, BAR_4, BAR_8, ANSWER, PART_LINE = range(len(POINTERS))
BARS_BACK = {BAR_1: 1, BAR_2: 2, BAR_4: 4, BAR_8: 8}

LENGTHS = (2, 3, 4, 6, 8, 12, 16, 24, 32)  # of exact matches, in notes; the rank of the longest is the level
TRANSPOSED_LENGTHS = (3, 4, 6, 8, 12, 16, 24, 32)
PART_LENGTHS = (1, 2, 3, 4, 6, 8, 12, 16)
HITS = 8  # notes over which a place is judged
BROKEN = 12  # is added to the level of a proposal that was not followed in an earlier field
LEVELS = 2 * BROKEN  # level 0: no proposal
NOTHING = 255  # in arrays of proposals: no value

# Notes are sorted by tick, part and pitch, and are found by a key made of the three.
PITCH_RANGE = SIZES[2]
TICK_KEY = SLOTS * PITCH_RANGE  # key of tick 1, part 0, pitch 0

MASK64 = (1 << 64) - 1
BASE = 0x9E3779B97F4A7C15  # of the rolling hash, and odd multipliers that mix its terms
MIX_1, MIX_2, MIX_3 = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD6E8FEB86659FD93
NO_INTERVAL, DRUM_OFFSET, INTERVAL_OFFSET = 300, 400, 128
TERM_RANGE = 1024  # above every interval or drum
NO_IOI = 1 << 20  # ticks; of the first note of a part


def powers(count: int) -> list[int]:
    """Return BASE to the powers 0 to count - 1, modulo 2^64."""
    result = [1]
    for _ in range(count - 1):
        result.append(result[-1] * BASE & MASK64)
    return result


POWERS = powers(max(LENGTHS) + 1)


def mix(value: int) -> int:
    """Return a well mixed number of 64 bits (splitmix64's finalizer)."""
    value = value * MIX_1 & MASK64
    value = (value ^ value >> 29) * MIX_2 & MASK64
    return value ^ value >> 32


def ladder_steps(longest: int) -> list[tuple[int, int, int]]:
    """Say how the hash of each length is made of two shorter ones: (length, near, far), near + far = length."""
    known, steps = [1], []
    for length in LENGTHS:
        if length <= longest:
            near = max(one for one in known if length - one in known)
            steps.append((length, near, length - near))
            known.append(length)
    return steps


@dataclass(frozen=True, slots=True)
class BarAnswers:
    """The bars of a piece, and the earlier bar that each answers."""

    starts: NDArray[np.int64]  # (B + 1,) ticks; the last is the end of the last bar
    shifts: NDArray[np.int64]  # (B,) ticks from the start of the answered bar to that of this one; 0: answers none
    kinds: NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8))  # (B,) see KINDS

    def bar_of(self, ticks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the bar (N,) of every tick (N,); the last bar for later ticks."""
        found: NDArray[np.int64] = np.searchsorted(self.starts, ticks, side="right") - 1
        return np.clip(found, 0, len(self.shifts) - 1)


class Proposal(NamedTuple):
    """What every pointer proposes for one field."""

    values: list[int]  # NOTHING where it proposes none
    levels: list[int]  # 0 where it proposes nothing


NO_PROPOSAL = Proposal([NOTHING] * len(POINTERS), [0] * len(POINTERS))
