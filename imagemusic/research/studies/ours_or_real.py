"""Let a classifier tell composed from held-out real music, by the measures of structure.

    imagemusic study run ours_or_real --set covers=COVERS --set corpora=MIDI --out docs/results/ours_or_real.json

An AUC of 0.5 means that it cannot tell.  Two classifiers, a regression and boosted trees, score every piece in a fold
that has no piece of its cover, or of its group of real music.  Real pieces of each ensemble weigh as much as ours, so
who plays tells nothing.  `--composed` reads pieces that the study `structure` kept (its --work, midi/after) instead of
composing anew.
"""

import argparse
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from imagemusic.compose.options import ComposeOptions
from imagemusic.errors import DataError
from imagemusic.evaluation.intervals import bootstrap, plain
from imagemusic.music.midi import load_midi
from imagemusic.music.structure import MEASURES, measure_structure
from imagemusic.research.studies.quality import choose_pictures
from imagemusic.research.studies.structure import (
    BATCH,
    MEASURED_SECONDS,
    Row,
    compose_finished,
    figure,
    measure_real,
)
from imagemusic.research.study import Context, Figures, Study

ENSEMBLES = ("voice", "piano", "strings", "band")
ALL = "all"
FOLDS = 5
GOAL = 0.80  # at most
MOST_TELLING = 8
Floats = NDArray[np.float64]
CLASSIFIERS = {
    "regression": make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(C=0.1, max_iter=3000),
    ),
    "trees": make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),  # they refuse empty columns
        HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=7, random_state=0),
    ),
}


