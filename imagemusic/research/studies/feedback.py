"""Vary a dial against what the picture suggests, at other strengths of feedback: how well does the music follow?

    imagemusic study run feedback --data DATA --out docs/results/feedback.json

The pictures are jackets of the training split, so nothing here is held out for the report on steering.  Dials are
measured in the score, masks off; rho is Spearman's, with 95 % intervals over pictures.
"""

import argparse
from typing import Any

import numpy as np

from imagemusic.compose.feedback import FeedbackOptions
from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.errors import DataError
from imagemusic.evaluation.steering.composing import compose_unmasked
from imagemusic.evaluation.steering.measures import measured
from imagemusic.evaluation.steering.pairs import Pair
from imagemusic.evaluation.steering.response import dose_jobs, response
from imagemusic.evaluation.steering.settings import SteeringOptions
from imagemusic.reports.markdown import cell, table
from imagemusic.research.study import Context, Figures, Study
from imagemusic.training.encoder.labels import read_pictures

DIALS = ("mode", "articulation", "polyphony")  # those for which feedback biases the logits

VARIANTS: dict[str, dict[str, Any]] = {
    "as it ships": {},
    "every 16 events": {"update_every": 16},
    "later": {"bias_half_confidence_notes": 16},
    "mode 8 nats": {"mode_gain": 8.0},
    "nothing for polyphony": {"chord_gain": 0.0, "polyphony_share": 0.0},
    "no longer notes for polyphony": {"polyphony_share": 0.0},
}
CHUNK = 48  # pieces of a batch


def measure(
    model: ImageMusic, pairs: list[Pair], options: SteeringOptions, feedback: FeedbackOptions
) -> dict[str, Any]:
    """Vary each of DIALS against the pictures; return rho of level and measured dial."""
    found = {}
    for dial in DIALS:
        jobs, levels, names = dose_jobs(model, dial, pairs, options, ComposeOptions(), masked=False)
        chunks = [jobs[start : start + CHUNK] for start in range(0, len(jobs), CHUNK)]
        scores = [score for chunk in chunks for score in compose_unmasked(model, chunk, feedback=feedback)]
        found_dials = np.array([measured(score, model.checkpoint.scale).dial(dial) for score in scores])
        found[dial] = response(levels, found_dials, names)["rho"]
    return found


class FeedbackStrengths(Study):
    """Measures every variant of the feedback on the same pictures."""

    needs = ("pictures",)
    sources = ("otoge jackets",)
    variants = tuple(VARIANTS)
    quick = {"count": 2, "only": ["as it ships"], "sizes": SteeringOptions.quick()}

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--count", type=int, default=48, metavar="N", help="jackets (%(default)s)")
        parser.set_defaults(sizes=SteeringOptions())

    def run(self, context: Context) -> Figures:
        options, model = context.options, context.model
        pictures = read_pictures(context.data.path("pictures"))
        jackets = [one for one in pictures if (one.source, one.split) == ("otoge", "train")]
        if not jackets:
            raise DataError(f"{context.data.path('pictures')}: no jackets of the training split")
        chosen = np.random.default_rng(options.seed).permutation(len(jackets))[: options.count].tolist()
        pairs = [
            Pair(name=jackets[i].id, image=jackets[i].path, reading=model.encode(jackets[i].path), piece=None)
            for i in chosen
        ]
        figures = {}
        for name in options.only:
            figures[name] = measure(model, pairs, options.sizes, FeedbackOptions(**VARIANTS[name]))
            context.report(f"{name}: measured")
        return {"rho": figures, "changes": {name: VARIANTS[name] for name in options.only}}

    def report(self, figures: Figures) -> str:
        rows = [[name, *(cell(rho[dial]) for dial in DIALS)] for name, rho in figures["rho"].items()]
        return table(("rho with", *DIALS), rows)


STUDY = FeedbackStrengths()
