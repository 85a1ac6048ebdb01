"""The memory of a piece that is being written: the pointers' proposals, one field after another.

    memory = RunningMemory()
    memory.preload(events, programs)        a score from before the piece: a primer, a motif
    memory.propose(GAP, [])                 a value and a level of every pointer, for the gap of the next event
    memory.propose(PART, [gap]) ...         the same for the later fields; then memory.add(event)

The work for an event does not grow with the piece: hashes of the last notes are looked up, places are found by
bisection.  `propose` (proposals.py) gives the same numbers for a whole piece.
"""

from collections.abc import Callable, Iterable, Sequence

from imagemusic.events.context import COMMON_BAR, bar_ticks
from imagemusic.events.memory.matching import Matcher, Note, PartLine
from imagemusic.events.memory.places import PLACES, Places
from imagemusic.events.memory.pointers import (
    ANSWER,
    BROKEN,
    DRUM_OFFSET,
    EXACT,
    INTERVAL_OFFSET,
    LENGTHS,
    NO_INTERVAL,
    NO_IOI,
    NO_PROPOSAL,
    NOTHING,
    PART_LENGTHS,
    PART_LINE,
    PITCH_RANGE,
    POINTERS,
    TERM_RANGE,
    TICK_KEY,
    TRANSPOSED,
    TRANSPOSED_LENGTHS,
    BarAnswers,
    Proposal,
    mix,
)
from imagemusic.events.vocabulary import (
    DRUMS,
    DURATION,
    GAP,
    MAX_GAP,
    METER,
    PART,
    PITCH,
    PLAN_SIZES,
    REST,
    SLOT,
    SLOTS,
)

PlanIndices = tuple[int, ...]  # in the order of PLAN_SIZES
NO_PLAN: PlanIndices = (0,) * len(PLAN_SIZES)


