"""Figure 2: turn a dial, measure the music; and the same through pictures alone.

level -1 .. 1 of a dial, with a picture that says the opposite ──> pieces ──> the same dial, measured ──> rho, slope
pictures that people rated ──> pieces ──> arousal and valence, judged ──> rho

Valence and arousal are judged by a model of people's ratings (affect_regressor.py), where its corpora are given;
otherwise by our own formula, and the report says so.
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
from imagemusic.evaluation.steering.affect_regressor import Judge
from imagemusic.evaluation.steering.composing import ComposeJob, Composer
from imagemusic.evaluation.steering.measures import Measured, table
from imagemusic.evaluation.steering.pairs import Pair, distinct_pictures
from imagemusic.evaluation.steering.settings import SteeringOptions
from imagemusic.music.dials import AFFECT_DIALS, DIALS, IMAGE_DIALS

# As composed, as composed but for the masks, and what the decoder does of itself.
SETTINGS = {
    "masks_off": (ComposeOptions(), False),
    "as_shipped": (ComposeOptions(), True),
    "masks_and_feedback_off": (ComposeOptions(feedback=0), False),
}
TURNED = ("density", "register", "loudness", "articulation", "mode", "polyphony", "arousal", "valence")


@dataclass(frozen=True, slots=True)
class Ear:
    """Tells the dials of pieces: valence and arousal by a judge where there is one."""

    judge: Judge | None

    def hear(self, pieces: Sequence[Measured], dial: str) -> NDArray[np.float64]:
        """Tell a dial of pieces (N,)."""
        if self.judge is not None and dial in AFFECT_DIALS:
            return self.judge.rate(table(list(pieces), "felt"))[:, AFFECT_DIALS.index(dial)]
        return np.array([piece.dial(dial) for piece in pieces])

    def name(self, dial: str) -> str:
        """Say who tells it."""
        return (
            "a model of people's ratings"
            if self.judge is not None and dial in AFFECT_DIALS
            else "measured in the score"
        )


def implied(model: ImageMusic, dial: str, pairs: Sequence[Pair]) -> NDArray[np.float64]:
    """Say what each picture suggests of a dial (P,): as seen, or what music with like seen dials has on average."""
    asked = [image_targets(model.checkpoint, model.prior, pair.reading) for pair in pairs]
    seen = np.array([[dials[name] for name in IMAGE_DIALS] for dials in asked])
    if dial in IMAGE_DIALS:
        return seen[:, IMAGE_DIALS.index(dial)]
    known = model.prior.dials[:, [DIALS.index(name) for name in (*IMAGE_DIALS, dial)]]
    known = known[~np.isnan(known).any(axis=1)]
    slopes = np.linalg.lstsq(np.column_stack([known[:, :3], np.ones(len(known))]), known[:, 3], rcond=None)[0]
    return seen @ slopes[:3] + slopes[3]


def dose_jobs(
    model: ImageMusic, dial: str, pairs: Sequence[Pair], options: SteeringOptions, base: ComposeOptions, *, masked: bool
) -> tuple[list[ComposeJob], NDArray[np.float64], list[str]]:
    """Plan the pieces for all levels of a dial: jobs, their levels and the groups of their pictures."""
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
    model: ImageMusic, composer: Composer, pairs: Sequence[Pair], ear: Ear, options: SteeringOptions
) -> dict[str, Any]:
    """Turn each dial against the picture, in each of the SETTINGS.

    A tempo that nobody set follows the feeling that somebody did, and a judge hears it; so both of FELT are held
    against the level with the tempo given, too.
    """
    result: dict[str, Any] = {"judged_by": {dial: ear.name(dial) for dial in TURNED}}
    for name, (base, masked) in SETTINGS.items():
        result[name] = {}
        for dial in TURNED:
            jobs, levels, groups = dose_jobs(model, dial, pairs, options, base, masked=masked)
            pieces = composer.measure(jobs, f"{dial} turned, {name.replace('_', ' ')}")
            tempos = np.array([piece.dial("tempo") for piece in pieces]) if dial in AFFECT_DIALS else None
            result[name][dial] = response(levels, ear.hear(pieces, dial), groups, tempos)
    return result


def response(
    levels: NDArray[np.float64], heard: NDArray[np.float64], groups: Sequence[str],
    tempos: NDArray[np.float64] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Sum up what was heard (N,) at levels (N,): rank correlation, slope, and the quartiles at every level.

    With the tempos of the pieces (N,), in any unit as only ranks count, the rank correlation given these as well.
    """
    known = np.flatnonzero(~np.isnan(heard))
    levels, heard, groups = levels[known], heard[known], [groups[i] for i in known.tolist()]

    def slope(rows: NDArray[np.int64]) -> float:
        centred = levels[rows] - levels[rows].mean()
        scale = float(centred @ centred)
        return float(centred @ heard[rows]) / scale if scale else float("nan")

    steps = np.unique(levels)
    middles = [np.quantile(heard[levels == step], [0.25, 0.5, 0.75]) for step in steps]
    of_means = spearman(steps, np.array([heard[levels == step].mean() for step in steps]))
    given = {}
    if tempos is not None:
        tempos = tempos[known]
        told = bootstrap(lambda rows: partial_spearman(levels[rows], heard[rows], tempos[rows]), groups)
        given = {"rho_given_tempo": told.to_json()}
    return {
        "rho": bootstrap(lambda rows: spearman(levels[rows], heard[rows]), groups).to_json(),
        **given,
        "slope": bootstrap(slope, groups).to_json(),
        "rho_of_level_means": plain(of_means),
        "levels": steps.tolist(),
        "quartiles": [[plain(value) for value in row] for row in middles],
    }


def picture_response(composer: Composer, pairs: Sequence[Pair], ear: Ear, options: SteeringOptions) -> dict[str, Any]:
    """Hold people's ratings of pictures against what the pictures yield, a piece at a time and over the seeds."""
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
        heard = ear.hear(composer.measure(jobs, "rated pictures"), dial).reshape(len(chosen), options.seeds)
        ratings, groups = np.array([getattr(pair, dial) for pair in chosen]), [pair.picture_group for pair in chosen]
        result[dial] = _against_ratings(ratings, heard, groups) | {"judged_by": ear.name(dial)}
    return result


def _against_ratings(ratings: NDArray[np.float64], heard: NDArray[np.float64], groups: Sequence[str]) -> dict[str, Any]:
    """Correlate ratings (P,) with what was heard (P, S): each seed's piece, and their mean."""

    def of_pieces(rows: NDArray[np.int64]) -> float:
        each = []
        for column in heard[rows].T:
            known = ~np.isnan(column)
            each.append(spearman(ratings[rows][known], column[known]))
        return float(np.mean(each))

    means = np.array([row[~np.isnan(row)].mean() if (~np.isnan(row)).any() else np.nan for row in heard])
    known = np.flatnonzero(~np.isnan(means))
    kept = [groups[i] for i in known.tolist()]
    return {
        "rho": bootstrap(of_pieces, groups).to_json(),
        "rho_of_means": bootstrap(lambda rows: spearman(ratings[known][rows], means[known][rows]), kept).to_json(),
        "ratings": ratings[known].round(4).tolist(),
        "heard": means[known].round(4).tolist(),
    }
