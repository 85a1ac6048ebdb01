"""What players can play: the range of an instrument, one note at a time for winds, a hand's span on keyboards."""

from dataclasses import dataclass, field

import numpy as np

from imagemusic.events.context import AddedNote
from imagemusic.events.grammar import GrammarState
from imagemusic.events.vocabulary import DRUMS, GAP, PART, PITCH, SIZES, SLOTS
from imagemusic.generation.processors import Logits, NextEvent
from imagemusic.music.ranges import HAND_SPAN, is_monophonic, playable_range

KEYBOARDS = range(8)  # programs that are played by hands
WINDS = range(56, 80)  # brass and woodwind, sections too: each part plays one note at a time
SINGLE = (*range(32, 40), *WINDS)  # and basses

_LATER = np.arange(SIZES[GAP]) > 0


@dataclass(slots=True)
class Playable:
    """Keeps every part within what its instrument plays."""

    grammar: GrammarState
    ensemble: str
    ranges: bool = True  # whether ranges are kept: a range that was asked for takes their place
    columns = (GAP, PART, PITCH)
    # part -> tick, lowest and highest pitch of its last chord
    _chord: dict[int, tuple[int, int, int]] = field(default_factory=dict)

    def apply(self, column: int, logits: Logits, event: NextEvent) -> None:
        grammar = self.grammar
        if grammar.in_header and not grammar.running.programs:
            return
        if column == GAP:
            if grammar.events[-1][PART] < SLOTS and not grammar.may_end:
                free = grammar.stackable().copy()
                free[self._full_parts(grammar.running.tick)] = False
                if not free.any():
                    event.narrow(_LATER)
        elif column == PART:
            full = self._full_parts(grammar.tick)
            if full:
                allowed = np.ones(SIZES[PART], bool)
                allowed[full] = False
                event.narrow(allowed)
        elif (part := grammar.pitched_part) is not None:
            event.narrow(self._playable(part))

    def _playable(self, part: int) -> np.ndarray:
        """Pitches (V,) that a part can play at the tick of the event in the making."""
        grammar = self.grammar
        program = grammar.running.programs[part]
        pitches = playable_range(program) if self.ranges else range(128)
        tick, lowest, _ = self._chord.get(part, (-1, 0, 0))
        if tick == grammar.tick and program in KEYBOARDS:
            pitches = range(max(lowest, pitches.start), min(lowest + HAND_SPAN + 1, pitches.stop))
        mask = np.zeros(SIZES[PITCH], bool)
        mask[pitches.start : pitches.stop] = True
        return mask

    def _full_parts(self, now: int) -> list[int]:
        return [part for part, (tick, *_) in self._chord.items() if tick == now and self._is_full(part)]

    def _is_full(self, part: int) -> bool:
        """Whether a part that has started a chord at this tick can add no note to it."""
        tick, _, highest = self._chord[part]
        if self._is_single(part):
            return True
        return not (self._playable(part) & self.grammar.open_pitches(part, tick, highest)).any()

    def update(self, note: AddedNote | None) -> None:
        if note is not None and note.program != DRUMS:
            tick, lowest, highest = self._chord.get(note.part, (-1, 0, 0))
            if tick != note.tick:
                lowest = highest = note.pitch
            self._chord[note.part] = note.tick, min(lowest, note.pitch), max(highest, note.pitch)

    def _is_single(self, part: int) -> bool:
        program = self.grammar.running.programs[part]
        return program in SINGLE or is_monophonic(program, ensemble=self.ensemble)
