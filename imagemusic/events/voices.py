"""What is planned before the first note, and which part may start a note when.

    Plan     end, tempo, meter, who plays, which pitches, how many at once
    Stage    who holds what, and who has yet to come in ──► parts and pitches that are open at a tick

Every limit leaves a way on: a part that is not open now is open once another note has ended, and before a part has come
in, notes are kept so short that a voice is free for it when it must.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from imagemusic.events import codec, context
from imagemusic.events.quantize import DRUM_TICKS, TICKS_PER_BEAT
from imagemusic.events.vocabulary import DRUMS, HOLD, MAX_DURATION, SIZES, SLOTS
from imagemusic.music.ensembles import Instrumentation

Mask = NDArray[np.bool_]
COMPASS = range(21, 109)  # the piano's, wide enough for every instrument
MOST_AT_ONCE = 8  # notes that a part starts together; hardly a chord of the training music has more
LOWEST_DRUM, HIGHEST_DRUM = 27, 87  # the General MIDI drum map with its GS ends
SIMPLE_METERS = tuple(i + 1 for i, (n, d) in enumerate(codec.METERS) if d in (2, 4, 8) and n in (2, 3, 4, 6, 9, 12))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is planned before the first note."""

    end: int  # tick at which the last note shall end
    tempo: int  # index in the tempo vocabulary, nearest to ...
    tempo_bpm: float = 120.0  # ... the tempo in which the piece will be played
    meter: int | None = None  # index in the meter vocabulary; None lets the decoder choose ...
    meters: tuple[int, ...] = SIMPLE_METERS  # ... one of these
    ending_slack: int = 0  # ticks before `end` at which the piece may already close, on a beat
    instrumentation: Instrumentation | None = None  # who may play; None leaves it to the decoder
    longest_silence: int = 2 * context.COMMON_BAR  # ticks in which nothing sounds
    pitches: frozenset[int] = frozenset(COMPASS)  # what may be played, by all but drums; at least one
    polyphony: int | None = None  # notes that may sound at once, drums apart; at least 1

    @property
    def drums_only(self) -> bool:
        """Tell whether nothing but drums may play."""
        return self.instrumentation is not None and not self.instrumentation.first


