"""What may come next: the rules of the codec, and the constraints of a plan.

A `GrammarState` takes the fields of one event after another and says, before each, which values are allowed.  Rules
are hard: whatever a decoder prefers, what is written decodes to a score that keeps them, and the last note ends where
the piece was planned to end.  It also keeps the context that the decoder is fed.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from imagemusic.events import codec, context
from imagemusic.events.ending import can_close, close, closing_tick
from imagemusic.events.memory.pointers import Proposal
from imagemusic.events.memory.running import PlannedMemory
from imagemusic.events.quantize import DRUM_TICKS, ROLES, TICKS_PER_BEAT
from imagemusic.events.vocabulary import (
    DRUMS,
    END,
    MAX_DURATION,
    MAX_GAP,
    METER,
    REST,
    SIZES,
    SLOT,
    SLOTS,
    START,
    TEMPO,
    VELOCITY_STEP,
    interval_index,
)
from imagemusic.events.voices import Mask, Plan, VoiceState

NEAR_END = 8 * TICKS_PER_BEAT  # ticks
Event = tuple[int, int, int, int, int]


def _one(size: int, *values: int) -> Mask:
    mask = np.zeros(size, bool)
    mask[list(values)] = True
    return mask


_PITCHED_ROLES = _one(SIZES[codec.DURATION], *(i for i, role in enumerate(ROLES) if role != "drums"))
_LOUDNESS = _one(SIZES[codec.VELOCITY], *range(1, SIZES[codec.VELOCITY]))
_ANY_LENGTH = np.ones(SIZES[codec.DURATION], bool)


@dataclass(slots=True)
class GrammarState:
    """A piece in the making, held to a plan."""

    plan: Plan
    replan: Callable[[int], Plan] | None = None  # meter -> plan, once the decoder has chosen a meter
    events: list[Event] = field(default_factory=list)
    running: context.Running = field(default_factory=context.Running)
    finished: bool = False
    roles: list[str] = field(default_factory=list)  # of the parts declared so far, see ROLES
    last_note: context.AddedNote | None = None  # the last event, if it was a note
    memory: PlannedMemory | None = None  # for a decoder that has one
    _voices: VoiceState = field(init=False)
    _now: list[int] = field(default_factory=list)  # fields of the event in the making
    _previous: tuple[int, ...] = ()
    _stacked: tuple[int, Mask, bool] = (-1, _ANY_LENGTH, True)  # after how many events, what may stack, and if any may

    def __post_init__(self) -> None:
        self._voices = VoiceState(self.plan, self.running)
        start = (0, START, 0, 0, 0)
        self._previous = (*start, 0, 0, context.NO_PROGRAM, 0, self._remaining(0), 0)

    def _remaining(self, tick: int) -> int:
        return context.remaining_of(self.plan.end - tick)

    @property
    def previous(self) -> tuple[int, ...]:
        """Indices of the step's inputs, in the decoder's order: the event before, its context, what is left.

        With a memory, the levels of its proposals and what the plan says of the bar follow.
        """
        if self.memory is None:
            return self._previous
        return *self._previous, *self.memory.propose(codec.GAP, ()).levels, *self.memory.plan_at(self.running.tick)

    def proposal(self, column: int) -> Proposal:
        """Return what the memory, which there must be, proposes for the next field, given the fields chosen."""
        assert self.memory is not None
        return self.memory.propose(column, self._now)

    def proposal_of_stacked_part(self) -> Proposal:
        """Return what the memory, which there must be, proposes for the part if the gap were 0."""
        assert self.memory
        return self.memory.propose(codec.PART, (0,))

    @property
    def tick(self) -> int:
        """Tick of the event in the making; that of the last event while its gap is not chosen."""
        return self.running.tick + (self._now[0] if self._now else 0)

    @property
    def in_header(self) -> bool:
        """Tell whether meter, tempo and parts are still being written."""
        return len(self.events) < 3 or self.events[-1][1] == SLOT

    # What is allowed, field by field.

    def forced_value(self, column: int) -> int | None:
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

    def mask(self, column: int) -> Mask:
        """Values that the next field may take, over its vocabulary; never none."""
        return (self._gaps, self._parts, self._pitches, self._durations, self._velocities)[column]()

    def _gaps(self) -> Mask:
        mask = np.zeros(SIZES[codec.GAP], bool)
        if self.in_header and not self._is_scored():
            mask[0] = True
            return mask
        voices, tick = self._voices, self.running.tick
        reach = voices.latest - tick
        if reach > 0:
            wait = max(voices.first_start(tick) - tick, 1)
            mask[wait : reach + 1] = True
            if wait > 1:  # no pitched part can start before, but drums can, and rests pass the time
                mask[1 : max(min(voices.latest_drums - tick, reach), 0) + 1] = True
                if reach >= MAX_GAP:
                    mask[MAX_GAP] = True
        mask[0] = self.in_header or reach <= 0 or self.may_end or self._may_stack()
        return mask

    def notes_before_end(self) -> tuple[Sequence[int], Mask] | None:
        """What `known` would say of the gap 0, and the parts that may then play, near an end that must wait.

        An end has no gap.  So a decoder that feels the end coming chooses the gap 0, and where the end must wait it
        would stack note upon note.  None where nothing is to be held back.
        """
        tick = self.running.tick
        if self.in_header or self.plan.end - tick > NEAR_END or self.may_end or not self._may_stack():
            return None
        return self._context_after(0, tick), self.stackable()

    @property
    def may_end(self) -> bool:
        """Tell whether the next row may be the end."""
        voices = self._voices
        if self.in_header or voices.waiting:
            return False
        early = self.plan.end - closing_tick(voices, self.running)
        if early <= self.plan.ending_slack and can_close(self.events, voices, self.running):
            return True
        return self.running.tick >= self.plan.end - 1 and not self._may_stack()  # nothing else is left to write

    def _may_stack(self) -> bool:
        """Tell whether another note may start with the last one."""
        self.stackable()
        return self._stacked[2]

    def stackable(self) -> Mask:
        """Parts (V,) that may play with the last row; the mask is computed once an event, and not to be changed."""
        if self._stacked[0] != len(self.events):
            _, part, pitch, _, _ = self.events[-1]
            mask = self._voices.stackable(self.running.tick, part, pitch)
            self._stacked = len(self.events), mask, bool(mask.any())
        return self._stacked[1]

    def _is_scored(self) -> bool:
        """Tell whether enough parts are declared for the music to begin."""
        programs, instrumentation = self.running.programs, self.plan.instrumentation
        if instrumentation is None:
            return bool(programs)
        return len(programs) >= instrumentation.least and (DRUMS in programs or not instrumentation.drums)

    def _may_declare(self) -> bool:
        """Tell whether another part may join; drums are the last."""
        programs, instrumentation = self.running.programs, self.plan.instrumentation
        return len(programs) < (instrumentation.most if instrumentation else SLOTS) and DRUMS not in programs

    def _declarable(self) -> Mask:
        """Programs of the next part."""
        programs, instrumentation = self.running.programs, self.plan.instrumentation
        mask = np.zeros(SIZES[codec.PITCH], bool)
        if instrumentation is not None and instrumentation.exactly:
            missing = Counter(instrumentation.exactly) - Counter(programs)
            mask[list(missing.keys() - {DRUMS} or {DRUMS})] = True  # drums are the last to join
            return mask
        if instrumentation is None:
            mask[:DRUMS] = True
            mask[DRUMS] = bool(programs)
            return mask
        last = len(programs) == instrumentation.most - 1
        if not (instrumentation.drums and last):
            mask[list(instrumentation.others if programs else instrumentation.first)] = True
        # Drums close the header, so they wait until enough others play.
        mask[DRUMS] = instrumentation.drums and len(programs) >= instrumentation.least - 1
        return mask

    def _parts(self) -> Mask:
        gap, tick, voices = self._now[codec.GAP], self.tick, self._voices
        if self.in_header:
            mask = voices.playable(tick) if self._is_scored() else np.zeros(SIZES[codec.PART], bool)
            mask[SLOT] = gap == 0 and self._may_declare()
        elif gap == 0:
            mask = self.stackable().copy()
            mask[END] = self.may_end
        else:
            mask = voices.playable(tick)
        if gap == MAX_GAP:
            mask[REST] = tick - voices.last_offset < voices.patience and not voices.is_due(tick)
        return mask

    def _pitches(self) -> Mask:
        part = self._now[codec.PART]
        if part == METER:
            return _one(SIZES[codec.PITCH], *self.plan.meters)
        if part == SLOT:
            return self._declarable()
        _, last_part, last_pitch, _, _ = self.events[-1]
        stacked = self._now[codec.GAP] == 0 and last_part == part
        return self._voices.open(part, self.tick, above=last_pitch if stacked else -1)

    def _durations(self) -> Mask:
        part = self._now[codec.PART]
        if part == SLOT:
            return _PITCHED_ROLES
        room = self._voices.longest(part, self.tick)
        if room > MAX_DURATION:
            return _ANY_LENGTH
        mask = np.zeros(SIZES[codec.DURATION], bool)
        mask[:room] = True
        return mask

    def _velocities(self) -> Mask:
        return _LOUDNESS

    @property
    def pitched_part(self) -> int | None:
        """Part of the note in the making; None for drums and for rows of the header."""
        part = self._now[codec.PART]
        return part if part < SLOTS and self.running.programs[part] != DRUMS else None

    def can_strike(self, part: int, pitch: int, tick: int) -> bool:
        """Whether a part may start a pitch at a tick: it does not hold it, and the plan allows it."""
        return self._voices.can_strike(part, pitch, tick)

    def open_pitches(self, part: int, tick: int, above: int = -1) -> Mask:
        """Pitches (V,) above another that a part may start at a tick."""
        return self._voices.open(part, tick, above)

    @property
    def chosen(self) -> tuple[int, ...]:
        """Fields of the event in the making that are chosen."""
        return tuple(self._now)

    # What the decoder is conditioned on.
    def context_of(self, column: int) -> tuple[int, ...]:
        """Indices of what has become known with a field, in the order of the decoder's stages."""
        if column == codec.GAP:
            return self._context_after(self._now[0], self.tick)
        part = self._now[codec.PART]
        pitch, duration, velocity = self.running.last_note(part)
        if column == codec.PART:
            return part, self.running.program(part) if part < SLOTS else context.NO_PROGRAM, pitch
        if column == codec.PITCH:
            return self._now[codec.PITCH], duration
        return self._now[codec.DURATION], velocity

    def _context_after(self, gap: int, tick: int) -> tuple[int, ...]:
        known = gap, self.running.place(tick), self.running.chroma(tick)
        return known if self.memory is None else (*known, *self.memory.plan_at(tick))

    def append(self, value: int) -> None:
        """Write the next field; the fifth completes the event."""
        self._now.append(value)
        if len(self._now) < len(SIZES):
            return
        gap, part, pitch, duration, velocity = event = tuple(self._now)
        if part == METER and self.replan is not None:
            self.plan = self.replan(pitch)
            self._voices.follow(self.plan)
        tick, running = self.tick, self.running
        last_pitch = running.last_note(part)[0]
        program = running.program(part) if part < SLOTS else context.NO_PROGRAM
        place, bar, chroma = running.place(tick), running.bar_number(tick), running.chroma(tick)
        interval = interval_index(pitch, last_pitch, program)
        self._previous = (*event, place, bar, program, interval, self._remaining(tick), chroma)
        self.last_note = None
        if part < SLOTS:
            ticks, tied = min(duration + 1, MAX_DURATION), self._voices.is_tied(part, pitch, tick)
            self.last_note = context.AddedNote(tick, part, program, pitch, ticks, velocity * VELOCITY_STEP, tied)
            self._voices.update(part, pitch, tick, duration)
        elif part == SLOT:
            self._voices.declare(len(running.programs))
            self.roles.append(ROLES[min(duration, len(ROLES) - 1)])
        self.events.append(event)  # type: ignore[arg-type]
        running.add(event)  # type: ignore[arg-type]
        if self.memory is not None:
            self.memory.add(event)
        self._now = []
        self.finished = part == END
        if self.finished:
            close(self.events, self._voices, running)