class RunningMemory:
    """The notes so far, and where the pointers point."""

    def __init__(self, answers: BarAnswers | None = None) -> None:
        """Begin an empty memory; `answers` of the plan may be set later."""
        self._places = Places()
        self._places.answer_bars(answers)
        self._notes: list[Note] = []
        self._tick, self._rested, self._floor = 0, False, 0
        self._programs: list[int] = []
        self._exact, self._intervals = Matcher(LENGTHS), Matcher(TRANSPOSED_LENGTHS)
        self._lasts: list[int] = []  # pitch of the last pitched note up to each
        self._matches: dict[int, tuple[int, int]] = {EXACT: (-1, 0), TRANSPOSED: (-1, 0)}
        self._lines: dict[int, PartLine] = {}
        self._at_gap: dict[int, tuple[int, int]] | None = None  # pointer -> note and lag, or wait, that it proposed
        self._gap: Proposal | None = None  # for the gap of the next event, once it was asked for
        self._found: dict[int, int] | None = None  # pointer -> pitch or note that it proposed
        self._line_note: tuple[Note, int] | None = None
        self._sources: tuple[list[Note | None], list[int]] | None = None  # once the pitch is chosen

    def answer_bars(self, answers: BarAnswers | None) -> None:
        """Set which earlier bar each bar answers."""
        self._places.answer_bars(answers)
        self._gap = None

    def preload(self, events: Iterable[Sequence[int]], programs: Sequence[int], bar: int = COMMON_BAR) -> None:
        """Remember the notes of another score, as if they ended just before the piece begins.

        Args:
            events: its events (N, 5), the header too.
            programs: of the parts that the piece will have; a part means the part of the same number.
            bar: ticks of a bar; the score ends at a bar line.

        Raises:
            ValueError: the piece has begun.
        """
        if self._notes or self._tick:
            raise ValueError("a memory is preloaded before the piece begins")
        notes, tick = [], 0
        for gap, part, pitch, duration, velocity in events:
            tick += gap
            if part < SLOTS:
                notes.append(Note(tick, part, pitch, duration, velocity))
        bars = -(-(tick + 1) // bar) if notes else 0
        self._places.first, self._programs = -bars * bar, list(programs)
        for note in notes:
            self._remember(note._replace(tick=note.tick - bars * bar))
        self._programs = []

    # Proposals

    def propose(self, column: int, chosen: Sequence[int]) -> Proposal:
        """Return the proposals for a field, given the fields of the event that are chosen; fields come in order."""
        if not self._notes:
            return NO_PROPOSAL
        if column == GAP:
            self._gap = self._gap or self._gaps()
            return self._gap
        tick = self._tick + chosen[GAP]
        if self._at_gap is None:
            self._gaps()
        if column == PART:
            return self._parts(chosen[GAP], tick)
        if chosen[PART] >= SLOTS:
            return NO_PROPOSAL
        if column == PITCH:
            return self._pitches(chosen[GAP], chosen[PART], tick)
        if self._found is None:
            self._pitches(chosen[GAP], chosen[PART], tick)
        return self._rest_of(column, chosen, tick)

    def _gaps(self) -> Proposal:
        values, levels = [NOTHING] * len(POINTERS), [0] * len(POINTERS)
        notes, places, now = self._notes, self._places, self._tick
        proposed: dict[int, tuple[int, int]] = {}
        for pointer, (match, rank) in self._matches.items():
            if match < 0:
                continue
            wait = notes[match + 1].tick - notes[match].tick - (now - notes[-1].tick)
            if wait >= self._rested:
                proposed[pointer] = match + 1, wait
                values[pointer], levels[pointer] = min(wait, MAX_GAP), rank
        for pointer in PLACES:
            lag = places.lag(pointer, now, now)
            found = places.first_after(self._floor, lag)
            if pointer == ANSWER and found >= 0 and places.answers is not None:
                bar = places.answered_bar(now)
                starts, shifts = places.answers
                if notes[found].tick + lag >= starts[bar + 1]:
                    lag = shifts[bar + 1] if bar + 1 < len(shifts) else 0
                    found = places.first_after(starts[bar + 1] * TICK_KEY, lag)
            if found < 0:
                continue
            wait = notes[found].tick + lag - now
            if wait >= 0:
                proposed[pointer] = found, lag
                values[pointer], levels[pointer] = min(wait, MAX_GAP), places.level(pointer)
        self._at_gap = proposed
        return Proposal(values, levels)

    def _gap_proposal(self, pointer: int) -> tuple[int, int] | None:
        """Return the note that a pointer proposed before the gap was chosen, and its lag or wait."""
        return self._at_gap.get(pointer) if self._at_gap else None

    def _broken(self, pointer: int, found: int) -> int:
        proposed = self._gap_proposal(pointer)
        return 0 if proposed is not None and proposed[0] == found else BROKEN

    def _parts(self, gap: int, tick: int) -> Proposal:
        values, levels = [NOTHING] * len(POINTERS), [0] * len(POINTERS)
        notes, places = self._notes, self._places
        for pointer, (_, rank) in self._matches.items():
            if (proposed := self._gap_proposal(pointer)) is not None:
                number, wait = proposed
                is_long = wait > MAX_GAP
                in_time = gap == MAX_GAP if is_long else gap == wait
                values[pointer] = REST if is_long else notes[number].part
                levels[pointer] = rank + (0 if in_time else BROKEN)
        floor = self._floor if gap == 0 else tick * TICK_KEY
        for pointer in PLACES:
            lag = places.lag(pointer, tick, self._tick)
            found = places.first_after(floor, lag)
            if found < 0:
                continue
            reached = notes[found].tick + lag
            if reached == tick:
                values[pointer] = notes[found].part
            elif gap == MAX_GAP and reached > tick:
                values[pointer] = REST
            else:
                continue
            levels[pointer] = places.level(pointer) + self._broken(pointer, found)
        return Proposal(values, levels)

    def _pitches(self, gap: int, part: int, tick: int) -> Proposal:
        values, levels = [NOTHING] * len(POINTERS), [0] * len(POINTERS)
        notes, places = self._notes, self._places
        found_here: dict[int, int] = {}
        for pointer, (match, rank) in self._matches.items():
            proposed = self._gap_proposal(pointer)
            if proposed is None or proposed[1] > MAX_GAP or notes[proposed[0]].part != part:
                continue
            pitch = notes[proposed[0]].pitch
            if pointer == TRANSPOSED and self._is_pitched(part):
                pitch += self._lasts[-1] - self._lasts[match]
            found_here[pointer] = pitch
            if 0 <= pitch < PITCH_RANGE - 1 or pointer == EXACT:
                values[pointer], levels[pointer] = pitch, rank + (0 if gap == proposed[1] else BROKEN)
        line = tick * TICK_KEY + part * PITCH_RANGE
        floor = max(line, self._floor) if gap == 0 else line
        for pointer in PLACES:
            lag = places.lag(pointer, tick, self._tick)
            found = places.first_after(floor, lag)
            if found >= 0 and notes[found].tick + lag == tick and notes[found].part == part:
                found_here[pointer] = found
                values[pointer] = notes[found].pitch
                levels[pointer] = places.level(pointer) + self._broken(pointer, found)
        self._line_note, self._found = None, found_here
        if (own := self._lines.get(part)) is not None:
            contexts = own.matcher.contexts(tick - own.tick[0])
            for number in range(len(contexts) - 1, -1, -1):
                note = own.latest[number].get(contexts[number])
                if note is not None:
                    self._line_note = note, number + 1
                    values[PART_LINE], levels[PART_LINE] = note.pitch, number + 1
                    break
        return Proposal(values, levels)

    def _rest_of(self, column: int, chosen: Sequence[int], tick: int) -> Proposal:
        """Propose a duration or a velocity, for a note whose pitch is chosen: those of the same earlier notes."""
        if self._sources is None:
            self._sources = self._find_sources(chosen, tick)
        sources, levels = self._sources
        which = 3 if column == DURATION else 4
        return Proposal([NOTHING if note is None else note[which] for note in sources], levels)

    def _find_sources(self, chosen: Sequence[int], tick: int) -> tuple[list[Note | None], list[int]]:
        """Find the note that each pointer means, now that the pitch is chosen, and its level."""
        sources: list[Note | None] = [None] * len(POINTERS)
        levels = [0] * len(POINTERS)
        notes, places, (gap, part, pitch) = self._notes, self._places, chosen[:3]
        found_before = self._found or {}
        for pointer, (_, rank) in self._matches.items():
            proposed = self._gap_proposal(pointer)
            if proposed is not None and pointer in found_before:
                number, wait = proposed
                follows = gap == wait and found_before[pointer] == pitch
                sources[pointer], levels[pointer] = notes[number], rank + (0 if follows else BROKEN)
        key = tick * TICK_KEY + part * PITCH_RANGE + pitch
        for pointer in PLACES:
            lag = places.lag(pointer, tick, self._tick)
            exact = places.first_after(key, lag)
            is_same = exact >= 0 and places.keys[exact] + lag * TICK_KEY == key
            found = exact if is_same else found_before.get(pointer, -1)
            if found >= 0:
                broken = self._broken(pointer, found) if is_same else BROKEN
                sources[pointer], levels[pointer] = notes[found], places.level(pointer) + broken
        if self._line_note is not None:
            note, rank = self._line_note
            sources[PART_LINE], levels[PART_LINE] = note, rank + (0 if note.pitch == pitch else BROKEN)
        return sources, levels

    def _is_pitched(self, part: int) -> bool:
        return part >= len(self._programs) or self._programs[part] != DRUMS

    # What happens

    def add(self, event: Sequence[int]) -> None:
        """Take in an event of the piece."""
        gap, part, pitch, duration, velocity = event
        if part < SLOTS and self._at_gap is None and self._notes:
            self._gaps()
        self._tick += gap
        self._rested = part == REST
        self._floor = self._tick * TICK_KEY
        if part < SLOTS:
            note = Note(self._tick, part, pitch, duration, velocity)
            key = self._floor + part * PITCH_RANGE + pitch
            self._floor = key + 1
            for pointer in PLACES:
                proposed = self._gap_proposal(pointer)
                right = proposed is not None and self._places.keys[proposed[0]] + proposed[1] * TICK_KEY == key
                self._places.judge(pointer, right)
            self._remember(note)
        elif part == REST:
            self._floor += TICK_KEY
        elif part == METER:
            self._places.bar = bar_ticks(pitch)
        elif part == SLOT:
            self._programs.append(pitch)
        self._at_gap = self._gap = self._found = self._sources = None

    def _remember(self, note: Note) -> None:
        """Add a note, and find what the matches point to next."""
        notes, (tick, part, pitch, _, _) = self._notes, note
        wait = tick - notes[-1].tick if notes else 0
        is_pitched = self._is_pitched(part)
        last = self._lasts[-1] if self._lasts else -1
        start = (wait * SLOTS + part) * TERM_RANGE
        self._exact.add(mix(start + pitch))
        interval = pitch - last + INTERVAL_OFFSET if last >= 0 else NO_INTERVAL
        self._intervals.add(mix(start + (interval if is_pitched else DRUM_OFFSET + pitch)))
        self._lasts.append(pitch if is_pitched else last)
        notes.append(note)
        self._places.keys.append(tick * TICK_KEY + part * PITCH_RANGE + pitch)
        self._matches = {EXACT: self._exact.match(), TRANSPOSED: self._intervals.match()}
        line = self._lines.get(part)
        if line is None:
            line = self._lines[part] = PartLine(Matcher(PART_LENGTHS), [{} for _ in PART_LENGTHS], [])
        ioi = tick - line.tick[0] if line.tick else NO_IOI
        for latest, context in zip(line.latest, line.matcher.contexts(ioi) if line.tick else (), strict=False):
            latest[context] = note
        line.tick[:] = [tick]
        line.matcher.add(mix((ioi * SLOTS + part) * TERM_RANGE + pitch))


class PlannedMemory(RunningMemory):
    """A memory with the plan of the piece."""

    def __init__(self, plan_at: Callable[[int], PlanIndices] = lambda tick: NO_PLAN) -> None:
        """Begin an empty memory; `plan_at` returns what the plan says at a tick."""
        super().__init__()
        self.plan_at = plan_at
