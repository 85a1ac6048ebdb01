"""What may be written next: the rules of the codec, and what a listener asked for.

A `Writer` takes the fields of one event after another and says, before each, which values are allowed.  Rules are hard:
whatever a decoder prefers, what is written decodes to a score that keeps them, and the last note ends where the piece
was planned to end.  It also keeps the context that the decoder is fed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from imagemusic.music import codec, context
from imagemusic.music.canonical import DRUM_TICKS, ROLES, TICKS_PER_BEAT
from imagemusic.music.codec import (
    DRUMS,
    END,
    HOLD,
    MAX_DURATION,
    MAX_GAP,
    METER,
    REST,
    SIZES,
    SLOT,
    SLOTS,
    START,
    TEMPO,
)
from imagemusic.music.ensembles import Scoring

Mask = NDArray[np.bool_]
LOWEST, HIGHEST = 21, 108  # the piano's compass, wide enough for every instrument
LOWEST_DRUM, HIGHEST_DRUM = 27, 87  # the General MIDI drum map with its GS ends
SIMPLE_METERS = tuple(i + 1 for i, (n, d) in enumerate(codec.METERS) if d in (2, 4, 8) and n in (2, 3, 4, 6, 9, 12))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is settled before the first note."""

    end: int  # tick at which the last note shall end
    tempo: int  # index in the tempo vocabulary, nearest to ...
    tempo_bpm: float = 120.0  # ... the tempo in which the piece will be played
    meter: int | None = None  # index in the meter vocabulary; None lets the decoder choose a simple one
    ending_slack: int = 0  # ticks before `end` at which the piece may already close, on a beat
    scoring: Scoring | None = None  # who may play; None leaves it to the decoder
    longest_silence: int = 2 * context.COMMON_BAR  # ticks in which nothing sounds

    @property
    def drums_only(self) -> bool:
        """Tell whether nothing but drums may play."""
        return self.scoring is not None and not self.scoring.first


def _one(size: int, *values: int) -> Mask:
    mask = np.zeros(size, bool)
    mask[list(values)] = True
    return mask


