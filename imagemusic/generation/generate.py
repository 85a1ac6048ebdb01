"""Many pieces, generated side by side: each from its own condition, with its own rules and its own random numbers.

    requests ──► slots: rows of a batch ──► one event of every piece a step ──► a finished piece frees its slot

For every field of every event: guide the logits, apply the processors of the request (processors.py), mask what the
grammar forbids, divide by the temperature, draw.  Every SEGMENT events a request may move its condition.  A piece is
the same to the bit whatever is generated beside it.
"""

import itertools
import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from imagemusic.events.vocabulary import FIELDS, PLAN_SIZES, SEGMENT
from imagemusic.generation.backends import State
from imagemusic.generation.sampling import Logits, draw, draw_one, guide
from imagemusic.generation.slots import GenerationRequest, Slot
from imagemusic.generation.stepper import GAP, PART, EventHeads, StepConditioning, Stepper

MAX_BATCH = 64  # pieces generated at once
MIN_SECOND_BATCH = 8  # pieces that a second batch must have, to pay
REPORT_EVERY = 16  # steps
MAX_EVENTS = 20_000
T = TypeVar("T")
CHORD_INPUTS = sum(name.endswith("chord") for name in PLAN_SIZES)
NO_CHORDS = (0,) * CHORD_INPUTS
Step: TypeAlias = tuple[EventHeads, State]


