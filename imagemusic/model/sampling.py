"""Logits to events: guidance, masks, temperature, nucleus and the loop that writes a piece.

For every field of every event: mix the guided and the null row's log-probabilities, mask what the grammar forbids,
divide by the temperature, hold back a worn-out pitch, draw from the nucleus.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from imagemusic.errors import ConfigError
from imagemusic.model.fields import FIELDS
from imagemusic.model.stepping import Array, Stepper

PITCH = FIELDS.index("pitch")
MAX_REDRAWS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingOptions:
    """The knobs of chance."""

    temperature: float = 1.0  # above 0; lower is safer, higher is stranger
    top_p: float = 0.9  # keep the likeliest values that hold this share of probability
    guidance_scale: float = 1.5  # 1 is off; higher follows the picture more closely
    repetition_guard: bool = True  # hold back a pitch that a part has played too often of late

    def __post_init__(self) -> None:
        if not 0.05 <= self.temperature <= 5:
            raise ConfigError(f"temperature must be in 0.05..5, got {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"top_p must be above 0 and at most 1, got {self.top_p}")
        if not 0 <= self.guidance_scale <= 10:
            raise ConfigError(f"guidance must be in 0..10, got {self.guidance_scale}")


class EventWriter(Protocol):
    """What the sampler needs of a grammar; see music/grammar.py."""

    finished: bool
    events: list[tuple[int, int, int, int, int]]

    @property
    def before(self) -> Sequence[int]: ...
    def implied(self, column: int) -> int | None: ...
    def allowed(self, column: int) -> NDArray[np.bool_]: ...
    def known(self, column: int) -> Sequence[int]: ...
    def put(self, value: int) -> None: ...
    def guarded_part(self) -> int | None: ...


def log_softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Normalise logits (..., V) to log-probabilities."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def guide(logits: Array, scale: float) -> NDArray[np.float64]:
    """Push log-probabilities away from what would be written without a picture.

    logits (2, V): with the condition and without; (1, V) where guidance is off.  Returns (V,).
    Classifier-free guidance, Ho & Salimans 2022, arXiv:2207.12598.
    """
    scores = log_softmax(logits)
    if len(scores) == 1:
        return scores[0]
    return scores[1] + scale * (scores[0] - scores[1])


def draw(
    scores: NDArray[np.float64], allowed: NDArray[np.bool_], temperature: float, top_p: float, rng: np.random.Generator
) -> int:
    """Draw a value from the nucleus of scores (V,), of those allowed.

    Nucleus sampling, Holtzman et al. 2020, arXiv:1904.09751, by rejection: a draw counts when the values likelier
    than it hold less than `top_p`, which needs no sort.
    """
    values = np.flatnonzero(allowed)
    if len(values) == 1:
        return int(values[0])
    chosen = scores[values] / temperature
    probabilities = np.exp(chosen - chosen.max())
    cumulative = probabilities.cumsum()
    total = cumulative[-1]
    for _ in range(MAX_REDRAWS):
        index = int(np.searchsorted(cumulative, rng.random() * total, side="right"))
        index = min(index, len(values) - 1)
        likelier = probabilities[probabilities > probabilities[index]].sum()
        if likelier < top_p * total:
            return int(values[index])
    order = np.argsort(-probabilities, kind="stable")
    kept = order[: int(np.searchsorted(probabilities[order].cumsum(), top_p * total)) + 1]
    shares = probabilities[kept].cumsum()
    return int(values[kept[min(int(np.searchsorted(shares, rng.random() * shares[-1])), len(kept) - 1)]])


class RepetitionGuard:
    """Hold back a pitch that has more than its share of a part's recent notes.

    Small note models fall into repeating one note for ever.  Of the last `memory` notes of a part, a pitch may hold
    `share`; each note beyond that costs it `strength` nats, so a pedal point stays possible and a loop ends.
    """

    def __init__(self, memory: int = 32, share: float = 0.28, strength: float = 0.6) -> None:
        self.memory, self.share, self.strength = memory, share, strength
        self._recent: dict[int, deque[int]] = {}

    def hold_back(self, part: int, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Lower the scores (V,) of the worn-out pitches of a part."""
        recent = self._recent.get(part, ())
        if len(recent) < self.memory // 2:
            return scores
        counts = np.bincount(recent, minlength=len(scores))
        excess = np.maximum(counts + 1 - self.share * len(recent), 0)
        return scores - self.strength * excess

    def note(self, part: int, pitch: int) -> None:
        """Take in a note."""
        self._recent.setdefault(part, deque(maxlen=self.memory)).append(pitch)


def write_piece(
    stepper: Stepper,
    conditions: Array,
    writer: EventWriter,
    options: SamplingOptions,
    rng: np.random.Generator,
    *,
    max_events: int = 20_000,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Let the decoder write a piece into `writer`.

    conditions (R, C): the condition and, with guidance, the null condition.  `progress` hears the number of events.
    """
    state, reminder = stepper.start(conditions)
    guard = RepetitionGuard()
    while not writer.finished and len(writer.events) < max_events:
        heads, state = stepper.step(state, reminder, writer.before)
        for column in range(len(FIELDS)):
            value = writer.implied(column)
            if value is None:
                scores = guide(heads.logits(column), options.guidance_scale)
                part = writer.guarded_part() if column == PITCH and options.repetition_guard else None
                if part is not None:
                    scores = guard.hold_back(part, scores)
                value = draw(scores, writer.allowed(column), options.temperature, options.top_p, rng)
                if part is not None:
                    guard.note(part, value)
            writer.put(value)
            if column < len(FIELDS) - 1:
                heads.tell(column, writer.known(column))
        if progress and len(writer.events) % 16 == 0:
            progress(len(writer.events))
