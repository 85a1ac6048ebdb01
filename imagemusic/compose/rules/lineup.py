"""Who plays: a line-up that makes sense, with few parts of a kind and none that is a sound effect."""

from dataclasses import dataclass

import numpy as np

from imagemusic.events.context import AddedNote
from imagemusic.events.grammar import GrammarState
from imagemusic.events.vocabulary import DRUMS, PART, PITCH, SIZES, SLOT
from imagemusic.generation.processors import Logits, NextEvent

# Programs of a kind, and how many parts of it an ensemble may have.
KINDS = {
    "bass": (range(32, 40), 1),
    "guitar": (range(24, 31), 2),
    "keys": ((*range(0, 8), 16, 17, 18, 19), 2),
    "mallets": (range(8, 14), 1),
    "reeds": (range(20, 24), 1),
    "string section": ((48, 49, 50, 51), 2),
    "choir": (range(52, 55), 2),
    "brass": (range(56, 64), 4),
    "woodwind": (range(64, 80), 6),
    "lead": (range(80, 88), 1),
    "pad": (range(88, 96), 1),
    "solo strings": (range(40, 44), 5),
    "harp, timpani": ((45, 46, 47), 2),
}
BAND_WINDS = 2  # of brass, and of woodwind, in a band
MAX_SAME = 2  # parts of one program
MAX_PARTS = {"band": 6, "orchestra": 10, "strings": 4, "voice": 4, "piano": 2}
MIN_PARTS = {"piano": 2, "strings": 3}
NEEDS_BASS = ("band",)
LOW = (42, 43, 70, 57, 58)  # one of them plays in an orchestra: cello, double bass, bassoon, trombone, tuba


@dataclass(slots=True)
class LineUp:
    """Keeps the header to a line-up; instruments that were asked for are left alone."""

    grammar: GrammarState
    ensemble: str
    columns = (PITCH,)

    def apply(self, column: int, logits: Logits, event: NextEvent) -> None:
        grammar = self.grammar
        if grammar.chosen[PART] != SLOT:
            return
        programs = grammar.running.programs
        allowed = np.zeros(SIZES[PITCH], bool)
        allowed[DRUMS] = True
        for kind, (members, most) in KINDS.items():
            most = min(most, BAND_WINDS) if self.ensemble == "band" and kind in ("brass", "woodwind") else most
            if sum(program in members for program in programs) < most:
                allowed[[program for program in members if programs.count(program) < MAX_SAME]] = True
        if self.ensemble in NEEDS_BASS and not any(program in KINDS["bass"][0] for program in programs):
            # Parts go from high to low, the drums last: drums wait for a bass.
            allowed[DRUMS] = False
            if len(programs) < self._least - 2:
                allowed[list(KINDS["bass"][0])] = False  # else there would be two of them before the drums
            if len(programs) >= MAX_PARTS[self.ensemble] - 2:
                allowed[:] = False
                allowed[list(KINDS["bass"][0])] = True
        elif self.ensemble in NEEDS_BASS and any(program in KINDS["bass"][0] for program in programs):
            allowed[:] = False  # nothing lies below the bass but the drums
            allowed[DRUMS] = True
        elif self.ensemble == "orchestra" and len(programs) >= self._least - 1 and not set(LOW) & set(programs):
            allowed[:] = False
            allowed[list(LOW)] = True
        event.narrow(allowed)

    @property
    def _least(self) -> int:
        instrumentation = self.grammar.plan.instrumentation
        return instrumentation.least if instrumentation else 1

    def update(self, note: AddedNote | None) -> None:
        pass