@dataclass(slots=True)
class Writer:
    """A piece in the making, held to a plan."""

    plan: Plan
    replan: Callable[[int], Plan] | None = None  # meter -> plan, once the decoder has chosen a meter
    events: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    running: context.Running = field(default_factory=context.Running)
    finished: bool = False
    _now: list[int] = field(default_factory=list)  # fields of the event in the making
    _ends: dict[tuple[int, int], int] = field(default_factory=dict)  # (part, pitch) -> offset
    _last_offset: int = 0
    _before: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        start = (0, START, 0, 0, 0)
        self._before = (*start, 0, 0, context.NO_PROGRAM, 0, self._remaining(0), 0)

    def _remaining(self, tick: int) -> int:
        return int(context.remaining_index(np.array(self.plan.end - tick)))

    @property
    def _patience(self) -> int:
        """Ticks that may pass in silence: less than a bar before the first note."""
        return self.plan.longest_silence if self._ends else min(self.running.bar - 1, self.plan.longest_silence)

    @property
    def before(self) -> tuple[int, ...]:
        """Indices of the step's inputs, in the decoder's order: the event before, its context, what is left."""
        return self._before

    @property
    def tick(self) -> int:
        """Tick of the event in the making; that of the last event while its gap is not chosen."""
        return self.running.tick + (self._now[0] if self._now else 0)

    @property
    def in_header(self) -> bool:
        """Tell whether meter, tempo and parts are still being written."""
        return len(self.events) < 3 or self.events[-1][1] == SLOT

    # What is allowed, field by field.

    def implied(self, column: int) -> int | None:
        """Value of a field that leaves no choice; None where the decoder chooses."""
        if column == codec.GAP:
            return 0 if len(self.events) < 3 else None
        if column == codec.PART:
            return (METER, TEMPO, SLOT)[len(self.events)] if len(self.events) < 3 else None
        part = self._now[codec.PART]
        if column == codec.PITCH:
            if part == TEMPO:
                return self.plan.tempo
            if part == METER:
                return self.plan.meter
            return 0 if part in (REST, END) else None
        if column == codec.DURATION:
            if part == SLOT and self._now[codec.PITCH] == DRUMS:
                return ROLES.index("drums")
            if part < SLOTS and self.running.programs[part] == DRUMS:
                return DRUM_TICKS - 1
            return None if part <= SLOT else 0
        return None if part < SLOTS else 0

    def allowed(self, column: int) -> Mask:
        """Values that the next field may take, over its vocabulary; never none."""
        return (self._gaps, self._parts, self._pitches, self._durations, self._velocities)[column]()

    def _gaps(self) -> Mask:
        if self.in_header and not self._is_scored():
            return _one(SIZES[codec.GAP], 0)
        mask = np.zeros(SIZES[codec.GAP], bool)
        tick = self.running.tick
        latest = self.plan.end - (DRUM_TICKS if self.plan.drums_only else 1)
        reach = min(latest, self._last_offset + self._patience) - tick
        mask[: max(reach, 0) + 1] = True
        mask[0] = self.in_header or self._may_end() or self._may_stack() or reach <= 0
        return mask

    def _may_end(self) -> bool:
        if self.in_header:
            return False
        early = self.plan.end - self._last_offset
        on_beat = (self._last_offset - self.running.origin) % TICKS_PER_BEAT == 0
        if early == 0 or early <= self.plan.ending_slack and on_beat:
            return True
        return self.running.tick >= self.plan.end - 1 and not self._may_stack()  # nothing else is left to write

    def _may_stack(self) -> bool:
        """Tell whether another note may start with the last one: rows of a tick go by part, then by pitch."""
        return bool(self._stackable(self.running.tick).any())

    def _stackable(self, tick: int) -> Mask:
        """Parts that may play at `tick` after the event before, when no time has passed since it."""
        mask = self._playable(tick)
        _, part, pitch, _, _ = self.events[-1]
        if part < SLOTS:
            mask[:part] = False
            mask[part] &= self._open(part, tick, above=pitch).any()
        return mask

    def _playable(self, tick: int) -> Mask:
        """Parts that may start a note at `tick`; a drum stroke must fit before the end, and breaks no silence."""
        mask = np.zeros(SIZES[codec.PART], bool)
        programs = self.running.programs
        mask[: len(programs)] = True
        if programs and programs[-1] == DRUMS:
            silent = not self.plan.drums_only and tick - self._last_offset >= self._patience
            mask[len(programs) - 1] = tick + DRUM_TICKS <= self.plan.end and not silent
        return mask

    def _open(self, part: int, tick: int, above: int = -1) -> Mask:
        """Pitches above another that a part may strike at `tick`: those of its compass that it does not hold."""
        mask = np.zeros(SIZES[codec.PITCH], bool)
        if self.running.program(part) == DRUMS:
            mask[LOWEST_DRUM : HIGHEST_DRUM + 1] = True
        else:
            mask[LOWEST : HIGHEST + 1] = True
            mask[[pitch for (other, pitch), end in self._ends.items() if other == part and end > tick]] = False
        mask[: above + 1] = False
        return mask

    def _is_scored(self) -> bool:
        """Tell whether enough parts are declared for the music to begin."""
        programs, scoring = self.running.programs, self.plan.scoring
        if scoring is None:
            return bool(programs)
        return len(programs) >= scoring.least and (DRUMS in programs or not scoring.drums)

    def _may_declare(self) -> bool:
        """Tell whether another part may join; drums are the last."""
        programs, scoring = self.running.programs, self.plan.scoring
        return len(programs) < (scoring.most if scoring else SLOTS) and DRUMS not in programs

    def _declarable(self) -> Mask:
        """Programs of the next part."""
        programs, scoring = self.running.programs, self.plan.scoring
        mask = np.zeros(SIZES[codec.PITCH], bool)
        if scoring is None:
            mask[:DRUMS] = True
            mask[DRUMS] = bool(programs)
            return mask
        last = len(programs) == scoring.most - 1
        if not (scoring.drums and last):
            mask[list(scoring.others if programs else scoring.first)] = True
        # Drums close the header, so they wait until enough others play.
        mask[DRUMS] = scoring.drums and len(programs) >= scoring.least - 1
        return mask

    def _parts(self) -> Mask:
        gap = self._now[codec.GAP]
        if self.in_header:
            mask = self._playable(self.tick) & self._is_scored()
            mask[SLOT] = gap == 0 and self._may_declare()
        elif gap == 0:
            mask = self._stackable(self.tick)
            mask[END] = self._may_end()
        else:
            mask = self._playable(self.tick)
        mask[REST] = gap == MAX_GAP and self.tick - self._last_offset < self._patience
        return mask

    def _pitches(self) -> Mask:
        part = self._now[codec.PART]
        size = SIZES[codec.PITCH]
        if part == METER:
            return _one(size, *SIMPLE_METERS)
        if part == SLOT:
            return self._declarable()
        _, last_part, last_pitch, _, _ = self.events[-1]
        if self._now[codec.GAP] == 0 and last_part == part:
            return self._open(part, self.tick, above=last_pitch)
        mask = self._open(part, self.tick)
        return mask if mask.any() else self._open(part, self.plan.end)  # a part that holds all its keys strikes again

    def _durations(self) -> Mask:
        size = SIZES[codec.DURATION]
        if self._now[codec.PART] == SLOT:
            return _one(size, *(i for i, role in enumerate(ROLES) if role != "drums"))
        mask = np.zeros(size, bool)
        room = self.plan.end - self.tick
        mask[: min(room, MAX_DURATION)] = True
        mask[HOLD] = room > MAX_DURATION
        return mask

    def _velocities(self) -> Mask:
        mask = np.ones(SIZES[codec.VELOCITY], bool)
        mask[0] = False
        return mask

    def guarded_part(self) -> int | None:
        """Part of the note in the making where repetition can be held back; None for drums and rows of the header."""
        part = self._now[codec.PART]
        return part if part < SLOTS and self.running.programs[part] != DRUMS else None

    # What the decoder is told.

    def known(self, column: int) -> tuple[int, int, int] | tuple[int, int]:
        """Indices of what has become known with a field, in the order of the decoder's stages."""
        if column == codec.GAP:
            return self._now[0], self.running.place(self.tick), self.running.chroma(self.tick)
        part = self._now[codec.PART]
        pitch, duration, velocity = self.running.last_note(part)
        if column == codec.PART:
            return part, self.running.program(part) if part < SLOTS else context.NO_PROGRAM, pitch
        if column == codec.PITCH:
            return self._now[codec.PITCH], duration
        return self._now[codec.DURATION], velocity

    def put(self, value: int) -> None:
        """Write the next field; the fifth completes the event."""
        self._now.append(value)
        if len(self._now) < len(SIZES):
            return
        gap, part, pitch, duration, velocity = event = tuple(self._now)
        if part == METER and self.replan is not None:
            self.plan = self.replan(pitch)
        tick, running = self.tick, self.running
        last_pitch = running.last_note(part)[0]
        program = running.program(part) if part < SLOTS else context.NO_PROGRAM
        place, bar, chroma = running.place(tick), running.bar_number(tick), running.chroma(tick)
        interval = 0
        if program < DRUMS and last_pitch < context.NO_PITCH:
            interval = max(-24, min(24, pitch - last_pitch)) + 25
        self._before = (*event, place, bar, program, interval, self._remaining(tick), chroma)
        if part < SLOTS:
            offset = tick + min(duration + 1, MAX_DURATION)
            self._ends[part, pitch] = offset
            if program != DRUMS or self.plan.drums_only:
                self._last_offset = max(self._last_offset, offset)
        self.events.append(event)  # type: ignore[arg-type]
        running.add(event)  # type: ignore[arg-type]
        self._now = []
        self.finished = part == END
