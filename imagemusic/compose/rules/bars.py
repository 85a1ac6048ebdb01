"""The bar grid of a piece in the making, for rules that think in bars and phrases."""

from dataclasses import dataclass

from imagemusic.events.grammar import GrammarState
from imagemusic.events.vocabulary import DRUMS

PHRASE_BARS = 4
MELODIES = ("melody", "voice")  # roles


@dataclass(frozen=True, slots=True)
class BarGrid:
    """Where bars lie: ticks."""

    origin: int
    bar: int
    end: int

    @classmethod
    def of(cls, grammar: GrammarState) -> "BarGrid":
        """Return the grid of a piece whose meter is known."""
        return cls(grammar.running.origin, grammar.running.bar, grammar.plan.end)

    def bar_of(self, tick: int) -> int:
        """Return the number of the bar of a tick, from 0."""
        return (tick - self.origin) // self.bar

    def start(self, bar: int) -> int:
        """Return the tick at which a bar begins."""
        return self.origin + bar * self.bar

    @property
    def bars(self) -> int:
        """Number of bars that the piece has, the last of them perhaps cut short."""
        return -(-(self.end - self.origin) // self.bar)


def pitched_parts(grammar: GrammarState) -> list[int]:
    """Return the parts of a piece but drums."""
    return [part for part, program in enumerate(grammar.running.programs) if program != DRUMS]


def drum_part(grammar: GrammarState) -> int | None:
    """Return the part of the drums; None where there are none."""
    programs = grammar.running.programs
    return len(programs) - 1 if programs and programs[-1] == DRUMS else None
