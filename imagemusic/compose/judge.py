"""A judge of takes: how much a piece is like real music for its ensemble, by its measures of structure.

    score ── measure_structure ──> z = (measure - mean of real music) / deviation ──> sum of weight z + distance |z|

The weights are those of a logistic regression that tells real music from pieces of the model and from real music with
its bars shuffled or looped (research/studies/takes_judge.py), so that coming back is worth something and too much of it
costs.  A measure that is missing counts as that of average real music, which has a total of 0.
"""

import json
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from imagemusic import resources
from imagemusic.errors import DataError
from imagemusic.music.ensembles import ensemble_of
from imagemusic.music.score import Score
from imagemusic.music.structure import measure_structure

VERSION = 1
NATS = "nats_per_note"
ANY = "any"  # the reference of ensembles that have too few pieces for their own
MOST_DEVIATIONS = 3  # further away counts no more


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the judge thinks of a take."""

    total: float  # log-odds, less that of average real music; higher is more like real music
    contributions: dict[str, float]  # by measure; they sum up to the total

    def reasons(self, most: int = 5) -> dict[str, float]:
        """Return the contributions that weigh most, for a record."""
        ordered = sorted(self.contributions.items(), key=lambda item: -abs(item[1]))
        return {name: round(value, 2) for name, value in ordered[:most]}


def score(take: Score, nats_per_note: float | None = None, ensemble: str | None = None) -> float:
    """Score a take; see `assess`."""
    return assess(take, nats_per_note, ensemble).total


def assess(take: Score, nats_per_note: float | None = None, ensemble: str | None = None) -> Assessment:
    """Assess how much a take is like real music for its ensemble, which is read from its programs where not given.

    Args:
        nats_per_note: negative log-likelihood of the take under the model with the null condition, velocities left
            out, over its notes; None where not measured.

    Raises:
        DataError: the weights are missing or damaged.
    """
    measures = dict(measure_structure(take))
    measures[NATS] = math.nan if nats_per_note is None else nats_per_note
    return assess_measures(measures, ensemble or ensemble_of(take))


def assess_measures(measures: dict[str, float], ensemble: str) -> Assessment:
    """Assess a piece by its measures, NaN for what is missing.

    Raises:
        DataError: the weights are missing or damaged.
    """
    table = read_weights()
    reference = table["reference"].get(ensemble, table["reference"][ANY])
    contributions = {}
    for name, weights in table["weights"].items():
        value = measures.get(name, math.nan)
        mean, deviation = reference[name]
        if math.isnan(value):
            contributions[name] = 0.0
            continue
        z = max(-MOST_DEVIATIONS, min(MOST_DEVIATIONS, (value - mean) / deviation))
        contributions[name] = weights["z"] * z + weights["distance"] * abs(z) - weights["real"]
    return Assessment(sum(contributions.values()), contributions)


@cache
def read_weights(path: Path = resources.JUDGE) -> dict[str, Any]:
    """Read the weights.

    Raises:
        DataError: the file is missing or damaged.
    """
    try:
        table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if table["version"] != VERSION:
            raise ValueError(f"version {table['version']}, this imagemusic reads {VERSION}")
        if any(set(table["weights"]) - set(own) for own in (table["reference"][ANY], *table["reference"].values())):
            raise ValueError("a measure has a weight and no reference")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: cannot be read as the weights of the judge ({error})") from error
    return table
