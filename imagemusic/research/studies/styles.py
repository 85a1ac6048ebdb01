"""Ask for styles, and let a classifier that learned them from real music say which it hears.

    imagemusic study run styles --set prepared=runs/prepared --set covers=COVERS --out docs/results/styles.json

    real training pieces with their styles ──> features ──> logistic regression, styles weighted alike
    real held-out pieces, pieces composed for covers in every style ──> share recognised, among the first three

Features: the measures of music/structure.py, mean and deviation of the figures of every four bars, the share of notes
of each family of instruments, tempo and meter.  Only styles with real pieces enough are asked for; who plays is left
open.
"""

import argparse
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from imagemusic.compose.composition import Composition
from imagemusic.compose.options import ComposeOptions
from imagemusic.data.prepared import PreparedPiece, PreparedSet
from imagemusic.errors import DataError
from imagemusic.evaluation.intervals import mean_of
from imagemusic.events.codec import Events, decode
from imagemusic.music.metrics import bar_figures
from imagemusic.music.score import Score
from imagemusic.music.structure import measure_structure
from imagemusic.music.styles import STYLES
from imagemusic.research.studies.quality import choose_pictures
from imagemusic.research.studies.structure import figure
from imagemusic.research.study import Context, Figures, Study

SECONDS = 60  # of a piece
BATCH = 10  # pieces composed at once
FAMILIES = 17  # of eight General MIDI programs each, and the drums
METERS = ((4, 4), (3, 4), (2, 4), (2, 2), (6, 8), (3, 8))
PENALTY = 0.1  # C of the regression
TOP = 3
GOAL_TIMES, GOAL_POINTS = 2.0, 0.10  # chance, and below the share of real music
Floats = NDArray[np.float64]


def features_of(score: Score) -> Floats:
    """Describe a score (F,) for the classifier; NaN where it lacks what a measure asks about."""
    measures = list(measure_structure(score, SECONDS).values())
    bars = bar_figures(score)
    figures = [*bars.mean(0), *bars.std(0)] if len(bars) else [np.nan] * 8
    families = np.zeros(FAMILIES)
    for track in score.tracks:
        families[FAMILIES - 1 if track.is_drum else track.program // 8] += len(track)
    first = score.meters[0] if score.meters else None
    meter = [float(first is not None and (first.numerator, first.denominator) == one) for one in METERS]
    tempo = float(np.log(score.tempos[0].bpm)) if score.tempos else np.nan
    return np.array([*measures, *figures, *(families / max(families.sum(), 1)), *meter, tempo], float)


def features_of_events(events: Events) -> Floats:
    """Describe the score that events (N, 5) spell."""
    return features_of(decode(events))


def enough(prepared: PreparedSet, train: int, held_out: int) -> list[str]:
    """Return the styles that have as many real pieces, of training and of the other splits."""
    counts = {style: [0, 0] for style in STYLES}
    for piece in prepared:
        if piece.style:
            counts[piece.style][piece.split != "train"] += 1
    return [style for style, (learnt, tested) in counts.items() if learnt >= train and tested >= held_out]


def choose(pieces: Sequence[PreparedPiece], styles: Sequence[str], most: int, seed: int) -> list[PreparedPiece]:
    """Choose at most `most` pieces of each style at random."""
    rng = np.random.default_rng(seed)
    chosen = []
    for style in styles:
        own = [piece for piece in pieces if piece.style == style]
        chosen += [own[i] for i in rng.permutation(len(own))[:most]]
    return chosen


def classifier() -> Pipeline:
    """Return a regression on standardised features, medians in place of what is missing, styles weighted alike."""
    return make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(C=PENALTY, max_iter=3000, class_weight="balanced"),
    )


def recognised(
    model: Pipeline, features: Floats, styles: Sequence[str], groups: Sequence[str], names: Sequence[str]
) -> dict[str, Any]:
    """Return the share recognised (styles count alike), by first guess and among three, and the same for each style."""
    order = np.argsort(-model.predict_proba(features), axis=1, kind="stable")
    guesses = np.asarray(model.classes_)[order]
    truth = np.array(styles)
    hits = {
        "top_1": guesses[:, 0] == truth,
        f"top_{TOP}": (guesses[:, :TOP] == truth[:, None]).any(axis=1),
    }
    present = [name for name in names if (truth == name).any()]
    counts = {name: int((truth == name).sum()) for name in present}
    weights = np.array([len(truth) / (len(present) * counts[style]) for style in styles])
    guessed = {name: float(weights[guesses[:, 0] == name].sum() / len(truth)) for name in names}
    return {
        **{name: figure(mean_of(hit * weights, groups)) for name, hit in hits.items()},
        "commonest_guess": round(max(guessed.values()), 4),
        "by_style": {
            name: {
                "pieces": counts[name],
                **{top: round(float(hit[truth == name].mean()), 4) for top, hit in hits.items()},
                "guessed": round(guessed[name], 4),
                "taken_for": _commonest(guesses[truth == name, 0]),
            }
            for name in present
        },
    }


