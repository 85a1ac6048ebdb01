"""One piece of a batch: the request that it came from, its rules by field, its random numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from imagemusic.events.grammar import Event, GrammarState
from imagemusic.events.vocabulary import FIELDS
from imagemusic.generation.backends import Array
from imagemusic.generation.processors import ForcingProcessor, LogitProcessor, NextEvent, VetoingProcessor
from imagemusic.generation.sampling import DRAWS, Logits, SamplingOptions

EVENTS_AHEAD = 32  # for which random numbers are drawn at once


class Conditioner(Protocol):
    """Moves the condition of a piece while it is generated; see compose/feedback.py."""

    def condition(self) -> Array:
        """Return the condition (C,) of the next SEGMENT events."""
        ...


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """A piece to generate."""

    conditions: Array  # (1 or 2, C): the condition and, with guidance, the null condition
    grammar: GrammarState
    options: SamplingOptions
    rng: np.random.Generator
    processors: Sequence[LogitProcessor] = ()
    conditioner: Conditioner | None = None
    prefix: Sequence[Event] = ()  # events that are given, and only read
    guidance_delay: int = 0  # notes at the beginning, and meter and tempo, that are generated without guidance; 0: none
    max_events: int | None = None  # None for the limit of `generate`

    @property
    def is_guided(self) -> bool:
        """Whether a row with the null condition runs along."""
        return len(self.conditions) > 1 and self.options.guidance_scale != 1


class Slot:
    """One piece of a batch."""

    def __init__(self, request: GenerationRequest) -> None:
        self.request, self.grammar, self.event = request, request.grammar, NextEvent(request.grammar)
        self.prefix = list(request.prefix)
        self.by_column = [
            [processor for processor in request.processors if column in processor.columns]
            for column in range(len(FIELDS))
        ]
        self.forcing = [one for one in request.processors if isinstance(one, ForcingProcessor)]
        self.vetoing = [one for one in request.processors if isinstance(one, VetoingProcessor)]
        self._uniforms, self._turn = np.empty((0, len(FIELDS), 1, DRAWS)), 0

    def uniforms(self) -> NDArray[np.float64]:
        """Return the random numbers (fields, 1, DRAWS) of the next event, whether they are needed or not."""
        if self._turn == len(self._uniforms):
            self._uniforms, self._turn = self.request.rng.random((EVENTS_AHEAD, len(FIELDS), 1, DRAWS)), 0
        self._turn += 1
        return self._uniforms[self._turn - 1]

    def forced_value(self, column: int) -> int | None:
        """Return the value of a field that the prefix or the grammar leaves no choice; None where one is drawn."""
        number = len(self.grammar.events)
        if number < len(self.prefix):
            return self.prefix[number][column]
        value = self.grammar.forced_value(column)
        if value is None and number >= 2:
            for processor in self.forcing:
                value = processor.forced_value(column)
                if value is not None:
                    allowed = self.grammar.mask(column)[value] and not any(
                        processor.forbids(column, value) for processor in self.vetoing
                    )
                    return value if allowed else None
        return value

    @property
    def is_unguided(self) -> bool:
        """Whether guidance is off for the next event: for meter, tempo and the first notes, where it makes odd ones."""
        delay, events = self.request.guidance_delay, len(self.grammar.events)
        if not delay:
            return False
        return events < 2 or not self.grammar.in_header and events < 2 + len(self.grammar.running.programs) + delay

    def process(self, column: int, logits: Logits) -> NDArray[np.bool_]:
        """Apply the processors to the logits (V,) of a field, in place; return the mask (V,) of what may be drawn."""
        event = self.event
        event.mask = self.grammar.mask(column)
        for processor in self.by_column[column]:
            processor.apply(column, logits, event)
        return event.mask

    def update(self) -> None:
        """Let the processors take in the event that was appended last."""
        for processor in self.request.processors:
            processor.update(self.grammar.last_note)
