"""Bars that copy earlier ones: notes, some of them with new pitches, or their rhythm alone (compose/form.py).

    notes of the source bars ──► queue of notes that are due ──► masks: the next onset, its part, pitch and length

Parts that copy play what is due and nothing else; parts that are free play around them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from imagemusic.compose.form import EXACT, FREE, VARIED, BarPlan
from imagemusic.compose.rules.bars import BarGrid
from imagemusic.events.context import AddedNote
from imagemusic.events.grammar import GrammarState
from imagemusic.events.vocabulary import DRUMS, DURATION, END, GAP, MAX_GAP, PART, PITCH, REST, SIZES
from imagemusic.generation.processors import Logits, NextEvent

KEEP = 0.6  # share of the notes of a varied bar that keep their pitch
LOOK_AHEAD = 2  # bars
NEAR_BONUS = 1.5  # nats that pitches near the one that is varied gain


@dataclass(frozen=True, slots=True, order=True)
class Due:
    """A note that is due."""

    tick: int
    part: int
    pitch: int
    duration: int = field(compare=False)  # index
    keeps_pitch: bool = field(compare=False)


@dataclass(slots=True)
class BarCopying:
    """Copies bars as a plan says."""

    grammar: GrammarState
    make_plan: Callable[[BarGrid], Sequence[BarPlan]]  # once the header is written
    seed: Sequence[int]  # of the choices in varied bars
    limit: Callable[[], int | None] = lambda: None  # tick at which pitched notes end at the latest
    is_full: Callable[[int, int], bool] = lambda part, tick: False  # whether a part can add no note at a tick
    columns = (GAP, PART, PITCH, DURATION)
    plan: Sequence[BarPlan] | None = None
    _notes: dict[int, list[AddedNote]] = field(default_factory=dict)  # bar -> its notes
    _played: set[tuple[int, int]] = field(default_factory=set)  # bars and parts that have notes
    _queues: dict[int, list[Due]] = field(default_factory=dict)  # bar -> notes that are due
    _count: int = 0  # notes so far
    _built: dict[int, int] = field(default_factory=dict)  # bar -> notes there were when its queue was built
    _closed: dict[int, int] = field(default_factory=dict)  # bar -> ticks in which only notes that are due may start
    # Of the event in the making, by tick: `forced_value` asks first, `apply` and other rules ask again.
    _next_due: dict[int, Due | None] = field(default_factory=dict)
    _choices: dict[tuple[int, int], tuple[np.ndarray, int | None]] = field(default_factory=dict)  # column and tick

    def apply(self, column: int, logits: Logits, event: NextEvent) -> None:
        grammar = self.grammar
        if grammar.in_header:
            return
        if self.plan is None:
            self.plan = self.make_plan(BarGrid.of(grammar))
        if column == GAP:
            self._apply_gap(event)
        elif column == PART:
            self._apply_part(event)
        elif (due := self._due_now()) is not None:
            if column == DURATION:
                event.narrow(_only(SIZES[DURATION], due.duration))
            elif due.keeps_pitch and event.narrow(_only(SIZES[PITCH], due.pitch)):
                return
            elif grammar.pitched_part is not None:
                distance = np.abs(np.arange(SIZES[PITCH]) - due.pitch)
                logits += NEAR_BONUS * np.maximum(0, 1 - distance / 7)

    def update(self, note: AddedNote | None) -> None:
        self._next_due.clear()
        self._choices.clear()
        if note is None:
            return
        grid = BarGrid.of(self.grammar)
        if self.plan is None:
            self.plan = self.make_plan(grid)
        self._queue(grid.bar_of(note.tick))  # also where the note was given, not generated
        self._notes.setdefault(grid.bar_of(note.tick), []).append(note)
        self._played.add((grid.bar_of(note.tick), note.part))
        self._count += 1
        for bar in [bar for bar in self._queues if bar <= grid.bar_of(note.tick)]:
            played = (note.tick, note.part)
            queue = self._queues[bar]
            index = next((i for i, due in enumerate(queue) if (due.tick, due.part) == played), None)
            done = 0 if index is None else index + 1
            while done < len(queue) and (queue[done].tick, queue[done].part) < played:
                done += 1
            self._queues[bar] = queue[done:]

    def _bar_plan(self, bar: int) -> BarPlan:
        assert self.plan is not None
        return self.plan[bar] if 0 <= bar < len(self.plan) else BarPlan("", {})

    def _queue(self, bar: int) -> list[Due]:
        """Return the notes that are due in a bar, in the order of events."""
        if bar not in self._queues:
            grid, rng = BarGrid.of(self.grammar), np.random.default_rng([*self.seed, bar])
            copies = self._bar_plan(bar).copies
            made = []
            for part, copy in copies.items():
                shift = grid.start(bar) - grid.start(copy.source)
                limit = grid.start(copy.source) + copy.until * grid.bar
                kept: dict[int, bool] = {}  # tick -> whether the chord there keeps its pitches
                for note in self._notes.get(copy.source, ()):
                    if note.part == part and note.tick < limit and copy.mode != FREE:
                        keeps = copy.mode == EXACT or copy.mode == VARIED and rng.random() < KEEP
                        keeps = kept.setdefault(note.tick, keeps or note.program == DRUMS)
                        if note.program == DRUMS and copy.mode == VARIED and rng.random() > 0.9:
                            continue
                        made.append(Due(note.tick + shift, part, note.pitch, self._ticks(note, shift) - 1, keeps))
            self._queues[bar], self._built[bar] = sorted(made), self._count
            shares = [
                copies[part].until if self._is_copied(part, grid.start(bar), grid) else 0.0 for part in self._parts
            ]
            # A bar whose source is empty stays open: better something new than silence.
            self._closed[bar] = int(min(shares, default=0.0) * grid.bar) if made else 0
        return self._queues[bar]

    def _ticks(self, note: AddedNote, shift: int) -> int:
        """Return how long the copy of a note lasts."""
        limit = self.limit()
        if limit is None or note.program == DRUMS:
            return note.ticks
        return min(note.ticks, max(limit - note.tick - shift, 1))

    def _copies_from(self, bar: int, later: int) -> bool:
        return any(copy.source >= bar for copy in self._bar_plan(later).copies.values())

    @property
    def _parts(self) -> range:
        return range(len(self.grammar.running.programs))

    def _is_copied(self, part: int, tick: int, grid: BarGrid) -> bool:
        bar = grid.bar_of(tick)
        copy = self._bar_plan(bar).copies.get(part)
        if copy is None or tick - grid.start(bar) >= copy.until * grid.bar:
            return False
        # Drums that did not play in the source bar may begin.
        return self.grammar.running.programs[part] != DRUMS or (copy.source, part) in self._played

    def _closed_ticks(self, bar: int) -> int:
        """Return how many ticks from the start of a bar only onsets that are due may come."""
        self._queue(bar)
        return self._closed[bar]

    def _next(self, tick: int, grid: BarGrid) -> Due | None:
        """Return the next note that is due and can be played, from a tick on."""
        if tick not in self._next_due:
            self._next_due[tick] = self._find_next(tick, grid)
        return self._next_due[tick]

    def _find_next(self, tick: int, grid: BarGrid) -> Due | None:
        bar = grid.bar_of(tick)
        for later in range(bar, bar + LOOK_AHEAD):
            if later > bar and self._built.get(later, self._count) != self._count and self._copies_from(bar, later):
                del self._queues[later]  # its source was not complete yet
            for due in self._queue(later):
                if due.tick >= tick and self._can_play(due):
                    return due
        return None

    def _due_now(self) -> Due | None:
        """Return the note that is due for the part and tick of the event in the making."""
        grammar, grid = self.grammar, BarGrid.of(self.grammar)
        part = grammar.chosen[PART]
        if part >= len(grammar.running.programs) or not self._is_copied(part, grammar.tick, grid):
            return None
        now = grammar.tick, part
        queue = self._queue(grid.bar_of(grammar.tick))
        return next((due for due in queue if (due.tick, due.part) == now and self._can_play(due)), None)

    def _can_play(self, due: Due) -> bool:
        return self.grammar.can_strike(due.part, due.pitch, due.tick) and not self.is_full(due.part, due.tick)

    def _apply_gap(self, event: NextEvent) -> None:
        """Allow no gap past the next onset that is due, and in closed bars no other onset."""
        event.narrow(self._choice(GAP)[0])

    def _choice(self, column: int) -> tuple[np.ndarray, int | None]:
        """Return the gaps or parts (V,) that are allowed, and the only one where there is but one; read-only."""
        key = column, self.grammar.running.tick if column == GAP else self.grammar.tick
        if key not in self._choices:
            self._choices[key] = self._gaps() if column == GAP else self._players()
        return self._choices[key]

    def _gaps(self) -> tuple[np.ndarray, int | None]:
        grid, now = BarGrid.of(self.grammar), self.grammar.running.tick
        due = self._next(now, grid)
        reach = MAX_GAP if due is None else min(due.tick - now, MAX_GAP)
        allowed = np.zeros(SIZES[GAP], bool)
        allowed[: reach + 1] = True
        for bar in range(grid.bar_of(now), grid.bar_of(now + reach) + 1):
            first = grid.start(bar) - now
            allowed[max(first, 0) : max(first + self._closed_ticks(bar), 0)] = False
        if due is None:
            return allowed, None
        allowed[reach] = True
        return allowed, reach if not allowed[:reach].any() else None

    def _apply_part(self, event: NextEvent) -> None:
        """Allow the part that is due, and free parts that come before it."""
        event.narrow(self._choice(PART)[0])

    def parts_now(self) -> np.ndarray | None:
        """Return the parts (V,) that may start a note at the tick of the event in the making; None for all."""
        return None if self.plan is None else self._choice(PART)[0]

    def _players(self) -> tuple[np.ndarray, int | None]:
        grammar, grid = self.grammar, BarGrid.of(self.grammar)
        tick = grammar.tick
        due = self._next(tick, grid)
        allowed = np.zeros(SIZES[PART], bool)
        for part in self._parts:
            allowed[part] = not self._is_copied(part, tick, grid)
        if due is None or due.tick != tick:
            allowed[[END, REST]] = True
            return allowed, None
        allowed[due.part :] = False
        only = not allowed.any()
        allowed[[due.part, END, REST]] = True
        return allowed, due.part if only else None

    def forced_value(self, column: int) -> int | None:
        """Return the value of a field of a note that is due, where nothing else may come."""
        if self.plan is None or self.grammar.in_header:
            return None
        if column == GAP:
            return self._choice(GAP)[1]
        if column == PART:
            return self._choice(PART)[1]
        if column in (PITCH, DURATION) and (due := self._due_now()) is not None:
            if column == DURATION:
                return due.duration
            return due.pitch if due.keeps_pitch else None
        return None


def _only(size: int, value: int) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[value] = True
    return mask
