"""Many pieces, written side by side: each from its own condition, with its own options and its own chance.

    jobs ──► seats: rows of a batch ──► one event of every piece a step ──► a finished piece makes room for the next

For every field of every event: mix the guided and the null row's scores, lean on some of them (slots.py), mask what the
grammar forbids, divide by the temperature, draw.  Every few events a piece that strays from its dials is told so
(feedback.py).  A piece is the same to the bit whatever is written beside it.
"""

import itertools
import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from imagemusic.events.vocabulary import FIELDS
from imagemusic.generation.backends import Array, State
from imagemusic.generation.sampling import SamplingOptions, Scores, draw, draw_one, guide
from imagemusic.generation.slots import GenerationRequest, Grammar, Slot
from imagemusic.generation.stepper import GAP, PART, PITCH, EventHeads, StepConditioning, Stepper

MAX_BATCH = 64  # pieces in the making at once
FEW = 8  # pieces that a second table must have, to pay
REPORT_EVERY = 16  # steps
SEGMENT = 16  # events after which feedback is asked for; in training the condition changes as often
MAX_EVENTS = 20_000
LEAST_SHARE = 1e-9  # of what a gap may mean; its log is finite
Step: TypeAlias = tuple[EventHeads, State]


def generate_one(
    stepper: Stepper,
    conditions: Array,
    writer: Grammar,
    options: SamplingOptions,
    rng: np.random.Generator,
    *,
    max_events: int = MAX_EVENTS,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Let the decoder write one piece into `writer`; see `GenerationRequest` and `generate`."""
    generate(stepper, [GenerationRequest(conditions, writer, options, rng)], max_events=max_events, progress=progress)


def generate(
    stepper: Stepper,
    jobs: Sequence[GenerationRequest],
    *,
    max_events: int = MAX_EVENTS,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Let the decoder write pieces into their writers, up to SEATS of them at a time.

    A writer that is not finished afterwards has `max_events` events.  `progress` hears the number of events so far.
    """
    waiting = deque(jobs)
    # Two tables take turns: the step of one runs on a thread of its own while the fields of the other are drawn.
    count = 2 if len(jobs) >= 2 * FEW and (os.cpu_count() or 1) > 1 else 1
    tables = [
        BatchScheduler(stepper, waiting, min(-(-len(jobs) // count), MAX_BATCH // count), max_events)
        for _ in range(count)
    ]
    with ThreadPoolExecutor(max_workers=1) as pool:
        run: Callable[[Callable[[], Step]], Future[Step] | _Now] = pool.submit if count > 1 else _Now
        turns = deque((table, run(table.step)) for table in tables if table.admit())
        for turn in itertools.count(1):
            if not turns:
                return
            table, step = turns.popleft()
            table.write_event(*step.result())
            if table.admit():
                turns.append((table, run(table.step)))
            if progress and turn % (REPORT_EVERY * count) == 0:
                progress(sum(table.events for table in tables))


class _Now:
    """A step that is taken when it is asked for."""

    def __init__(self, work: Callable[[], Step]) -> None:
        self.result = work


class _Settings(NamedTuple):
    """How one field is drawn in each of the seats (S,)."""

    temperature: NDArray[np.float64]
    top_p: NDArray[np.float64]
    typical: NDArray[np.bool_] | None  # None where no seat is
    scale: NDArray[np.float64]

    def of(self, seats: list[int]) -> "_Settings":
        """The same of some of the seats."""
        typical = None if self.typical is None else self.typical[seats]
        return _Settings(self.temperature[seats], self.top_p[seats], typical, self.scale[seats])


class BatchScheduler:
    """Pieces that are written side by side.

    Rows of a step: the condition of every seat, then the null condition of every guided seat.
    """

    def __init__(self, stepper: Stepper, waiting: deque[GenerationRequest], size: int, max_events: int) -> None:
        self.stepper, self.waiting, self.size, self.max_events = stepper, waiting, size, max_events
        self.events = 0
        self.seats: list[Slot] = []
        self.state: State = ()
        self.conditioning = StepConditioning(*[np.empty((0, 0), np.float32)] * 3)

    def admit(self) -> bool:
        """Fill the seats of finished pieces; tell whether anybody is seated."""
        self._evict()
        self._admit_waiting()
        self._tell_again()
        return bool(self.seats)

    def step(self) -> Step:
        """Find the heads of the next event of every piece, and the state after it."""
        return self.stepper.step(
            self.state, self.conditioning, self._of_rows([writer.before for writer in self.writers])
        )

    def _is_done(self, job: GenerationRequest) -> bool:
        return job.writer.finished or len(job.writer.events) >= self.max_events

    def _evict(self) -> None:
        """Empty the seats of finished pieces."""
        kept = [number for number, seat in enumerate(self.seats) if not self._is_done(seat.job)]
        if len(kept) == len(self.seats):
            return
        nulls = self._null_row[kept]
        rows = np.concatenate([kept, nulls[nulls >= 0]]).astype(int)
        self.state = tuple(part[rows] for part in self.state)
        self.conditioning = StepConditioning(*(part[rows] for part in self.conditioning))
        self._arrange([self.seats[number] for number in kept])

    def _admit_waiting(self) -> None:
        """Seat waiting pieces while there is room."""
        new: list[Slot] = []
        while len(self.seats) + len(new) < self.size and self.waiting:
            job = self.waiting.popleft()
            if not self._is_done(job):
                new.append(Slot(job))
        if not new:
            return
        told = [seat.job.conditions[0] for seat in new]
        null = [seat.job.conditions[1] for seat in new if seat.job.is_guided]
        state, conditioning = self.stepper.start(np.stack([*told, *null]))
        if before := len(self.seats):
            # old, old null, new, new null -> old, new, old null, new null
            old_nulls, offset = len(self.state[0]) - before, len(self.state[0])
            order = [*range(before), *range(offset, offset + len(new)), *range(before, before + old_nulls)]
            order += range(offset + len(new), offset + len(new) + len(null))
            state = tuple(np.concatenate(parts)[order] for parts in zip(self.state, state, strict=True))
            conditioning = StepConditioning(
                *(np.concatenate(parts)[order] for parts in zip(self.conditioning, conditioning, strict=True))
            )
        self.state, self.conditioning = state, conditioning
        self._arrange([*self.seats, *new])

    def _arrange(self, seats: list[Slot]) -> None:
        """Note the settings of every seat, and which row is whose."""
        self.seats, self.writers = seats, [seat.job.writer for seat in seats]
        options = [seat.job.options for seat in seats]
        guided = np.array([seat.job.is_guided for seat in seats], bool)
        self._null_row = np.where(guided, len(seats) + guided.cumsum() - 1, -1)
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

    def _of_rows(self, indices: list[Sequence[int]]) -> list[Sequence[int]]:
        """Repeat what belongs to each seat for every row that is its own; the rows of a lone seat share it."""
        return indices if len(indices) == 1 else indices + [indices[seat] for seat in self._guided]

    def _tell_again(self) -> None:
        """Tell the pieces that have come to the end of a stretch what they lack."""
        told = {
            number: seat.job.feedback.condition()
            for number, seat in enumerate(self.seats)
            if seat.job.feedback and len(seat.job.writer.events) % SEGMENT == 0
        }
        if told:
            for part, rows in zip(
                self.conditioning, self.stepper.condition_terms(np.stack(list(told.values()))), strict=True
            ):
                part[list(told)] = rows

    def write_event(self, heads: EventHeads, state: State) -> None:
        """Draw every field of the next event of every piece."""
        self.state = state
        if len(self.seats) == 1:
            self._write_alone(heads)
        else:
            self._write_together(heads)
        for seat in self.seats:
            if seat.job.feedback:
                seat.job.feedback.update(seat.job.writer.events[-1])
        self.events += len(self.seats)

    def _write_alone(self, heads: EventHeads) -> None:
        """Draw every field of the next event of the one piece there is: the same in fewer calls."""
        (seat,), (writer,) = self.seats, self.writers
        options, chance = seat.job.options, seat.chance()[:, 0]  # (fields, DRAWS)
        for column, name in enumerate(FIELDS):
            value = writer.forced_value(column)
            if value is None:
                scores = heads.logits(column).astype(np.float64)
                if self._guided:
                    scores = guide(scores[:1], scores[1:], self._settings[column].scale)
                self._lean(heads, column, 0, scores[0])
                value = draw_one(scores[0], writer.mask(column), options, name, chance[column])
                if column == PITCH:
                    seat.note(value)
            writer.put(value)
            if column < len(FIELDS) - 1:
                heads.condition_on(column, [writer.context_of(column)])

    def _write_together(self, heads: EventHeads) -> None:
        """Draw every field of the next event of several pieces."""
        writers = self.writers
        chance = np.concatenate([seat.chance() for seat in self.seats], axis=1)  # (fields, S, DRAWS)
        for column in range(len(FIELDS)):
            forced_value = [writer.forced_value(column) for writer in writers]
            free = [number for number, value in enumerate(forced_value) if value is None]
            drawn = iter(self._draw(heads, column, free, chance[column]) if free else ())
            for writer, value in zip(writers, forced_value, strict=True):
                writer.put(next(drawn) if value is None else value)
            if column < len(FIELDS) - 1:
                heads.condition_on(column, self._of_rows([writer.context_of(column) for writer in writers]))

    def _draw(self, heads: EventHeads, column: int, free: list[int], chance: NDArray[np.float64]) -> list[int]:
        """Draw the next field for the seats that are free to choose."""
        settings, writers, guided = self._settings[column], self.writers, self._guided
        rows = None
        if len(free) < len(writers):
            nulls = self._null_row[free]
            rows = np.concatenate([free, nulls[nulls >= 0]])
            settings, chance = settings.of(free), chance[free]
            writers, guided = [writers[number] for number in free], (nulls >= 0).nonzero()[0].tolist()
        scores = heads.logits(column, rows).astype(np.float64)
        if guided:
            scores, null = scores[: len(free)], scores[len(free) :]
            scores[guided] = guide(scores[guided], null, settings.scale[guided])
        for number, row in zip(free, scores, strict=True):
            self._lean(heads, column, number, row)
        mask = np.array([writer.mask(column) for writer in writers])
        drawn = draw(scores, mask, settings.temperature, settings.top_p, settings.typical, chance).tolist()
        if column == PITCH:
            for number, pitch in zip(free, drawn, strict=True):
                self.seats[number].note(pitch)
        return drawn

    def _lean(self, heads: EventHeads, column: int, number: int, scores: Scores) -> None:
        """Raise and lower some scores (V,) of a field for a seat, in place."""
        if column == GAP:
            scores[0] += self._holding_back(heads, number)
        self.seats[number].apply_bias(column, scores)

    def _holding_back(self, heads: EventHeads, number: int) -> float:
        """Log of how likely it is that a seat means another note by the gap 0, near an end that must wait."""
        waits = self.writers[number].notes_before_end()
        if waits is None:
            return 0.0
        context_of, parts = waits
        guided = self._null_row[number] >= 0
        rows = np.array([number, self._null_row[number]] if guided else [number])
        scores = heads.part_logits_given(rows, [context_of] * len(rows)).astype(np.float64)
        if guided:
            scores = guide(scores[:1], scores[1:], self._settings[PART].scale[[number]])
        weights = np.exp(scores[0] - scores[0].max())
        return float(np.log(max(weights[parts].sum() / weights.sum(), LEAST_SHARE)))
