"""Logits to values: guidance, temperature, and draws from the likeliest or the most typical values, without a sort.

All functions work on many rows at once, a row a piece, and a row's draw depends on nothing but that row.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from imagemusic.errors import ConfigError
from imagemusic.events.vocabulary import FIELDS

SAMPLERS = ("nucleus", "typical")
TRIES = 4  # draws that may be refused before the kept values are listed
DRAWS = TRIES + 1  # random numbers that a draw may use

Scores = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingOptions:
    """The knobs of chance."""

    temperature: float = 1.0  # above 0; lower is safer, higher is stranger
    top_p: float = 0.9  # keep values that hold this share of probability: the likeliest, or the most typical
    sampler: str = "nucleus"  # which values are kept
    temperatures: Mapping[str, float] = field(default_factory=dict)  # of single fields, where they differ
    top_ps: Mapping[str, float] = field(default_factory=dict)  # likewise
    guidance_scale: float = 2.5  # 1 is off; higher follows the picture more closely
    feedback: float = 2.0  # how firmly a piece is held to its dials while it is written; 0 is off
    repetition_bonus: float = 0.0  # nats that a phrase gains for saying again what the one that it answers said
    repetition_guard: bool = True  # hold back a pitch that a part has played too often of late
    repetition_share: float = 0.4  # of a part's recent notes that a pitch may have before it is held back

    def settings(self, field: str) -> tuple[float, float]:
        """Temperature and top_p of a field."""
        return self.temperatures.get(field, self.temperature), self.top_ps.get(field, self.top_p)

    def __post_init__(self) -> None:
        check_names("temperatures", self.temperatures, "field", FIELDS)
        check_names("top_ps", self.top_ps, "field", FIELDS)
        for temperature in (self.temperature, *self.temperatures.values()):
            check("temperature", temperature, 0.05, 5)
        for top_p in (self.top_p, *self.top_ps.values()):
            check("top_p", top_p, 0, 1, above=True)
        if self.sampler not in SAMPLERS:
            raise ConfigError(f"unknown sampler {self.sampler!r}; choose from {', '.join(SAMPLERS)}")
        check("guidance", self.guidance_scale, 0, 10)
        check("feedback", self.feedback, 0, 5)
        check("repetition_bonus", self.repetition_bonus, 0, 5)
        if not isinstance(self.repetition_guard, bool):
            raise ConfigError(f"repetition_guard must be True or False, got {self.repetition_guard!r}")
        check("repetition_share", self.repetition_share, 0, 1, above=True)


def check(name: str, value: float, low: float, high: float, *, above: bool = False) -> None:
    """Refuse what is not a number in low..high; `above` leaves out the low end.

    Raises:
        ConfigError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{name} must be a number, got {value!r}")
    if not low <= value <= high or (above and value == low):
        wanted = f"above {low:g} and at most {high:g}" if above else f"in {low:g}..{high:g}"
        raise ConfigError(f"{name} must be {wanted}, got {value}")


