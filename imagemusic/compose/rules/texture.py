"""Openings, presence and breath: the first bar lies within the register, parts stay present, phrases end long."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from imagemusic.compose.rules.bars import MELODIES, PHRASE_BARS, BarGrid
from imagemusic.events.context import AddedNote
from imagemusic.events.grammar import GrammarState
from imagemusic.events.quantize import TICKS_PER_BEAT
from imagemusic.events.vocabulary import DRUMS, DURATION, PART, PITCH, SIZES
from imagemusic.generation.processors import Logits, NextEvent


@dataclass(slots=True)
class OpeningRegister:
    """Lowers the logits of pitches far above the register in the first bar: real openings keep their top for later."""

    grammar: GrammarState
    register: float  # mean pitch of the piece that is asked for
    columns = (PITCH,)
    headroom: float = 6.0  # semitones above the register that cost nothing
    slope: float = 0.35  # nats a semitone beyond

    def apply(self, column: int, logits: Logits, event: NextEvent) -> None:
        grammar = self.grammar
        if grammar.pitched_part is not None and BarGrid.of(grammar).bar_of(grammar.tick) == 0:
            pitches = np.arange(SIZES[PITCH])
            logits -= self.slope * np.maximum(pitches - self.register - self.headroom, 0)

    def update(self, note: AddedNote | None) -> None:
        pass


@dataclass(slots=True)
class Presence:
    """Raises the logits of parts that have been silent for long, so that every part has something to say."""

    grammar: GrammarState
    patience: float = 1.5  # bars of silence that cost nothing
    gain: float = 1.2  # nats a bar beyond
    drum_gain: float = 8.0  # the same for drums, which are due in the first bar
    limit: float = 6.0
    columns = (PART,)
    _last: dict[int, int] = field(default_factory=dict)  # part -> tick of its last note

    def apply(self, column: int, logits: Logits, event: NextEvent) -> None:
        grammar = self.grammar
        if grammar.in_header:
            return
        running = grammar.running
        for part, program in enumerate(running.programs):
            silent = (grammar.tick - self._last.get(part, running.origin)) / running.bar
            patience = 0.0 if part not in self._last and program == DRUMS else self.patience
            if silent > patience:
                gain = self.drum_gain if program == DRUMS else self.gain
                logits[part] += min(gain * (silent - patience), self.limit)

    def update(self, note: AddedNote | None) -> None:
        if note is not None:
            self._last[note.part] = note.tick


@dataclass(slots=True)
class PhraseBreath:
    """Lets the melody rest on a long note at the end of every phrase that it does not copy."""

    grammar: GrammarState
    is_free: Callable[[int], bool]  # whether a bar is not copied
    columns = (PART, DURATION)
    bonus: float = 3.0  # nats of a note that lasts to the end of the phrase
    _melody: int | None = None

    def apply(self, column: int, logits: Logits, event: NextEvent) -> None:
        grammar = self.grammar
        if grammar.in_header or len(grammar.running.programs) < 2:
            return
        grid, tick = BarGrid.of(grammar), grammar.tick
        bar = grid.bar_of(tick)
        if bar % PHRASE_BARS != PHRASE_BARS - 1 or not self.is_free(bar):
            return
        melody, place = self._melody_part(grammar.roles), tick - grid.start(bar)
        if column == PART:
            if place * 2 > grid.bar:
                allowed = np.ones(SIZES[PART], bool)
                allowed[melody] = False
                event.narrow(allowed)
        elif grammar.chosen[PART] == melody and place * 2 >= grid.bar - TICKS_PER_BEAT:
            lasting = grid.bar - place
            logits[max(lasting - TICKS_PER_BEAT, 1) - 1 : lasting] += self.bonus

    def update(self, note: AddedNote | None) -> None:
        pass

    def _melody_part(self, roles: Sequence[str]) -> int:
        if self._melody is None:
            self._melody = next((part for part, role in enumerate(roles) if role in MELODIES), 0)
        return self._melody
