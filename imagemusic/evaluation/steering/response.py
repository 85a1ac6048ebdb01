"""Figure 2: dose-response of the dials, and the response to pictures that people rated.

level -1 .. 1 of a dial, with a picture that implies the opposite ──> pieces ──> the dial, measured ──> rho, slope
pictures that people rated ──> pieces ──> arousal and valence, measured ──> rho

Valence and arousal are measured by a regressor on people's ratings (affect_regressor.py) where its corpora are given,
else by the formula that defines the dials; the report says which.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.compose.targets import image_targets
from imagemusic.evaluation.intervals import bootstrap, partial_spearman, plain, spearman
from imagemusic.evaluation.steering.affect_regressor import AffectRegressor
from imagemusic.evaluation.steering.composing import ComposeJob, Composer
from imagemusic.evaluation.steering.measures import Measured, table
from imagemusic.evaluation.steering.pairs import Pair, distinct_pictures
from imagemusic.evaluation.steering.settings import SteeringOptions
from imagemusic.music.dials import AFFECT_DIALS, DIALS, IMAGE_DIALS

# Name of a setting: options, and whether the masks are on.
SETTINGS = {
    "masks_off": (ComposeOptions(), False),
    "as_shipped": (ComposeOptions(), True),
    "masks_and_feedback_off": (ComposeOptions(feedback=0), False),
}
TURNED = ("density", "register", "loudness", "articulation", "mode", "polyphony", "arousal", "valence")


@dataclass(frozen=True, slots=True)
class DialMeter:
    """Measures dials of pieces; valence and arousal by a regressor where there is one."""

    regressor: AffectRegressor | None

    def measure(self, pieces: Sequence[Measured], dial: str) -> NDArray[np.float64]:
        """Return a dial of N pieces (N,), NaN where it is not defined."""
        if self.regressor is not None and dial in AFFECT_DIALS:
            return self.regressor.rate(table(list(pieces), "felt"))[:, AFFECT_DIALS.index(dial)]
        return np.array([piece.dial(dial) for piece in pieces])

    def method(self, dial: str) -> str:
        """Return how a dial is measured, in words."""
        by_regressor = self.regressor is not None and dial in AFFECT_DIALS
        return "a model of people's ratings" if by_regressor else "measured in the score"


def implied(model: ImageMusic, dial: str, pairs: Sequence[Pair]) -> NDArray[np.float64]:
    """Return the value of a dial that each picture implies (P,).

    A dial that the image encoder predicts is taken from its image targets; another one is their linear regression,
    fitted to the prior's pieces.
    """
    targets = [image_targets(model.checkpoint, model.prior, pair.reading) for pair in pairs]
    predicted = np.array([[dials[name] for name in IMAGE_DIALS] for dials in targets])
    if dial in IMAGE_DIALS:
        return predicted[:, IMAGE_DIALS.index(dial)]
    known = model.prior.dials[:, [DIALS.index(name) for name in (*IMAGE_DIALS, dial)]]
    known = known[~np.isnan(known).any(axis=1)]
    slopes = np.linalg.lstsq(np.column_stack([known[:, :3], np.ones(len(known))]), known[:, 3], rcond=None)[0]
    return predicted @ slopes[:3] + slopes[3]


def dose_jobs(
    model: ImageMusic, dial: str, pairs: Sequence[Pair], options: SteeringOptions, base: ComposeOptions, *, masked: bool
) -> tuple[list[ComposeJob], NDArray[np.float64], list[str]]:
    """Return the pieces to compose for all levels of a dial: jobs, their levels (N,) and the groups of their pictures.

    Each level is combined with the pictures that imply the opposite end of the dial.
    """
    order = np.argsort(implied(model, dial, pairs), kind="stable")
    count = min(options.dose_pictures, max(1, len(order) // 2))
    low, high = order[:count], order[::-1][:count]
    jobs, levels, groups = [], [], []
    for number, level in enumerate(np.linspace(-1, 1, options.levels).tolist()):
        contrary = low if level > 0 else high
        if abs(level) < 1e-9:
            contrary = np.concatenate([low[::2], high[1::2]]) if count > 1 else low
        for place, index in enumerate(contrary):
            seed = (number + place) % options.seeds
            changed = replace(base, seed=seed, dials={dial: round(level, 6)}, seconds=options.seconds)
            jobs.append(ComposeJob(pairs[index].reading, changed, masked=masked))
            levels.append(level)
            groups.append(pairs[index].picture_group)
    return jobs, np.array(levels), groups


def dose_response(
    model: ImageMusic, composer: Composer, pairs: Sequence[Pair], meter: DialMeter, options: SteeringOptions
) -> dict[str, Any]:
    """Return the response of each dial of TURNED in each of the SETTINGS, and how each dial was measured.

    Tempo follows valence and arousal where it is not set, and affects how these are measured, so for both the partial
    rank correlation given the tempo is included.
    """
    result: dict[str, Any] = {"judged_by": {dial: meter.method(dial) for dial in TURNED}}
    for name, (base, masked) in SETTINGS.items():
        result[name] = {}
        for dial in TURNED:
            jobs, levels, groups = dose_jobs(model, dial, pairs, options, base, masked=masked)
            pieces = composer.measure(jobs, f"{dial} turned, {name.replace('_', ' ')}")
            tempos = np.array([piece.dial("tempo") for piece in pieces]) if dial in AFFECT_DIALS else None
            result[name][dial] = response(levels, meter.measure(pieces, dial), groups, tempos)
    return result


def response(
    levels: NDArray[np.float64], values: NDArray[np.float64], groups: Sequence[str],
    tempos: NDArray[np.float64] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Return rank correlation, slope, and quartiles at each level of values (N,) measured at levels (N,).

    Args:
        values: NaN where a piece could not be measured; it is left out.
        groups: N names; the bootstrap resamples groups.
        tempos: (N,) in any unit; with them the partial rank correlation given the tempo is added.
    """
    known = np.flatnonzero(~np.isnan(values))
    levels, values, groups = levels[known], values[known], [groups[i] for i in known.tolist()]

    def slope(rows: NDArray[np.int64]) -> float:
        centred = levels[rows] - levels[rows].mean()
        scale = float(centred @ centred)
        return float(centred @ values[rows]) / scale if scale else float("nan")

    steps = np.unique(levels)
    quartiles = [np.quantile(values[levels == step], [0.25, 0.5, 0.75]) for step in steps]
    of_means = spearman(steps, np.array([values[levels == step].mean() for step in steps]))
    given = {}
    if tempos is not None:
        tempos = tempos[known]
        partial = bootstrap(lambda rows: partial_spearman(levels[rows], values[rows], tempos[rows]), groups)
        given = {"rho_given_tempo": partial.to_json()}
    return {
        "rho": bootstrap(lambda rows: spearman(levels[rows], values[rows]), groups).to_json(),
        **given,
        "slope": bootstrap(slope, groups).to_json(),
        "rho_of_level_means": plain(of_means),
        "levels": steps.tolist(),
        "quartiles": [[plain(value) for value in row] for row in quartiles],
    }