@dataclass(slots=True)
class VoiceState:
    """The players of a piece in the making."""

    plan: Plan
    running: context.Running
    begun: bool = False  # whether any part has played
    last_offset: int = 0  # tick at which the last note ends; drums count where they are alone
    last_stroke: int = 0  # tick at which the last stroke of drums ends
    waiting: set[int] = field(default_factory=set)  # parts that must play and have not yet
    _chord: tuple[int, int, int] = (-1, -1, 0)  # tick and part of the last notes, and how many
    _held: dict[int, dict[int, int]] = field(default_factory=dict)  # part -> pitch -> offset
    _tied: dict[tuple[int, int], int] = field(default_factory=dict)  # (part, pitch) -> offset of a row that goes on
    _compass: Mask = field(init=False)
    _highest: int = field(init=False)  # pitch of the compass
    _drum_map: Mask = field(init=False)
    _players: int = field(init=False)  # parts that must play
    _entry_ticks: int = field(init=False)  # between the latest entries of two of them

    def __post_init__(self) -> None:
        self._drum_map = np.zeros(SIZES[codec.PITCH], bool)
        self._drum_map[LOWEST_DRUM : HIGHEST_DRUM + 1] = True
        self.follow(self.plan)

    def follow(self, plan: Plan) -> None:
        """Keep to another plan, before anybody has played."""
        self.plan = plan
        self._compass = np.zeros(SIZES[codec.PITCH], bool)
        self._compass[list(plan.pitches)] = True
        self._highest = max(plan.pitches)
        self._players = len(plan.instrumentation.exactly) if plan.instrumentation else 0
        # Entries are due evenly over the first half, on beats where there are enough of them.
        self._entry_ticks = plan.end // 2 // max(self._players, 1)
        if self._entry_ticks >= TICKS_PER_BEAT:
            self._entry_ticks -= self._entry_ticks % TICKS_PER_BEAT

    def declare(self, part: int) -> None:
        """Let a part join."""
        if self.plan.instrumentation is not None and self.plan.instrumentation.exactly:
            self.waiting.add(part)

    def update(self, part: int, pitch: int, tick: int, duration: int) -> None:
        """Take in a note; `duration` is its index in the vocabulary."""
        offset = tick + min(duration + 1, MAX_DURATION)
        self.begun = True
        self.waiting.discard(part)
        self._chord = tick, part, self._chord[2] + 1 if self._chord[:2] == (tick, part) else 1
        held = self._held.setdefault(part, {})
        if len(held) > 8:
            for gone in [other for other, end in held.items() if end <= tick]:
                del held[gone]
        held[pitch] = offset
        if duration == HOLD:
            self._tied[part, pitch] = offset
        if self.is_drums(part):
            self.last_stroke = max(self.last_stroke, offset)
        if not self.is_drums(part) or self.plan.drums_only:
            self.last_offset = max(self.last_offset, offset)

    def is_drums(self, part: int) -> bool:
        """Tell whether a part is the drums."""
        return self.running.programs[part] == DRUMS

    def is_tied(self, part: int, pitch: int, tick: int) -> bool:
        """Tell whether a row of `pitch` at `tick` only prolongs a note that `part` has held until then."""
        return self._tied.get((part, pitch)) == tick

    @property
    def patience(self) -> int:
        """Ticks that may pass in silence: less than a bar before the first note."""
        silence = self.plan.longest_silence
        return silence if self.begun else min(self.running.bar - 1, silence)

    # When.

    @property
    def latest(self) -> int:
        """Last tick at which the next note may start."""
        latest = self.plan.end - (DRUM_TICKS if self.plan.drums_only else 1)
        if self.waiting:
            latest = min(latest, self._due(len(self.waiting)))
        return min(latest, self.last_offset + self.patience)

    @property
    def latest_drums(self) -> int:
        """Last tick at which a stroke fits, where drums play."""
        programs = self.running.programs
        return self.plan.end - DRUM_TICKS if programs and programs[-1] == DRUMS else -1

    def _due(self, waiting: int) -> int:
        """Tick by which the first of so many parts has to come in."""
        return (self._players - waiting + 1) * self._entry_ticks

    def is_due(self, tick: int) -> bool:
        """Tell whether a part that has not played must come in now."""
        return bool(self.waiting) and tick >= self._due(len(self.waiting))

    def first_start(self, tick: int) -> int:
        """First tick, from `tick` on, at which a part other than drums can start a note if no other part does."""
        start = self._voice_free(tick)
        if len(self.running.sounding) < len(self.plan.pitches):
            return start
        pitched = range(len(self.running.programs) - (self.latest_drums >= 0))
        return max(start, min((self._pitch_free(part, tick) for part in pitched), default=tick))

    def _voice_free(self, tick: int) -> int:
        """First tick, from `tick` on, at which fewer notes sound than may."""
        most = self.plan.polyphony
        if most is None or len(self.running.sounding) < most:
            return tick
        offsets = sorted(offset for offset, _ in self.running.sounding if offset > tick)
        return tick if len(offsets) < most else offsets[-most]

    def _pitch_free(self, part: int, tick: int) -> int:
        """First tick, from `tick` on, at which a part does not hold every pitch there is."""
        ends = [end for end in self._held.get(part, {}).values() if end > tick]
        return tick if len(ends) < len(self.plan.pitches) else min(ends)

    def longest(self, part: int, tick: int) -> int:
        """Ticks that a note of `part` may last: to the end, unless a part that has not played will need its voice."""
        plan, waiting = self.plan, self.waiting - {part}
        if plan.polyphony is not None and waiting and not self.is_drums(min(waiting)):
            due = self._due(len(waiting))
            if sum(offset > due for offset, _ in self.running.sounding) >= plan.polyphony - 1:
                return due - tick
        return plan.end - tick

    # Who, and what.

    def playable(self, tick: int) -> Mask:
        """Parts that may start a note at `tick`; a drum stroke must fit before the end, and breaks no silence."""
        mask = np.zeros(SIZES[codec.PART], bool)
        players, with_drums = len(self.running.programs), self.latest_drums >= 0
        pitched = players - with_drums
        if self._voice_free(tick) == tick:
            mask[:pitched] = True
            if len(self.running.sounding) >= len(self.plan.pitches):
                mask[[part for part in range(pitched) if self._pitch_free(part, tick) > tick]] = False
        if with_drums:
            silent = not self.plan.drums_only and tick - self.last_offset >= self.patience
            mask[pitched] = tick <= self.latest_drums and not silent
        if self.is_due(tick):
            due = np.zeros_like(mask)
            due[list(self.waiting)] = True
            # Drums alone cannot come in after a silence: another part breaks it for them.
            return due & mask if (due & mask).any() else mask
        return mask

    def stackable(self, tick: int, part: int, pitch: int) -> Mask:
        """Parts that may play with the row before, of `part` and `pitch`: rows of a tick go by part, then by pitch."""
        mask = self.playable(tick)
        if part < SLOTS:
            mask[:part] = False
            full = self._chord == (tick, part, MOST_AT_ONCE)
            mask[part] = mask[part] and not full and self._is_open(part, tick, above=pitch)
        return mask

    def _is_open(self, part: int, tick: int, above: int) -> bool:
        """Tell whether `open` allows any pitch; most often its highest is free."""
        highest = HIGHEST_DRUM if self.is_drums(part) else self._highest
        free = highest > above and self._held.get(part, {}).get(highest, tick) <= tick
        return free or bool(self.open(part, tick, above).any())

    def can_strike(self, part: int, pitch: int, tick: int) -> bool:
        """Whether a part may start a pitch at a tick: it is in the compass, and the part does not hold it."""
        compass = self._drum_map if self.is_drums(part) else self._compass
        held = self._held.get(part)
        return bool(compass[pitch]) and (held is None or held.get(pitch, tick) <= tick)

    def open(self, part: int, tick: int, above: int = -1) -> Mask:
        """Pitches above another that a part may strike at `tick`: those of its compass that it does not hold."""
        if self.is_drums(part):
            mask = self._drum_map.copy()
        else:
            mask = self._compass.copy()
            if held := self._held.get(part):
                mask[[pitch for pitch, end in held.items() if end > tick]] = False
        mask[: above + 1] = False
        return mask
