"""Whether another note may start with the last one: only where some part is left that every rule allows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from imagemusic.events.context import AddedNote
from imagemusic.events.grammar import GrammarState
from imagemusic.events.vocabulary import GAP, PART, SIZES, SLOTS
from imagemusic.generation.processors import Logits, NextEvent

_LATER = np.arange(SIZES[GAP]) > 0


class PartRule(Protocol):
    """A rule that knows before the gap is chosen which parts it would allow."""

    def parts_now(self) -> np.ndarray | None:
        """Return the parts (V,) that the rule would allow with the last note; None for all."""
        ...


@dataclass(slots=True)
class Stacking:
    """Forbids the gap 0 where it would leave only parts that one rule or another forbids."""

    grammar: GrammarState
    rules: Sequence[PartRule]
    columns = (GAP,)

    def apply(self, column: int, logits: Logits, event: NextEvent) -> None:
        grammar = self.grammar
        if grammar.in_header or grammar.events[-1][PART] >= SLOTS or grammar.may_end or not event.mask[0]:
            return
        parts = grammar.stackable()
        for rule in self.rules:
            if (allowed := rule.parts_now()) is not None:
                parts = parts & allowed
        if not parts.any():
            event.narrow(_LATER)

    def update(self, note: AddedNote | None) -> None:
        pass
