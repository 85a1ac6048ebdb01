"""What players can play: the range of an instrument, one note at a time for winds, a hand's span on keyboards."""

from dataclasses import dataclass, field

import numpy as np

from imagemusic.events.context import AddedNote
from imagemusic.events.grammar import GrammarState
from imagemusic.events.vocabulary import DRUMS, PART, PITCH, SIZES
from imagemusic.generation.processors import Logits, NextEvent
from imagemusic.music.ranges import HAND_SPAN, is_monophonic, playable_range

KEYBOARDS = range(8)  # programs that are played by hands


@dataclass(slots=True)
class Playable:
    """Keeps every part within what its instrument plays."""

    grammar: GrammarState
    ensemble: str
    ranges: bool = True  # whether ranges are kept: a range that was asked for takes their place
    columns = (PART, PITCH)
    _chord: dict[int, tuple[int, int]] = field(default_factory=dict)  # part -> tick and lowest pitch of its last chord

    def apply(self, column: int, logits: Logits, event: NextEvent) -> None:
        grammar = self.grammar
        if grammar.in_header and not grammar.running.programs:
            return
        if column == PART:
            struck = [part for part, (tick, _) in self._chord.items() if tick == grammar.tick and self._is_single(part)]
            if struck:
                allowed = np.ones(SIZES[PART], bool)
                allowed[struck] = False
                event.narrow(allowed)
        elif (part := grammar.pitched_part) is not None:
            program = grammar.running.programs[part]
            if self.ranges:
                event.narrow(_mask(playable_range(program)))
            tick, lowest = self._chord.get(part, (-1, 0))
            if tick == grammar.tick and program in KEYBOARDS:
                event.narrow(_mask(range(lowest, min(lowest + HAND_SPAN, 127) + 1)))

    def update(self, note: AddedNote | None) -> None:
        if note is not None and note.program != DRUMS:
            tick, lowest = self._chord.get(note.part, (-1, note.pitch))
            self._chord[note.part] = note.tick, min(lowest, note.pitch) if tick == note.tick else note.pitch

    def _is_single(self, part: int) -> bool:
        return is_monophonic(self.grammar.running.programs[part], ensemble=self.ensemble)


def _mask(pitches: range) -> np.ndarray:
    mask = np.zeros(SIZES[PITCH], bool)
    mask[pitches.start : pitches.stop] = True
    return mask
