"""A piece in the making: what it is made from, its own chance, and what leans on the decoder's scores.

feedback (compose/feedback.py)     pitches for the mode, lengths for the articulation, notes together for the polyphony
recurrence (events/repetition.py) the onset and the pitches that say an earlier phrase again
repetition guard           pitches that a part has worn out
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from imagemusic.events.vocabulary import FIELDS
from imagemusic.generation.backends import Array
from imagemusic.generation.sampling import DRAWS, RepetitionGuard, SamplingOptions, Scores
from imagemusic.generation.stepper import DURATION, GAP, PITCH, VELOCITY

EVENTS_AHEAD = 32  # for which random numbers are drawn at once


class Grammar(Protocol):
    """What writing needs of a grammar; see events/grammar.py."""

    finished: bool
    events: list[tuple[int, int, int, int, int]]

    @property
    def before(self) -> Sequence[int]: ...
    def forced_value(self, column: int) -> int | None: ...
    def mask(self, column: int) -> NDArray[np.bool_]: ...
    def context_of(self, column: int) -> Sequence[int]: ...
    @property
    def may_end(self) -> bool: ...
    def notes_before_end(self) -> tuple[Sequence[int], NDArray[np.bool_]] | None: ...
    def put(self, value: int) -> None: ...
    def penalized_part(self) -> int | None: ...
    def repeat_gap(self) -> int | None: ...
    def repeat_pitches(self) -> list[int]: ...
    def is_tie_continuation(self, pitch: int) -> bool: ...


class Feedback(Protocol):
    """What writing needs of feedback; see compose/feedback.py."""

    @property
    def pitch_bias(self) -> NDArray[np.float64] | None: ...
    @property
    def duration_bias(self) -> NDArray[np.float64] | None: ...
    @property
    def velocity_bias(self) -> NDArray[np.float64] | None: ...
    @property
    def chord_bias(self) -> float: ...
    def update(self, event: tuple[int, int, int, int, int]) -> None: ...
    def condition(self) -> Array: ...


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """A piece to write."""

    conditions: Array  # (1 or 2, C): the condition and, with guidance, the null condition
    writer: Grammar
    options: SamplingOptions
    rng: np.random.Generator
    feedback: Feedback | None = None  # moves the condition as the piece goes on

    @property
    def is_guided(self) -> bool:
        """Tell whether a null row is written along."""
        return len(self.conditions) > 1 and self.options.guidance_scale != 1


class Slot:
    """A piece that is being written."""

    def __init__(self, job: GenerationRequest) -> None:
        self.job = job
        self._guard = RepetitionGuard(job.options.repetition_share) if job.options.repetition_guard else None
        self._chance, self._turn = np.empty((0, len(FIELDS), 1, DRAWS)), 0

    def chance(self) -> NDArray[np.float64]:
        """Random numbers (fields, 1, DRAWS) of the next event, whatever becomes of them."""
        if self._turn == len(self._chance):
            self._chance, self._turn = self.job.rng.random((EVENTS_AHEAD, len(FIELDS), 1, DRAWS)), 0
        self._turn += 1
        return self._chance[self._turn - 1]

    def apply_bias(self, column: int, scores: Scores) -> None:
        """Raise and lower some scores (V,) of a field, in place."""
        if column == GAP:
            self._lean_on_gaps(scores)
        elif column == VELOCITY:
            self._lean_on_velocities(scores)
        elif column in (PITCH, DURATION):
            part = self.job.writer.penalized_part()
            if part is None:  # drums and rows of the header have no pitch and no length
                return
            if column == PITCH:
                self._lean_on_pitches(part, scores)
            elif self.job.feedback is not None and self.job.feedback.duration_bias is not None:
                scores += self.job.feedback.duration_bias

    def _lean_on_velocities(self, scores: Scores) -> None:
        if self.job.feedback is not None and self.job.feedback.velocity_bias is not None:
            scores += self.job.feedback.velocity_bias

    def _lean_on_gaps(self, scores: Scores) -> None:
        feedback = self.job.feedback
        if feedback is not None and feedback.chord_bias and not self.job.writer.may_end:  # an end has no gap either
            scores[0] += feedback.chord_bias
        repetition_bonus = self.job.options.repetition_bonus
        if repetition_bonus and (gap := self.job.writer.repeat_gap()) is not None:
            scores[gap] += repetition_bonus

    def _lean_on_pitches(self, part: int, scores: Scores) -> None:
        job = self.job
        if job.feedback is not None and job.feedback.pitch_bias is not None:
            scores += job.feedback.pitch_bias
        if job.options.repetition_bonus:
            scores[job.writer.repeat_pitches()] += job.options.repetition_bonus
        if self._guard is not None:
            for pitch, cost in self._guard.costs(part):
                scores[pitch] -= cost

    def note(self, pitch: int) -> None:
        """Take in the pitch that was drawn; a held note that goes on does not strike again."""
        writer = self.job.writer
        part = writer.penalized_part()
        if self._guard is not None and part is not None and not writer.is_tie_continuation(pitch):
            self._guard.note(part, pitch)
