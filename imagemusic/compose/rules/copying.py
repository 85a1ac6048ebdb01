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
LOOK_AHEAD = 3  # bars
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
    columns = (GAP, PART, PITCH, DURATION)
    plan: Sequence[BarPlan] | None = None
    _notes: dict[int, list[AddedNote]] = field(default_factory=dict)  # bar -> its notes
    _queues: dict[int, list[Due]] = field(default_factory=dict)  # bar -> notes that are due
    _tick: int = -1  # of the last note

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
            elif due.keeps_pitch:
                event.narrow(_only(SIZES[PITCH], due.pitch))
            elif grammar.pitched_part is not None:
                distance = np.abs(np.arange(SIZES[PITCH]) - due.pitch)
                logits += NEAR_BONUS * np.maximum(0, 1 - distance / 7)

    def update(self, note: AddedNote | None) -> None:
        if note is None or self.plan is None and self.grammar.in_header:
            return
        grid = BarGrid.of(self.grammar)
        self._notes.setdefault(grid.bar_of(note.tick), []).append(note)
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
            made = []
            for part, copy in self._bar_plan(bar).copies.items():
                shift = grid.start(bar) - grid.start(copy.source)
                limit = grid.start(copy.source) + copy.until * grid.bar
                for note in self._notes.get(copy.source, ()):
                    if note.part == part and note.tick < limit and copy.mode != FREE:
                        keeps = copy.mode == EXACT or copy.mode == VARIED and rng.random() < KEEP
                        keeps = keeps or note.program == DRUMS
                        if note.program == DRUMS and copy.mode == VARIED and rng.random() > 0.9:
                            continue
                        made.append(Due(note.tick + shift, part, note.pitch, note.ticks - 1, keeps))
            self._queues[bar] = sorted(made)
        return self._queues[bar]

    def _is_copied(self, part: int, tick: int, grid: BarGrid) -> bool:
        bar = grid.bar_of(tick)
        copy = self._bar_plan(bar).of(part)
        return copy.mode != FREE and tick - grid.start(bar) < copy.until * grid.bar

    def _is_closed(self, tick: int, grid: BarGrid) -> bool:
        """Whether every part is copied at a tick, so that only onsets that are due may come."""
        bar = grid.bar_of(tick)
        if not self._notes.get(bar) and not self._queue(bar):
            return False  # the source was empty: better something new than silence
        return all(self._is_copied(part, tick, grid) for part in range(len(self.grammar.running.programs)))

    def _next(self, tick: int, grid: BarGrid) -> Due | None:
        """Return the next note that is due and can be struck, from a tick on."""
        bar = grid.bar_of(tick)
        for later in range(bar, bar + LOOK_AHEAD):
            if later > bar and any(copy.source >= bar for copy in self._bar_plan(later).copies.values()):
                self._queues.pop(later, None)  # its source is not complete yet: made again when it is asked for
            for due in self._queue(later):
                if due.tick >= tick and self.grammar.can_strike(due.part, due.pitch, due.tick):
                    return due
        return None

    def _due_now(self) -> Due | None:
        """Return the note that is due for the part and tick of the event in the making."""
        grammar, grid = self.grammar, BarGrid.of(self.grammar)
        part = grammar.chosen[PART]
        if part >= len(grammar.running.programs) or not self._is_copied(part, grammar.tick, grid):
            return None
        queue = self._queue(grid.bar_of(grammar.tick))
        return next(
            (due for due in queue if (due.tick, due.part) == (grammar.tick, part)
             and grammar.can_strike(part, due.pitch, due.tick)),
            None,
        )  # fmt: skip

    def _apply_gap(self, event: NextEvent) -> None:
        """Allow no gap past the next onset that is due, and in closed bars no other onset."""
        grammar, grid = self.grammar, BarGrid.of(self.grammar)
        now = grammar.running.tick
        due = self._next(now, grid)
        allowed = np.zeros(SIZES[GAP], bool)
        reach = MAX_GAP if due is None else min(due.tick - now, MAX_GAP)
        closed: dict[tuple[int, bool], bool] = {}
        for gap in range(reach + 1):
            tick = now + gap
            key = grid.bar_of(tick), (tick - grid.start(grid.bar_of(tick))) * 4 >= 2 * grid.bar
            if key not in closed:
                closed[key] = self._is_closed(tick, grid)
            allowed[gap] = not closed[key]
        if due is not None:
            allowed[reach] = True
        event.narrow(allowed)

    def _apply_part(self, event: NextEvent) -> None:
        """Allow the part that is due, and free parts that come before it."""
        grammar, grid = self.grammar, BarGrid.of(self.grammar)
        tick = grammar.tick
        due = self._next(tick, grid)
        allowed = np.zeros(SIZES[PART], bool)
        allowed[[END, REST]] = True
        for part in range(len(grammar.running.programs)):
            allowed[part] = not self._is_copied(part, tick, grid)
        if due is not None and due.tick == tick:
            allowed[due.part + 1 :] = False
            allowed[due.part] = True
        event.narrow(allowed)


def _only(size: int, value: int) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[value] = True
    return mask