def generate(
    stepper: Stepper,
    requests: Sequence[GenerationRequest],
    *,
    max_events: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Append events to the grammar of every request until its piece ends, up to MAX_BATCH of them at a time.

    A grammar that is not finished afterwards has `max_events` events, by default those of its request, or
    MAX_EVENTS.  `progress` gets the number of events so far.
    """
    waiting = deque(requests)
    # Two batches take turns: the step of one runs on a thread of its own while the fields of the other are drawn.
    count = 2 if len(requests) >= 2 * MIN_SECOND_BATCH and (os.cpu_count() or 1) > 1 else 1
    size = min(-(-len(requests) // count), MAX_BATCH // count)
    batches = [BatchScheduler(stepper, waiting, size, max_events) for _ in range(count)]
    with ThreadPoolExecutor(max_workers=1) as pool:
        run: Callable[[Callable[[], Step]], Future[Step] | _Now] = pool.submit if count > 1 else _Now
        turns = deque((batch, run(batch.step)) for batch in batches if batch.admit())
        for turn in itertools.count(1):
            if not turns:
                return
            batch, step = turns.popleft()
            batch.append_events(*step.result())
            if batch.admit():
                turns.append((batch, run(batch.step)))
            if progress and turn % (REPORT_EVERY * count) == 0:
                progress(sum(batch.events for batch in batches))


class _Now:
    """A step that runs when its result is asked for."""

    def __init__(self, work: Callable[[], Step]) -> None:
        self.result = work


class _Settings(NamedTuple):
    """How one field is drawn in each slot (S,)."""

    temperature: NDArray[np.float64]
    top_p: NDArray[np.float64]
    typical: NDArray[np.bool_] | None  # None where no slot is
    scale: NDArray[np.float64]

    def of(self, slots: list[int]) -> "_Settings":
        """Return the same of some of the slots."""
        typical = None if self.typical is None else self.typical[slots]
        return _Settings(self.temperature[slots], self.top_p[slots], typical, self.scale[slots])


@dataclass(slots=True)
class BatchScheduler:
    """Pieces that are generated side by side (continuous batching).

    Rows of a step: the condition of every slot, then the null condition of every guided slot.
    """

    stepper: Stepper
    waiting: deque[GenerationRequest]
    size: int
    max_events: int | None
    events: int = 0
    slots: list[Slot] = field(default_factory=list)
    _state: State = ()
    _conditioning: StepConditioning = StepConditioning(*[np.empty((0, 0), np.float32)] * 3)
    _null_row: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))  # of each slot, -1 for none
    _guided: list[int] = field(default_factory=list)  # slots
    _settings: list[_Settings] = field(default_factory=list)  # of each field

    def admit(self) -> bool:
        """Evict finished pieces and admit waiting ones; return whether any is left to generate."""
        self._evict()
        self._admit_waiting()
        self._move_conditions()
        return bool(self.slots)

    def step(self) -> Step:
        """Return the heads of the next event of every piece, and the state after it."""
        previous = self._of_rows([slot.grammar.previous for slot in self.slots])
        return self.stepper.step(self._state, self._conditioning, previous)

    def append_events(self, heads: EventHeads, state: State) -> None:
        """Append the next event of every piece, field by field."""
        self._state = state
        if len(self.slots) == 1:
            self._append_alone(heads)
        else:
            self._append_together(heads)
        for slot in self.slots:
            slot.update()
        self.events += len(self.slots)

    def _is_done(self, request: GenerationRequest) -> bool:
        most = self.max_events or request.max_events or MAX_EVENTS
        return request.grammar.finished or len(request.grammar.events) >= most

    def _evict(self) -> None:
        kept = [number for number, slot in enumerate(self.slots) if not self._is_done(slot.request)]
        if len(kept) == len(self.slots):
            return
        nulls = self._null_row[kept]
        rows = np.concatenate([kept, nulls[nulls >= 0]]).astype(int)
        self._state = tuple(part[rows] for part in self._state)
        self._conditioning = StepConditioning(*(part[rows] for part in self._conditioning))
        self._arrange([self.slots[number] for number in kept])

    def _admit_waiting(self) -> None:
        new: list[Slot] = []
        while len(self.slots) + len(new) < self.size and self.waiting:
            request = self.waiting.popleft()
            if not self._is_done(request):
                new.append(Slot(request))
        if not new:
            return
        conditions = [slot.request.conditions[0] for slot in new]
        nulls = [slot.request.conditions[1] for slot in new if slot.request.is_guided]
        state, conditioning = self.stepper.start(np.stack([*conditions, *nulls]))
        if before := len(self.slots):
            # old, old null, new, new null -> old, new, old null, new null
            old_nulls, offset = len(self._state[0]) - before, len(self._state[0])
            order = [*range(before), *range(offset, offset + len(new)), *range(before, before + old_nulls)]
            order += range(offset + len(new), offset + len(new) + len(nulls))
            pairs = zip(self._conditioning, conditioning, strict=True)
            state = tuple(np.concatenate(parts)[order] for parts in zip(self._state, state, strict=True))
            conditioning = StepConditioning(*(np.concatenate(parts)[order] for parts in pairs))
        self._state, self._conditioning = state, conditioning
        self._arrange([*self.slots, *new])

    def _arrange(self, slots: list[Slot]) -> None:
        """Note the settings of every slot, and which row is whose."""
        self.slots = slots
        options = [slot.request.options for slot in slots]
        guided = np.array([slot.request.is_guided for slot in slots], bool)
        self._null_row = np.where(guided, len(slots) + guided.cumsum() - 1, -1)
        self._guided = guided.nonzero()[0].tolist()
        typical = np.array([option.sampler == "typical" for option in options], bool)
        pairs = [np.array([option.settings(field) for option in options]).reshape(-1, 2).T for field in FIELDS]
        self._settings = [
            _Settings(
                temperature,
                top_p,
                typical if typical.any() else None,
                np.array([option.guidance_scale for option in options], float),
            )
            for temperature, top_p in pairs
        ]

    def _of_rows(self, indices: list[T]) -> list[T]:
        """Repeat what belongs to each slot for every row of its own; the rows of a lone slot share it."""
        return indices if len(indices) == 1 else indices + [indices[slot] for slot in self._guided]

    def _known(self, column: int, indices: list[Sequence[int]]) -> list[Sequence[int]]:
        """Return what has become known with a field for every row.

        Where a half bar starts, the null row is not given the chord, which comes last: there guidance strengthens it,
        and between them melodies stay free to pass.
        """
        if column != GAP or not self.stepper.has_memory:
            return self._of_rows(indices)
        result = list(indices)
        for number in self._guided:
            known, grammar = indices[number], self.slots[number].grammar
            starts = grammar.running.starts_half_bar(grammar.tick)
            result.append((*known[:-CHORD_INPUTS], *NO_CHORDS) if starts else known)
        return result

    def _move_conditions(self) -> None:
        """Move the condition of every piece that has come to the end of a segment."""
        moved = {
            number: slot.request.conditioner.condition()
            for number, slot in enumerate(self.slots)
            if slot.request.conditioner and len(slot.grammar.events) % SEGMENT == 0
        }
        if moved:
            terms = self.stepper.condition_terms(np.stack(list(moved.values())))
            for part, rows in zip(self._conditioning, terms, strict=True):
                part[list(moved)] = rows

    def _append_alone(self, heads: EventHeads) -> None:
        """Append the next event of the one piece there is: the same in fewer calls."""
        (slot,) = self.slots
        grammar, options = slot.grammar, slot.request.options
        uniforms = slot.uniforms()[:, 0]  # (fields, DRAWS)
        slot.event.part_logits_given = partial(self._part_logits_given, heads, 0)
        unguided = slot.is_unguided
        for column, name in enumerate(FIELDS):
            value = slot.forced_value(column)
            if value is None:
                if grammar.memory is not None:
                    heads.propose([grammar.proposal(column)])
                logits = heads.logits(column).astype(np.float64)
                if self._guided:
                    scale = np.ones(1) if unguided else self._settings[column].scale
                    logits = guide(logits[:1], logits[1:], scale)
                mask = slot.process(column, logits[0])
                value = draw_one(logits[0], mask, options, name, uniforms[column])
            grammar.append(value)
            if column < len(FIELDS) - 1:
                heads.condition_on(column, self._known(column, [grammar.context_of(column)]))

    def _append_together(self, heads: EventHeads) -> None:
        """Append the next event of several pieces."""
        slots = self.slots
        uniforms = np.concatenate([slot.uniforms() for slot in slots], axis=1)  # (fields, S, DRAWS)
        for column in range(len(FIELDS)):
            forced = [slot.forced_value(column) for slot in slots]
            free = [number for number, value in enumerate(forced) if value is None]
            if free and self.stepper.has_memory:
                heads.propose(self._of_rows([slot.grammar.proposal(column) for slot in slots]))
            drawn = iter(self._draw(heads, column, free, uniforms[column]) if free else ())
            for slot, value in zip(slots, forced, strict=True):
                slot.grammar.append(next(drawn) if value is None else value)
            if column < len(FIELDS) - 1:
                heads.condition_on(column, self._known(column, [slot.grammar.context_of(column) for slot in slots]))

    def _draw(self, heads: EventHeads, column: int, free: list[int], uniforms: NDArray[np.float64]) -> list[int]:
        """Draw the next field of the slots that have a choice."""
        settings, guided, rows = self._settings[column], self._guided, None
        if len(free) < len(self.slots):
            nulls = self._null_row[free]
            rows = np.concatenate([free, nulls[nulls >= 0]])
            settings, uniforms, guided = settings.of(free), uniforms[free], (nulls >= 0).nonzero()[0].tolist()
        logits = heads.logits(column, rows).astype(np.float64)
        if guided:
            logits, null = logits[: len(free)], logits[len(free) :]
            scale = settings.scale[guided]
            scale[[self.slots[free[number]].is_unguided for number in guided]] = 1.0
            logits[guided] = guide(logits[guided], null, scale)
        masks = []
        for number, row in zip(free, logits, strict=True):
            slot = self.slots[number]
            if column == GAP:
                slot.event.part_logits_given = partial(self._part_logits_given, heads, number)
            masks.append(slot.process(column, row))
        drawn = draw(logits, np.array(masks), settings.temperature, settings.top_p, settings.typical, uniforms)
        return drawn.tolist()

    def _part_logits_given(self, heads: EventHeads, number: int, context: Sequence[int]) -> Logits:
        """Return the guided logits (P,) of a slot's parts as if a gap with this context were chosen."""
        guided = self._null_row[number] >= 0
        rows = np.array([number, self._null_row[number]] if guided else [number])
        proposal = self.slots[number].grammar.proposal_of_stacked_part() if self.stepper.has_memory else None
        logits = heads.part_logits_given(rows, [context] * len(rows), proposal).astype(np.float64)
        if guided:
            logits = guide(logits[:1], logits[1:], self._settings[PART].scale[[number]])
        return logits[0]