def tell_apart(ours: Sequence[Row], real: Sequence[Row]) -> dict[str, Any]:
    """Return the AUC of each classifier with its interval, and the measures that tell most by themselves."""
    rows = [*ours, *real]
    is_ours = np.arange(len(rows)) < len(ours)
    features = np.array([[row.measures.get(name, np.nan) for name in MEASURES] for row in rows], float)
    groups = [f"{'ours' if own else 'real'} {row.group}" for row, own in zip(rows, is_ours, strict=True)]
    weights = balanced(rows, is_ours)
    result: dict[str, Any] = {"ours": len(ours), "real": len(real)}
    folds = min(FOLDS, *(len({row.group for row in side}) for side in (ours, real)))
    if folds < 2:
        return result | {name: {"value": None} for name in CLASSIFIERS}
    fold = _folds(groups, is_ours, folds)
    parts = [(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in range(folds)]
    for name in CLASSIFIERS:
        scores = _out_of_fold(name, features, is_ours, weights, parts)
        result[name] = figure(bootstrap(_auc(is_ours, scores, weights), groups))
    telling = {name: _own_auc(features[:, place], is_ours, weights) for place, name in enumerate(MEASURES)}
    known = {name: auc for name, auc in telling.items() if np.isfinite(auc)}
    most = sorted(known, key=lambda name: -abs(known[name] - 0.5))[:MOST_TELLING]
    result["telling"] = {
        name: {
            "auc": plain(known[name], 3),
            "ours": _mean(features[is_ours, list(MEASURES).index(name)], weights[is_ours]),
            "real": _mean(features[~is_ours, list(MEASURES).index(name)], weights[~is_ours]),
        }
        for name in most
    }
    return result


def balanced(rows: Sequence[Row], is_ours: NDArray[np.bool_]) -> Floats:
    """Weigh rows (N,): the real pieces of every ensemble as much as ours; 0 for ensembles of one side only."""
    ensembles = np.array([row.ensemble for row in rows])
    weights = np.zeros(len(rows))
    for name in set(ensembles):
        own, other = is_ours & (ensembles == name), ~is_ours & (ensembles == name)
        if own.any() and other.any():
            weights[own], weights[other] = 1, own.sum() / other.sum()
    return weights


def _folds(groups: Sequence[str], is_ours: NDArray[np.bool_], count: int) -> NDArray[np.int64]:
    """Return the fold (N,) of each row: groups stay together, and ours and real are spread evenly."""
    fold = np.zeros(len(groups), np.int64)
    for side in (True, False):
        places = np.flatnonzero(is_ours == side)
        own = [groups[place] for place in places.tolist()]
        for number, (_, left) in enumerate(GroupKFold(count).split(places, groups=own)):
            fold[places[left]] = number
    return fold


def _out_of_fold(
    name: str,
    features: Floats,
    is_ours: NDArray[np.bool_],
    weights: Floats,
    parts: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> Floats:
    """Score rows (N,), each by a classifier that saw none of its group."""
    scores = np.zeros(len(features))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of measures that no piece has
        for seen, left in parts:
            model = clone(CLASSIFIERS[name])
            model.fit(features[seen], is_ours[seen], **{f"{model.steps[-1][0]}__sample_weight": weights[seen]})
            scores[left] = model.predict_proba(features[left])[:, 1]
    return scores


def _auc(is_ours: NDArray[np.bool_], scores: Floats, weights: Floats) -> Callable[[NDArray[np.int64]], float]:
    def statistic(rows: NDArray[np.int64]) -> float:
        truth = is_ours[rows][weights[rows] > 0]
        if truth.all() or not truth.any():
            return float("nan")
        return float(roc_auc_score(is_ours[rows], scores[rows], sample_weight=weights[rows]))

    return statistic


def _own_auc(values: Floats, is_ours: NDArray[np.bool_], weights: Floats) -> float:
    """Return the AUC of one measure, above 0.5 where ours have more; NaN where one side has none."""
    known = ~np.isnan(values) & (weights > 0)
    if not (known & is_ours).any() or not (known & ~is_ours).any():
        return float("nan")
    return float(roc_auc_score(is_ours[known], values[known], sample_weight=weights[known]))


def _mean(values: Floats, weights: Floats) -> float | None:
    known = ~np.isnan(values)
    total = weights[known].sum()
    return plain(float((values[known] * weights[known]).sum() / total), 3) if total else None


class OursOrReal(Study):
    """Composes for pictures and ensembles, and lets classifiers tell the pieces from held-out music."""

    needs = ("covers", "corpora")
    variants = ENSEMBLES
    quick = {"count": 2, "seconds": 8.0, "real": 2, "only": ["piano"]}

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        add = parser.add_argument
        add("--count", type=int, default=40, metavar="N", help="pictures, with a piece for each ensemble (%(default)s)")
        add("--seconds", type=float, default=60.0, metavar="S", help="of each piece (%(default)s)")
        add("--real", type=int, default=100, metavar="N", help="most held-out pieces of an ensemble (%(default)s)")
        add("--composed", type=Path, metavar="DIR", help="a folder ENSEMBLE/*.mid of pieces composed before")

    def run(self, context: Context) -> Figures:
        options = context.options
        read = options.composed is not None
        ours = read_composed(options.composed, options.only) if read else self._compose(context)
        context.sources = ["pieces for pictures", "held-out pieces of the corpora, validation and test"]
        context.report("held-out music")
        found = measure_real(context.data.path("corpora"), options.real, options.seed, lambda place, score: None)
        real = [row for row in found if row.ensemble in options.only]
        figures: Figures = {
            "goal": GOAL,
            "checkpoint": None if read else context.model.checkpoint.id,
            ALL: tell_apart(ours, real),
        }
        figures["by_ensemble"] = {
            name: tell_apart(*([row for row in rows if row.ensemble == name] for rows in (ours, real)))
            for name in options.only
        }
        return figures

    def _compose(self, context: Context) -> list[Row]:
        options, model = context.options, context.model
        chosen = choose_pictures(context.data.path("covers"), options.count, options.seed)
        pictures = [model.encode(picture) for picture in chosen]
        rows = []
        for name in options.only:
            context.report(f"composing {name}")
            asked = ComposeOptions(seconds=options.seconds, seed=options.seed, ensemble=name)
            for start in range(0, len(pictures), BATCH):
                for piece in compose_finished(model, [(one, asked) for one in pictures[start : start + BATCH]]):
                    if piece:
                        measures = measure_structure(piece.score, MEASURED_SECONDS)
                        rows.append(Row(piece.picture_hash, name, measures))
        return rows

    def finding(self, figures: Figures) -> str:
        values = [figures[ALL][name]["value"] for name in CLASSIFIERS]
        if None in values:
            return "There are too few pieces to tell."
        met = max(values) <= GOAL
        return (
            f"The better classifier tells ours from real music with an AUC of {max(values):.3f}; the goal, at most "
            f"{GOAL}, is {'met' if met else 'missed'}."
        )


def read_composed(folder: Path, ensembles: Sequence[str]) -> list[Row]:
    """Measure the pieces FOLDER/ENSEMBLE/NUMBER.mid; those of one number are for one cover.

    Raises:
        DataError: an ensemble has none.
    """
    rows = []
    for name in ensembles:
        paths = sorted((folder / name).glob("*.mid"))
        if not paths:
            raise DataError(f"{folder / name}: no pieces; run the study structure first, or leave out --composed")
        rows += [Row(path.stem, name, measure_structure(load_midi(path), MEASURED_SECONDS)) for path in paths]
    return rows


STUDY = OursOrReal()
