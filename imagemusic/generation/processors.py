"""What changes the logits of the next event: one class a rule, applied in the order in which a request lists them.

    logits (V,) of a field ──► processor ──► processor ──► ... ──► mask of the grammar ──► temperature, top-p, draw

A processor adds a bias to logits, in place, or narrows the mask; it never widens it, so what the grammar forbids stays
forbidden.  It sees every event that is appended, and keeps what state it needs.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from imagemusic.events.codec import DRUMS, GAP, PITCH
from imagemusic.events.context import AddedNote
from imagemusic.events.grammar import GrammarState
from imagemusic.generation.sampling import Logits

Mask = NDArray[np.bool_]
MIN_PROBABILITY = 1e-9  # of what a zero gap may mean; its log is finite


class NextEvent:
    """The event being generated, as far as its fields are chosen."""

    def __init__(self, grammar: GrammarState) -> None:
        self.grammar = grammar
        self.mask: Mask = np.empty(0, bool)  # (V,) values that the field may take
        self.part_logits_given: Callable[[Sequence[int]], Logits] | None = None  # context of a gap -> (P,)

    def narrow(self, allowed: Mask) -> bool:
        """Allow only some values (V,) of the field; leave the mask alone, and return False, if none would be left."""
        narrowed = self.mask & allowed
        if not narrowed.any():
            return False
        self.mask = narrowed
        return True


class LogitProcessor(Protocol):
    """A rule of generation."""

    @property
    def columns(self) -> Sequence[int]:
        """Fields of an event whose logits it may change."""
        ...

    def apply(self, column: int, logits: Logits, event: NextEvent) -> None:
        """Change the logits (V,) of a field in place, or narrow `event.mask`."""
        ...

    def update(self, note: AddedNote | None) -> None:
        """Take in an event that was appended: a note, or None for a rest and for rows of the header."""
        ...


@runtime_checkable
class ForcingProcessor(LogitProcessor, Protocol):
    """A rule that may also leave a field a single value, which is then not drawn at all."""

    def forced_value(self, column: int) -> int | None:
        """Return the only value that the rule allows for a field, or None; the grammar may still forbid it."""
        ...


@runtime_checkable
class VetoingProcessor(LogitProcessor, Protocol):
    """A rule that also forbids values that a `ForcingProcessor` would leave."""

    def forbids(self, column: int, value: int) -> bool:
        """Return whether a value of a field breaks the rule."""
        ...


class EndingHold:
    """Correct the logit of a zero gap near an end that must wait.

    The end of a piece has no gap.  A decoder that predicts the end chooses the gap 0, and where the end is not allowed
    yet it would stack note upon note.  So the gap 0 counts for the probability that it means another note.
    """

    columns = (GAP,)

    def apply(self, column: int, logits: Logits, event: NextEvent) -> None:
        waiting = event.grammar.notes_before_end()
        if waiting is None or event.part_logits_given is None:
            return
        context, parts = waiting
        part_logits = event.part_logits_given(context)
        weights = np.exp(part_logits - part_logits.max())
        logits[0] += float(np.log(max(weights[parts].sum() / weights.sum(), MIN_PROBABILITY)))

    def update(self, note: AddedNote | None) -> None:
        pass


class RepetitionPenalty:
    """Lower the logit of a pitch that has more than its share of a part's recent notes.

    Small note models fall into repeating one note for ever.  Of the last `memory` notes of a part, a pitch may hold
    `share`; each note beyond that costs it `strength` nats, so a pedal point stays possible and a loop ends.
    """

    columns = (PITCH,)

    def __init__(self, share: float, memory: int = 32, strength: float = 0.6) -> None:
        self.share, self.memory, self.strength = share, memory, strength
        self._recent: dict[int, deque[int]] = {}
        self._counts: dict[int, dict[int, int]] = {}  # part -> pitch -> of its recent notes

    def apply(self, column: int, logits: Logits, event: NextEvent) -> None:
        part = event.grammar.pitched_part
        if part is not None:
            for pitch, cost in self.costs(part):
                logits[pitch] -= cost

    def update(self, note: AddedNote | None) -> None:
        if note is not None and note.program != DRUMS and not note.is_tied:
            self.add(note.part, note.pitch)

    def costs(self, part: int) -> list[tuple[int, float]]:
        """Return the overused pitches of a part and the nats that each costs."""
        length = len(self._recent.get(part, ()))
        if length < self.memory // 4:  # too few for a loop; sparse music has few
            return []
        fair = self.share * length - 1
        return [(p, self.strength * (count - fair)) for p, count in self._counts[part].items() if count > fair]

    def add(self, part: int, pitch: int) -> None:
        """Count a note."""
        recent, counts = self._recent.setdefault(part, deque()), self._counts.setdefault(part, {})
        recent.append(pitch)
        counts[pitch] = counts.get(pitch, 0) + 1
        if len(recent) > self.memory:
            gone = recent.popleft()
            counts[gone] -= 1
            if not counts[gone]:
                del counts[gone]
