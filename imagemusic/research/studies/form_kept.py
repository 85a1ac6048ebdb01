"""Ask for forms of letters, and tell from the written music alone which phrases have the same letter.

    imagemusic study run form_kept --out docs/results/form_kept.json

Of each piece, the likeness of every two bars at the same place of two phrases (music/phrases.py) is a score, and
whether the two phrases have the same letter, prime or not, is the truth.  The AUC is of the pairs of a piece, averaged
over pieces: 1 where bars of the same letter are always more alike than bars of different letters.  Bars of the ending
are left out, for no form is asked of them.
"""

import argparse
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from imagemusic.compose.composition import Composition
from imagemusic.compose.options import ComposeOptions
from imagemusic.evaluation.intervals import mean_of
from imagemusic.music.ensembles import ENSEMBLES
from imagemusic.music.phrases import bar_likeness
from imagemusic.music.score import Score
from imagemusic.music.timeline import timeline
from imagemusic.research.studies.controls import draw_picture
from imagemusic.research.studies.structure import figure
from imagemusic.research.study import Context, Figures, Study

FORMS = (
    "A A B A", "A B A B", "A A B B", "A B A", "A B A C", "A A' B A", "A B A' B", "A A B A'",
    "A B C A", "A B A C A", "A A B B A", "A A B A B A", "A B A B C B", "A A B A C A B A",
)  # fmt: skip
PHRASE_BARS = 4
BATCH = 10  # pieces composed at once
ENDING_BARS = 2  # of the cadence: dominant and tonic
GOAL = 0.95  # mean AUC


def draw_request(rng: np.random.Generator, number: int) -> dict[str, Any]:
    """Draw a form with as many bars as it has letters for; the ensembles take turns."""
    form = str(rng.choice(FORMS))
    pitched = [name for name in ENSEMBLES if name != "drums"]
    meter = str(rng.choice(["4/4", "4/4", "3/4", "2/4", "6/8"]))
    bars = max(PHRASE_BARS * len(form.split()), 16 if "C" in form or len(form.split()) > 3 else 12)
    return {"form": form, "bars": bars, "ensemble": pitched[number % len(pitched)], "meter": meter}


def pairs_of(score: Score, form: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return for pairs of bars (P,) their likeness, whether their letters are the same, and whether one is primed."""
    notes = timeline(score)
    alike = bar_likeness(notes)
    count = min(len(notes.bar_start), PHRASE_BARS * len(form)) - ENDING_BARS
    found = []
    for one, other in combinations(range(max(count, 0)), 2):
        phrases = one // PHRASE_BARS, other // PHRASE_BARS
        if phrases[0] != phrases[1] and one % PHRASE_BARS == other % PHRASE_BARS:
            letters = [form[phrase] for phrase in phrases]
            found.append((alike[one, other], letters[0][0] == letters[1][0], any("'" in name for name in letters)))
    likeness, same, primed = np.array(found, float).reshape(-1, 3).T
    return likeness, same > 0, primed > 0


def auc_of(likeness: NDArray[np.float64], same: NDArray[np.bool_]) -> float:
    """Return the AUC of likeness for pairs of the same letter; NaN where there are none of one kind."""
    return float(roc_auc_score(same, likeness)) if 0 < same.sum() < len(same) else float("nan")


def compose(context: Context, requests: Sequence[dict[str, Any]]) -> list[Composition]:
    """Compose requests for pictures of random blocks."""
    seed, pieces = context.options.seed, list[Composition]()
    for start in range(0, len(requests), BATCH):
        some = [
            (
                context.model.encode(draw_picture(np.random.default_rng([seed, number]))),
                ComposeOptions(**requests[number], seed=number, takes=context.options.takes),
            )
            for number in range(start, min(start + BATCH, len(requests)))
        ]
        pieces += context.model.compose_batch(some)
        context.report(f"{len(pieces)} of {len(requests)} pieces")
    return pieces


class FormKept(Study):
    """Composes random forms, and tests whether the letters can be read off the music."""

    sources = ("pictures of random blocks",)
    quick = {"count": 2, "takes": 1}

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--count", type=int, default=500, metavar="N", help="requests (%(default)s)")
        parser.add_argument("--takes", type=int, default=1, metavar="N", help="of each piece (%(default)s)")

    def run(self, context: Context) -> Figures:
        options = context.options
        generators = [np.random.default_rng([options.seed, number, 1]) for number in range(options.count)]
        requests = [draw_request(rng, number) for number, rng in enumerate(generators)]
        rows: list[dict[str, Any]] = []
        for request, piece in zip(requests, compose(context, requests), strict=True):
            likeness, same, primed = pairs_of(piece.score, request["form"].split())
            rows.append(
                request
                | {
                    "auc": auc_of(likeness, same),
                    "same, plain": _mean(likeness[same & ~primed]),
                    "same, primed": _mean(likeness[same & primed]),
                    "other letter": _mean(likeness[~same]),
                }
            )
        return {
            "pieces": options.count,
            "goal": GOAL,
            "checkpoint": context.model.checkpoint.id,
            "auc": _estimate(rows, "auc"),
            "likeness": {name: _estimate(rows, name) for name in ("same, plain", "same, primed", "other letter")},
            "by_ensemble": _by(rows, "ensemble"),
            "by_form": _by(rows, "form"),
            "lowest": [
                {name: row[name] for name in ("form", "bars", "ensemble", "meter")} | {"auc": round(row["auc"], 4)}
                for row in sorted(rows, key=lambda row: row["auc"])[:10]
                if row["auc"] < GOAL
            ],
        }

    def finding(self, figures: Figures) -> str:
        auc = figures["auc"]["value"]
        if auc is None:
            return "No piece has pairs of both kinds."
        return f"Bars of one letter against bars of others: AUC {auc:.3f}; the goal is {GOAL}."


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _estimate(rows: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    """Return the mean of a figure over the pieces that have it, with its interval by piece."""
    values = np.array([row[name] for row in rows], float)
    values = values[~np.isnan(values)]
    return figure(mean_of(values, [str(number) for number in range(len(values))])) if len(values) else {"value": None}


def _by(rows: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    kinds = sorted({row[name] for row in rows})
    return {
        kind: {
            shown: _estimate([row for row in rows if row[name] == kind], shown)
            for shown in ("auc", "same, plain", "other letter")
        }
        for kind in kinds
    }


STUDY = FormKept()