def check_whole(name: str, value: int) -> None:
    """Refuse what is not a whole number.

    Raises:
        ConfigError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(f"{name} must be a whole number, got {value!r}")


def check_names(name: str, table: Mapping[str, float], kind: str, known: Sequence[str]) -> None:
    """Refuse what is not a table of known names.

    Raises:
        ConfigError: it is not.
    """
    if not isinstance(table, Mapping):
        raise ConfigError(f"{name} must be a table of names and numbers, got {table!r}")
    if unknown := [one for one in table if one not in known]:
        raise ConfigError(f"unknown {kind} {unknown[0]!r}; choose from {', '.join(known)}")


def guide(told: Scores, null: Scores, scale: Scores) -> Scores:
    """Push scores (R, V) with the condition away from those without it, by a scale for each row.

    Classifier-free guidance, Ho & Salimans 2022, arXiv:2207.12598.  Logits do as well as log-probabilities: they
    differ by a constant for each row, and a draw is not changed by one.
    """
    return null + scale[:, None] * (told - null)


def draw(
    scores: Scores,
    allowed: NDArray[np.bool_],
    temperature: Scores,
    top_p: Scores,
    typical: NDArray[np.bool_] | None,
    uniforms: Scores,
) -> Indices:
    """Draw a value (R,) for each row of scores (R, V), of those allowed (R, V), with uniforms (R, DRAWS) in 0..1.

    temperature, top_p and typical are (R,); typical is None where no row is.

    The values kept are those for which closer ones hold less than `top_p`.  Closer is likelier: nucleus sampling,
    Holtzman et al. 2020, arXiv:1904.09751; or nearer in surprise to the mean surprise: typical sampling, Meister et
    al. 2023, arXiv:2202.00666.  A draw from all that is not kept is refused, which needs no sort.
    """
    weights = np.where(allowed, scores, -np.inf)
    weights -= np.maximum.reduce(weights, axis=1, keepdims=True)
    weights /= temperature[:, None]
    np.exp(weights, out=weights)
    cumulative = np.add.accumulate(weights, axis=1)
    total = cumulative[:, -1]
    rank = weights  # the higher, the closer
    if typical is not None:
        rank = np.where(typical[:, None], -_surprise(weights, total), weights)
    kept = top_p * total
    result = _at(cumulative, uniforms[:, 0] * total)
    refused = _refused(weights, rank, kept, result)
    for attempt in range(1, TRIES):
        if not len(refused):
            return result
        again = _at(cumulative[refused], uniforms[refused, attempt] * total[refused])
        result[refused] = again
        refused = refused[_refused(weights[refused], rank[refused], kept[refused], again)]
    for row in refused:
        closer = np.add.reduce(weights[row] * (rank[row] > rank[row][:, None]), axis=1)
        shares = np.add.accumulate(np.where(closer < kept[row], weights[row], 0))
        result[row] = _at(shares[None], uniforms[row, TRIES:] * shares[-1])[0]
    return result


def draw_one(scores: Scores, allowed: NDArray[np.bool_], options: SamplingOptions, field: str, uniforms: Scores) -> int:
    """Draw a value of one row (V,), as `draw` does but in fewer calls, with uniforms (DRAWS,)."""
    temperature, top_p = options.settings(field)
    if options.sampler == "nucleus":
        weights = np.where(allowed, scores, -np.inf)
        likeliest = weights.argmax()
        weights -= weights[likeliest]
        weights /= temperature
        np.exp(weights, out=weights)
        cumulative = np.add.accumulate(weights)
        total = cumulative.item(-1)
        for uniform in uniforms[:TRIES].tolist():
            drawn = int(cumulative.searchsorted(uniform * total, side="right"))
            if drawn == likeliest or np.vecdot(weights, weights > weights[drawn]) < top_p * total:
                return drawn
    typical = np.array([True]) if options.sampler == "typical" else None
    rows = scores[None], allowed[None], np.array([temperature]), np.array([top_p]), typical, uniforms[None]
    return int(draw(*rows)[0])


def _at(cumulative: Scores, point: Scores) -> Indices:
    """Find the value whose stretch of the cumulative weights (R, V) holds a point (R,).

    A point is a total times a number of 53 bits below 1, which rounds to less than the total: it is in some stretch.
    """
    return np.add.reduce(cumulative <= point[:, None], axis=1)


def _refused(weights: Scores, rank: Scores, kept: Scores, drawn: Indices) -> Indices:
    """List the rows whose drawn value lies outside of what is kept."""
    reach = rank[np.arange(len(drawn)), drawn]
    closer = np.vecdot(weights, rank > reach[:, None])
    return (closer >= kept).nonzero()[0]


def _surprise(weights: Scores, total: Scores) -> Scores:
    """Say how far the surprise of each value (R, V) lies from the mean; never to be kept where the weight is 0."""
    shares = weights / total[:, None]
    surprise = -np.log(np.maximum(shares, np.finfo(np.float64).tiny))
    mean = (shares * surprise).sum(axis=-1, keepdims=True)
    return np.where(shares > 0, np.abs(surprise - mean), np.inf)


class RepetitionGuard:
    """Hold back a pitch that has more than its share of a part's recent notes.

    Small note models fall into repeating one note for ever.  Of the last `memory` notes of a part, a pitch may hold
    `share`; each note beyond that costs it `strength` nats, so a pedal point stays possible and a loop ends.
    """

    def __init__(self, share: float, memory: int = 32, strength: float = 0.6) -> None:
        self.share, self.memory, self.strength = share, memory, strength
        self._recent: dict[int, deque[int]] = {}
        self._counts: dict[int, dict[int, int]] = {}  # part -> pitch -> of its recent notes

    def costs(self, part: int) -> list[tuple[int, float]]:
        """List the worn-out pitches of a part and the nats that each costs."""
        length = len(self._recent.get(part, ()))
        if length < self.memory // 4:  # too few for a loop; sparse music has few
            return []
        fair = self.share * length - 1
        return [(p, self.strength * (count - fair)) for p, count in self._counts[part].items() if count > fair]

    def note(self, part: int, pitch: int) -> None:
        """Take in a note."""
        recent, counts = self._recent.setdefault(part, deque()), self._counts.setdefault(part, {})
        recent.append(pitch)
        counts[pitch] = counts.get(pitch, 0) + 1
        if len(recent) > self.memory:
            gone = recent.popleft()
            counts[gone] -= 1
            if not counts[gone]:
                del counts[gone]
