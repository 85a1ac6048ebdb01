"""Fit the weights of imagemusic/data/corpora/bars.py, and measure how often they find the pickup.

    imagemusic study run pickups --data DATA --out docs/results/pickups.json

The truth comes from pieces with a second meter: what whole bars leave over before it is the pickup.  Only training
pieces are used; accuracy is that of five-fold cross-validation, and of orchestral movements that were not fitted on.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imagemusic.data.corpora.bars import CUES, FEWEST_NOTES, STEP, WEIGHTS, has_places, pickup_cues
from imagemusic.data.corpora.catalogue import list_pieces
from imagemusic.data.corpora.grid import bar_ticks, on_grid
from imagemusic.data.corpora.held_out import split_of
from imagemusic.errors import DataError
from imagemusic.music.midi import load_corpus_midi
from imagemusic.music.score import ONSET
from imagemusic.research.study import Context, Figures, Study

FIT, CHECK = ("openscore-lieder", "mutopia"), ("hauptstimme",)
PULL = 0.02  # of the weights to zero
FOLDS = 5


class Case(NamedTuple):
    """A piece whose pickup is known, in eighths."""

    cues: NDArray[np.float64]  # (P, 7)
    pickup: int


def known_cases(folder: Path, corpus: str) -> list[Case]:
    """Collect the training pieces of a corpus whose pickup follows from a second meter."""
    cases = []
    for key in list_pieces(folder, corpus):
        score, _ = on_grid(load_corpus_midi(folder / corpus / key))
        trains = split_of(f"{corpus}/{key.removesuffix('.mid')}") == "train"
        if not trains or len(score.meters) < 2 or score.meters[0].tick or not has_places(score.meters[0]):
            continue
        bar, until = bar_ticks(score.meters[0]), score.meters[1].tick
        notes = np.concatenate([track.notes for track in score.tracks])
        notes = notes[notes[:, ONSET] < until]
        if len(notes) >= FEWEST_NOTES and until >= 6 * bar and until % bar % STEP == 0:
            cases.append(Case(pickup_cues(notes, score.meters[0]), until % bar // STEP))
    return cases


def fit(cases: list[Case]) -> NDArray[np.float64]:
    """Return the maximum-likelihood weights (7,) of a softmax over places, with weight decay, by Newton's method."""
    weights = np.zeros(len(CUES))
    for _ in range(20):
        slope, bend = PULL * len(cases) * weights, PULL * len(cases) * np.eye(len(CUES))
        for cues, pickup in cases:
            odds = cues @ weights
            share = np.exp(odds - odds.max())
            share /= share.sum()
            mean = share @ cues
            slope += mean - cues[pickup]
            bend += (cues * share[:, None]).T @ cues - np.outer(mean, mean)
        weights = weights - np.linalg.solve(bend, slope)
    return weights


def hits(cases: list[Case], weights: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (N,) for each case whether the pickup is found."""
    return np.array([int((cues @ weights).argmax()) == pickup for cues, pickup in cases])


class Pickups(Study):
    """Fits and cross-validates on two corpora, and checks on a third."""

    needs = ("corpora",)
    sources = (*FIT, *CHECK)

    def run(self, context: Context) -> Figures:
        folder = context.data.path("corpora")
        cases = [case for corpus in FIT for case in known_cases(folder, corpus)]
        checks = [case for corpus in CHECK for case in known_cases(folder, corpus)]
        if len(cases) < FOLDS or not checks:
            raise DataError(f"{folder}: {len(cases)} pieces with a known pickup and {len(checks)} to check, too few")
        order = np.random.default_rng(context.options.seed).permutation(len(cases))
        folds = [[cases[i] for i in order[fold::FOLDS]] for fold in range(FOLDS)]
        found = []
        for fold in range(FOLDS):
            others = [case for number, part in enumerate(folds) if number != fold for case in part]
            found.append(hits(folds[fold], fit(others)))
        return {
            "fitted": dict(zip(CUES, fit(cases).round(2).tolist(), strict=True)),
            "in_use": dict(zip(CUES, WEIGHTS, strict=True)),
            "pieces": len(cases),
            "right_saying_none": round(without_pickup(cases), 3),
            "right_cross_validated": round(float(np.concatenate(found).mean()), 3),
            "orchestral": {
                "pieces": len(checks),
                "right_saying_none": round(without_pickup(checks), 3),
                "right": round(float(hits(checks, np.array(WEIGHTS)).mean()), 3),
            },
        }


def without_pickup(cases: list[Case]) -> float:
    """Return the share of pieces that have no pickup."""
    return float(np.mean([case.pickup == 0 for case in cases]))


STUDY = Pickups()
