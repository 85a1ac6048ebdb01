"""The longest earlier passage that equals the last notes, found by hashes of every length of a ladder."""

from collections.abc import Sequence
from typing import NamedTuple

from imagemusic.events.memory.pointers import BASE, MASK64, MIX_3, POWERS, ladder_steps


class Note(NamedTuple):
    """A note of the past."""

    tick: int
    part: int
    pitch: int
    duration: int  # index
    velocity: int  # index


class Matcher:
    """Finds the longest earlier run of terms that equals the last ones."""

    def __init__(self, lengths: Sequence[int]) -> None:
        self.lengths = tuple(lengths)
        self._steps = [(length, near, POWERS[near], far) for length, near, far in ladder_steps(max(lengths))]
        self._hashes: dict[int, list[int]] = {length: [] for length in (1, *(step[0] for step in self._steps))}
        self._latest: dict[int, dict[int, int]] = {length: {} for length in lengths}

    def add(self, term: int) -> None:
        """Add a term."""
        hashes = self._hashes
        place = len(hashes[1])
        hashes[1].append(term)
        for length, near, power, far in self._steps:
            earlier = hashes[far][place - near] if place >= near else 0
            hashes[length].append((hashes[near][place] + power * earlier) & MASK64)

    def match(self) -> tuple[int, int]:
        """Return the place of the last term of the latest, longest match, and its rank; remember the last terms.

        (-1, 0) where there is none.  To be called once after each term.
        """
        place, found, rank = len(self._hashes[1]) - 1, -1, 0
        for number, length in enumerate(self.lengths, 1):
            if place < length - 1:
                break
            latest, key = self._latest[length], self._hashes[length][place]
            earlier = latest.get(key)
            if earlier is not None:
                found, rank = earlier, number
            latest[key] = place
        return found, rank

    def contexts(self, ioi: int) -> list[int]:
        """Hash the last terms of every length, as far as there are any, with the time to the next."""
        place = len(self._hashes[1]) - 1
        tail = ioi * MIX_3
        return [(self._hashes[length][place] * BASE + tail) & MASK64 for length in self.lengths if place >= length - 1]


class PartLine(NamedTuple):
    """The line of one part."""

    matcher: Matcher
    latest: list[dict[int, Note]]  # of each length: what followed a context
    tick: list[int]  # of its last note, at most one