def picture_response(
    composer: Composer, pairs: Sequence[Pair], meter: DialMeter, options: SteeringOptions
) -> dict[str, Any]:
    """Return the rank correlations of pictures' ratings with the dials of their music; None where too few are rated."""
    result: dict[str, Any] = {}
    for dial in AFFECT_DIALS:
        rated = [pair for pair in pairs if not np.isnan(getattr(pair, dial))]
        chosen = distinct_pictures(rated, options.rated_pictures)
        if len(chosen) < 3:
            result[dial] = None
            continue
        jobs = [
            ComposeJob(pair.reading, ComposeOptions(seed=seed, seconds=options.seconds))
            for pair in chosen
            for seed in range(options.seeds)
        ]
        values = meter.measure(composer.measure(jobs, "rated pictures"), dial).reshape(len(chosen), options.seeds)
        ratings, groups = np.array([getattr(pair, dial) for pair in chosen]), [pair.picture_group for pair in chosen]
        result[dial] = _against_ratings(ratings, values, groups) | {"judged_by": meter.method(dial)}
    return result


def _against_ratings(
    ratings: NDArray[np.float64], values: NDArray[np.float64], groups: Sequence[str]
) -> dict[str, Any]:
    """Correlate ratings (P,) with a dial of the pictures' pieces (P, S): mean rho over seeds, and rho of the means."""

    def of_pieces(rows: NDArray[np.int64]) -> float:
        each = []
        for column in values[rows].T:
            known = ~np.isnan(column)
            each.append(spearman(ratings[rows][known], column[known]))
        return float(np.mean(each))

    means = np.array([row[~np.isnan(row)].mean() if (~np.isnan(row)).any() else np.nan for row in values])
    known = np.flatnonzero(~np.isnan(means))
    kept = [groups[i] for i in known.tolist()]
    return {
        "rho": bootstrap(of_pieces, groups).to_json(),
        "rho_of_means": bootstrap(lambda rows: spearman(ratings[known][rows], means[known][rows]), kept).to_json(),
        "ratings": ratings[known].round(4).tolist(),
        "heard": means[known].round(4).tolist(),
    }
