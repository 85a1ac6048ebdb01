"""What players can play: the range of an instrument, how many notes it strikes at once, a hand's span on keyboards."""

from dataclasses import dataclass, field
from functools import cache

import numpy as np

from imagemusic.events.context import AddedNote
from imagemusic.events.grammar import GrammarState
from imagemusic.events.vocabulary import DRUMS, PART, PITCH, SIZES
from imagemusic.generation.processors import Logits, NextEvent
from imagemusic.music.ranges import HAND_SPAN, is_monophonic, playable_range

KEYBOARDS = range(8)  # programs that are played by hands
WINDS = range(56, 80)  # brass and woodwind, sections too: each part plays one note at a time
SINGLE = (*range(32, 40), *WINDS)  # and basses
# Programs -> notes that a part strikes at once; others strike as many as they like.
MOST_STRUCK = {
    **dict.fromkeys(SINGLE, 1), **dict.fromkeys(KEYBOARDS, 5), **dict.fromkeys(range(8, 16), 4),
    **dict.fromkeys(range(16, 24), 5), **dict.fromkeys(range(24, 32), 6), **dict.fromkeys((40, 41, 42, 110), 2),
    43: 1, 44: 4, 45: 4, 46: 6, 47: 1, **dict.fromkeys(range(48, 55), 4), 55: 5, **dict.fromkeys(range(80, 88), 2),
    **dict.fromkeys(range(88, 104), 5), **dict.fromkeys(range(104, 109), 4),
}  # fmt: skip
MAX_PITCHES = 128
LONE_KEYBOARD = 8  # notes that two hands strike where one part is the whole piece
DOUBLE_STOP_COST = 2.5  # nats of a second note of a bowed string at once


@dataclass(slots=True)
class Playable:
    """Keeps every part within what its instrument plays."""

    grammar: GrammarState
    ensemble: str
    ranges: bool = True  # whether ranges are kept: a range that was asked for takes their place
    columns = (PART, PITCH)
    # part -> tick, lowest and highest pitch of its last chord, and its number of notes
    _chord: dict[int, tuple[int, int, int, int]] = field(default_factory=dict)

    def apply(self, column: int, logits: Logits, event: NextEvent) -> None:
        grammar = self.grammar
        if grammar.in_header and not grammar.running.programs:
            return
        if column == PART:
            for player, chord in self._chord.items():
                if chord[0] == grammar.tick and grammar.running.programs[player] in (40, 41, 42):
                    logits[player] -= DOUBLE_STOP_COST
            if (allowed := self.parts_now()) is not None:
                event.narrow(allowed)
        elif (part := grammar.pitched_part) is not None:
            event.narrow(self._playable(part))

    def _playable(self, part: int) -> np.ndarray:
        """Pitches (V,) that a part can play at the tick of the event in the making."""
        grammar = self.grammar
        program = grammar.running.programs[part]
        pitches = playable_range(program) if self.ranges else range(128)
        tick, lowest, *_ = self._chord.get(part, (-1, 0, 0, 0))
        if tick == grammar.tick and program in KEYBOARDS:
            pitches = range(max(lowest, pitches.start), min(lowest + HAND_SPAN + 1, pitches.stop))
        return _mask_of(pitches)

    def parts_now(self) -> np.ndarray | None:
        """Return the parts (V,) that can start a note at the tick of the event in the making; None for all."""
        full = [part for part in self._chord if self.is_full(part, self.grammar.tick)]
        if not full:
            return None
        allowed = np.ones(SIZES[PART], bool)
        allowed[full] = False
        return allowed

    def is_full(self, part: int, now: int) -> bool:
        """Whether a part that has started a chord at a tick can add no note to it."""
        tick, _, highest, struck = self._chord.get(part, (-1, 0, 0, 0))
        if tick != now:
            return False
        programs = self.grammar.running.programs
        if struck >= most_struck(programs[part], ensemble=self.ensemble, alone=len(programs) == 1):
            return True
        return not (self._playable(part) & self.grammar.open_pitches(part, tick, highest)).any()

    def update(self, note: AddedNote | None) -> None:
        if note is not None and note.program != DRUMS:
            tick, lowest, highest, struck = self._chord.get(note.part, (-1, 0, 0, 0))
            if tick != note.tick:
                lowest, highest, struck = note.pitch, note.pitch, 0
            self._chord[note.part] = note.tick, min(lowest, note.pitch), max(highest, note.pitch), struck + 1


@cache
def _mask_of(pitches: range) -> np.ndarray:
    mask = np.zeros(SIZES[PITCH], bool)
    mask[pitches.start : pitches.stop] = True
    mask.flags.writeable = False
    return mask


def most_struck(program: int, *, ensemble: str, alone: bool = False) -> int:
    """Return how many notes a part strikes at once; `alone`: it is the only part of the piece."""
    if is_monophonic(program, ensemble=ensemble):
        return 1
    if alone and program in KEYBOARDS:
        return LONE_KEYBOARD
    return MOST_STRUCK.get(program, MAX_PITCHES)
