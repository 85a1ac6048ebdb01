"""Phrases that repeat earlier ones: a bias on the onsets and the pitches of the phrase that is answered.

Small note models seldom repeat; real music does.  Phrases of four bars follow each other as A A B A.  A phrase that
answers an earlier one gains a bias on an onset wherever that one had one (but for its first, where the phrase before
answers none), and on the pitches that the same part played there.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection

from imagemusic.events.codec import GAP, PITCH, SIZES
from imagemusic.events.context import AddedNote, Running
from imagemusic.generation.processors import Logits, NextEvent

PHRASE_BARS = 4
NONE = [(-1, -1)]  # a part and pitch below all others
ANSWERS = (4, 1, 4, 2)  # how many phrases before lies the one that a phrase answers, by its place among four


class PhraseMemory:
    """The onsets and notes so far; `running` (events/context.py) says where bars lie."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self._onsets: list[int] = []  # ticks, ascending
        self._notes: dict[int, list[tuple[int, int]]] = {}  # onset -> part and pitch of its notes

    def add(self, tick: int, part: int, pitch: int) -> None:
        """Add a note that starts at a tick, not before those that were added."""
        if tick not in self._notes:
            self._onsets.append(tick)
            self._notes[tick] = []
        self._notes[tick].append((part, pitch))

    def repeat_gap(self) -> int | None:
        """Return the ticks from now to the next onset of the answered phrase; None where there is none."""
        now = self.running.tick
        source = self._answered(now)
        if source is None:
            return None
        # Notes of one tick are ordered by part and pitch: only those after the last one can still be repeated.
        if max(self._notes.get(source, NONE)) > max(self._notes.get(now, NONE)):
            return 0
        after = self._next_onset(source, bisect_right(self._onsets, source))
        if after is not None:
            return after - source
        start = self._start(self._phrase(now) + 1)
        source = self._answered(start)
        after = None if source is None else self._next_onset(source, bisect_left(self._onsets, source))
        return None if source is None or after is None else start + after - source - now

    def repeat_pitches(self, tick: int, part: int) -> list[int]:
        """Return the pitches that a part played at the tick that `tick` answers and has not yet repeated."""
        source = self._answered(tick)
        repeated: Collection[tuple[int, int]] = self._notes.get(tick, ())
        notes = () if source is None else self._notes.get(source, ())
        return [pitch for player, pitch in notes if player == part and (player, pitch) not in repeated]

    def _next_onset(self, source: int, index: int) -> int | None:
        """Return the onset with an index, if it lies in the phrase of `source`."""
        if index < len(self._onsets) and self._phrase(self._onsets[index]) == self._phrase(source):
            return self._onsets[index]
        return None

    def _start(self, phrase: int) -> int:
        return self.running.origin + phrase * PHRASE_BARS * self.running.bar

    def _phrase(self, tick: int) -> int:
        return (tick - self.running.origin) // (PHRASE_BARS * self.running.bar)

    def _answered(self, tick: int) -> int | None:
        """Return the tick that a tick answers, by its phrase; None where that answers none."""
        phrase = self._phrase(tick)
        back = ANSWERS[phrase % len(ANSWERS)]
        return tick - back * PHRASE_BARS * self.running.bar if back <= phrase else None


class PhraseRepetition:
    """Bias towards repeating the phrase that is answered, by `bonus` nats."""

    columns = (GAP, PITCH)

    def __init__(self, running: Running, bonus: float) -> None:
        self.memory, self.bonus = PhraseMemory(running), bonus

    def apply(self, column: int, logits: Logits, event: NextEvent) -> None:
        grammar = event.grammar
        if column == GAP:
            gap = None if grammar.in_header else self.memory.repeat_gap()
            if gap is not None and gap < SIZES[GAP]:
                logits[gap] += self.bonus
        elif (part := grammar.pitched_part) is not None:
            logits[self.memory.repeat_pitches(grammar.tick, part)] += self.bonus

    def update(self, note: AddedNote | None) -> None:
        if note is not None:
            self.memory.add(note.tick, note.part, note.pitch)
