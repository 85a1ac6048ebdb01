"""Logits to values: guidance, temperature, and draws from the likeliest or the most typical values, without a sort.

All functions work on many rows at once, a row a piece, and a row's draw depends on nothing but that row.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from imagemusic.config import check, check_names
from imagemusic.errors import ConfigError
from imagemusic.events.vocabulary import FIELDS

SAMPLERS = ("nucleus", "typical")
RHYTHM = ("gap", "part", "duration")  # when a note starts, who plays it, how long it lasts
TRIES = 4  # draws that may be refused before the kept values are listed
DRAWS = TRIES + 1  # random numbers that a draw may use

Logits = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingOptions:
    """How a value is drawn from logits, and how far guidance moves them."""

    temperature: float = 0.9  # above 0; lower is safer, higher is stranger
    top_p: float = 0.9  # keep values that hold this share of probability: the likeliest, or the most typical
    sampler: str = "nucleus"  # which values are kept
    rhythm_temperature: float = 1.0  # times the temperature, for the fields of RHYTHM
    temperatures: Mapping[str, float] = field(default_factory=dict)  # of single fields, where they differ
    top_ps: Mapping[str, float] = field(default_factory=dict)  # likewise
    guidance_scale: float = 2.0  # 1 is off; higher follows the picture more closely

    def settings(self, field: str) -> tuple[float, float]:
        """Temperature and top_p of a field."""
        usual = self.temperature * (self.rhythm_temperature if field in RHYTHM else 1)
        return self.temperatures.get(field, usual), self.top_ps.get(field, self.top_p)

    def __post_init__(self) -> None:
        check_names("temperatures", self.temperatures, "field", FIELDS)
        check_names("top_ps", self.top_ps, "field", FIELDS)
        for temperature in (self.temperature, *self.temperatures.values()):
            check("temperature", temperature, 0.05, 5)
        check("rhythm_temperature", self.rhythm_temperature, 0.05, 5)
        for top_p in (self.top_p, *self.top_ps.values()):
            check("top_p", top_p, 0, 1, above=True)
        if self.sampler not in SAMPLERS:
            raise ConfigError(f"unknown sampler {self.sampler!r}; choose from {', '.join(SAMPLERS)}")
        check("guidance", self.guidance_scale, 0, 10)


def guide(conditional: Logits, null: Logits, scale: Logits) -> Logits:
    """Push logits (R, V) with the condition away from those without it, by a scale for each row.

    Classifier-free guidance, Ho & Salimans 2022, arXiv:2207.12598.  Logits do as well as log-probabilities: they
    differ by a constant for each row, and a draw is not changed by one.
    """
    return null + scale[:, None] * (conditional - null)


def draw(
    logits: Logits,
    allowed: NDArray[np.bool_],
    temperature: Logits,
    top_p: Logits,
    typical: NDArray[np.bool_] | None,
    uniforms: Logits,
) -> Indices:
    """Draw a value (R,) for each row of logits (R, V), of those allowed (R, V), with uniforms (R, DRAWS) in 0..1.

    temperature, top_p and typical are (R,); typical is None where no row is.

    The values kept are those for which closer ones hold less than `top_p`.  Closer is likelier: nucleus sampling,
    Holtzman et al. 2020, arXiv:1904.09751; or nearer in surprise to the mean surprise: typical sampling, Meister et
    al. 2023, arXiv:2202.00666.  A draw from all that is not kept is refused, which needs no sort.
    """
    weights = np.where(allowed, logits, -np.inf)
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


def draw_one(logits: Logits, allowed: NDArray[np.bool_], options: SamplingOptions, field: str, uniforms: Logits) -> int:
    """Draw a value of one row (V,), as `draw` does but in fewer calls, with uniforms (DRAWS,)."""
    temperature, top_p = options.settings(field)
    if options.sampler == "nucleus":
        weights = np.where(allowed, logits, -np.inf)
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
    rows = logits[None], allowed[None], np.array([temperature]), np.array([top_p]), typical, uniforms[None]
    return int(draw(*rows)[0])


def _at(cumulative: Logits, point: Logits) -> Indices:
    """Return the value (R,) whose interval of the cumulative weights (R, V) holds a point (R,).

    A point is a total times a number of 53 bits below 1, which rounds to less than the total: it is in some interval.
    """
    return np.add.reduce(cumulative <= point[:, None], axis=1)


def _refused(weights: Logits, rank: Logits, kept: Logits, drawn: Indices) -> Indices:
    """List the rows whose drawn value lies outside of what is kept."""
    reach = rank[np.arange(len(drawn)), drawn]
    closer = np.vecdot(weights, rank > reach[:, None])
    return (closer >= kept).nonzero()[0]


def _surprise(weights: Logits, total: Logits) -> Logits:
    """Say how far the surprise of each value (R, V) lies from the mean; never to be kept where the weight is 0."""
    shares = weights / total[:, None]
    surprise = -np.log(np.maximum(shares, np.finfo(np.float64).tiny))
    mean = (shares * surprise).sum(axis=-1, keepdims=True)
    return np.where(shares > 0, np.abs(surprise - mean), np.inf)
