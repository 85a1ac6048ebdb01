"""Drums that keep a kit and a grid: few sounds, on sixteenths and triplet eighths; the bass strikes with the kick."""

from dataclasses import dataclass, field

import numpy as np

from imagemusic.events.context import AddedNote
from imagemusic.events.grammar import GrammarState
from imagemusic.events.quantize import TICKS_PER_BEAT
from imagemusic.events.vocabulary import DRUMS, GAP, MAX_GAP, PART, PITCH, SIZES
from imagemusic.generation.processors import Logits, NextEvent

MAX_KIT = 10  # sounds of a piece
FIRST_KIT = 7  # sounds of the first bar
CORE_KIT = (36, 38, 42, 46, 49, 51, 35, 40, 44, 41, 43, 45, 47, 39, 37)  # what a first bar may choose from
GRID = (0, 6, 8, 12, 16, 18)  # ticks in a beat: sixteenths and triplet eighths
# By the place in its beat of the event before: gaps (V,) that lead to the grid.
_GAPS = np.isin((np.arange(TICKS_PER_BEAT)[:, None] + np.arange(MAX_GAP + 1)) % TICKS_PER_BEAT, GRID)
KICKS = (35, 36)
KICK_BONUS = 2.0  # nats that a bass gains where the kick strikes


@dataclass(slots=True)
class DrumKit:
    """Keeps a band's drums to a kit, its onsets to a grid, and its bass to the kick."""

    grammar: GrammarState
    columns = (GAP, PART, PITCH)
    _kit: set[int] = field(default_factory=set)
    _first_bar: int | None = None
    _kicks: set[int] = field(default_factory=set)  # places in the bar at which the kick struck

    def apply(self, column: int, logits: Logits, event: NextEvent) -> None:
        grammar = self.grammar
        programs = grammar.running.programs
        if not programs or programs[-1] != DRUMS or grammar.in_header and column == PART:
            return
        if column == GAP:
            event.narrow(_GAPS[(grammar.running.tick - grammar.running.origin) % TICKS_PER_BEAT])
        elif column == PART:
            if self._place(grammar.tick) in self._kicks:
                for part, program in enumerate(programs):
                    if program in range(32, 40):
                        logits[part] += KICK_BONUS
        elif grammar.chosen[PART] == len(programs) - 1:
            event.narrow(self._allowed())

    def update(self, note: AddedNote | None) -> None:
        if note is None or note.program != DRUMS:
            return
        bar = (note.tick - self.grammar.running.origin) // self.grammar.running.bar
        self._first_bar = bar if self._first_bar is None else self._first_bar
        self._kit.add(note.pitch)
        if note.pitch in KICKS:
            self._kicks.add(self._place(note.tick))

    def _place(self, tick: int) -> int:
        return (tick - self.grammar.running.origin) % self.grammar.running.bar

    def _allowed(self) -> np.ndarray:
        """Sounds that may strike: those of the kit, and of the core kit while there is room."""
        running = self.grammar.running
        bar = (self.grammar.tick - running.origin) // running.bar
        most = (
            FIRST_KIT if self._first_bar is None or bar <= self._first_bar else MAX_KIT - 1
        )  # the end may add a crash
        allowed = set(self._kit)
        if len(self._kit) < most:
            allowed |= set(CORE_KIT)
        mask = np.zeros(SIZES[PITCH], bool)
        mask[list(allowed)] = True
        return mask