def _commonest(guesses: NDArray[np.str_]) -> str:
    names, counts = np.unique(guesses, return_counts=True)
    return str(names[counts.argmax()])


class Styles(Study):
    """Trains a classifier of styles on real music, and tests it on held-out and on composed music."""

    needs = ("covers", "prepared")
    not_quick = "it needs real pieces of several styles; try --count 1 --train 20 --seconds 10"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        add = parser.add_argument
        add("--count", type=int, default=10, metavar="N", help="covers, with a piece in each style (%(default)s)")
        add("--seconds", type=float, default=60.0, metavar="S", help="of each piece (%(default)s)")
        add("--train", type=int, default=150, metavar="N", help="most training pieces of a style (%(default)s)")
        add(
            "--fewest", type=int, nargs=2, default=(15, 5), metavar="N",
            help="real pieces of a style, of training and held out, for it to be asked for (%(default)s)",
        )  # fmt: skip

    def run(self, context: Context) -> Figures:
        options, model = context.options, context.model
        prepared = PreparedSet.open(context.data.path("prepared"))
        names = enough(prepared, *options.fewest)
        if len(names) < 2:
            raise DataError(f"{context.data.path('prepared')}: fewer than two styles have {options.fewest} real pieces")
        training = choose(prepared.select("train"), names, options.train, options.seed)
        held_out = choose([piece for piece in prepared if piece.split != "train"], names, options.train, options.seed)
        context.report(f"measuring {len(training)} training and {len(held_out)} held-out pieces")
        context.sources = sorted({piece.corpus for piece in [*training, *held_out]})
        real = np.array(context.map(features_of_events, [prepared.events(piece) for piece in [*training, *held_out]]))
        known = classifier()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of features that no piece has
            known.fit(real[: len(training)], [piece.style for piece in training])
        covers = choose_pictures(context.data.path("covers"), options.count, options.seed)
        composed = list(self._compose(context, names, covers))
        ours = recognised(
            known,
            np.array([features_of(piece.score) for _, piece in composed]),
            [style for style, _ in composed],
            [piece.picture_hash for _, piece in composed],
            names,
        )
        ensembles = {
            style: _commonest(np.array([piece.ensemble for name, piece in composed if name == style]))
            for style in names
        }
        for style, ensemble in ensembles.items():
            ours["by_style"][style]["commonest_ensemble"] = ensemble
        return {
            "styles": len(names),
            "training_pieces": len(training),
            "chance": round(1 / len(names), 4),
            "checkpoint": model.checkpoint.id,
            "ours": ours,
            "real": recognised(
                known,
                real[len(training) :],
                [piece.style for piece in held_out],
                [piece.group for piece in held_out],
                names,
            ),
        }

    def _compose(
        self, context: Context, styles: Sequence[str], covers: Sequence[Any]
    ) -> Iterator[tuple[str, Composition]]:
        """Compose a piece for every cover in every style; yield each with its style."""
        options, model = context.options, context.model
        pictures = [model.encode(cover) for cover in covers]
        for style in styles:
            context.report(f"composing {style}")
            asked = ComposeOptions(style=style, seconds=options.seconds, seed=options.seed, takes=1)
            for start in range(0, len(pictures), BATCH):
                for piece in model.compose_batch([(one, asked) for one in pictures[start : start + BATCH]]):
                    yield style, piece

    def finding(self, figures: Figures) -> str:
        ours, real, chance = figures["ours"]["top_1"]["value"], figures["real"]["top_1"]["value"], figures["chance"]
        met = ours >= GOAL_TIMES * chance and ours >= real - GOAL_POINTS
        return (
            f"The style of {ours:.0%} of composed pieces and of {real:.0%} of held-out ones is recognised, by chance "
            f"{chance:.0%}: the goal (twice chance, and within {100 * GOAL_POINTS:.0f} points of real music) is "
            f"{'met' if met else 'missed'}."
        )


STUDY = Styles()
