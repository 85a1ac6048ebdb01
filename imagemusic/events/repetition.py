"""Form: which phrase answers which, and how it would say it again.

Small note models play on and on and seldom come back; real music says things again.  Phrases of four bars follow each
other as A A B A.  A phrase that answers an earlier one would say it again by an onset wherever that had one (but for
its first, where the phrase before answers none), and by the pitches that the same part played there.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection

from imagemusic.events.context import Running

PHRASE = 4  # bars
NONE = [(-1, -1)]  # a part and pitch below all others
ANSWERS = (4, 1, 4, 2)  # how many phrases before lies the one that a phrase answers, by its place among four


class PhraseMemory:
    """What a piece has said so far; `running` (context.py) says where its bars lie."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self._onsets: list[int] = []  # ticks, ascending
        self._notes: dict[int, list[tuple[int, int]]] = {}  # onset -> part and pitch of its notes

    def update(self, tick: int, part: int, pitch: int) -> None:
        """Take in a note that starts at a tick, not before those that were taken in."""
        if tick not in self._notes:
            self._onsets.append(tick)
            self._notes[tick] = []
        self._notes[tick].append((part, pitch))

    def gap(self) -> int | None:
        """Ticks from now to the onset that comes next in the answered phrases; None where there is none."""
        now = self.running.tick
        source = self._answered(now)
        if source is None:
            return None
        # Notes of one tick are written by part and pitch: only those that come after the last one may still be said.
        if max(self._notes.get(source, NONE)) > max(self._notes.get(now, NONE)):
            return 0
        after = self._next_onset(source, bisect_right(self._onsets, source))
        if after is not None:
            return after - source
        start = self._start(self._phrase(now) + 1)
        source = self._answered(start)
        after = None if source is None else self._next_onset(source, bisect_left(self._onsets, source))
        return None if source is None or after is None else start + after - source - now

    def pitches(self, tick: int, part: int) -> list[int]:
        """Pitches that a part played at the place that `tick` answers and has not played again by now."""
        source = self._answered(tick)
        again: Collection[tuple[int, int]] = self._notes.get(tick, ())
        notes = () if source is None else self._notes.get(source, ())
        return [pitch for player, pitch in notes if player == part and (player, pitch) not in again]

    def _next_onset(self, source: int, index: int) -> int | None:
        """The onset of an index, if it lies in the phrase of `source`."""
        if index < len(self._onsets) and self._phrase(self._onsets[index]) == self._phrase(source):
            return self._onsets[index]
        return None

    def _start(self, phrase: int) -> int:
        return self.running.origin + phrase * PHRASE * self.running.bar

    def _phrase(self, tick: int) -> int:
        return (tick - self.running.origin) // (PHRASE * self.running.bar)

    def _answered(self, tick: int) -> int | None:
        """The place, a tick, that the phrase of a tick answers."""
        phrase = self._phrase(tick)
        back = ANSWERS[phrase % len(ANSWERS)]
        return tick - back * PHRASE * self.running.bar if back <= phrase else None
