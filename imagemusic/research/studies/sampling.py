"""Compose under many sampling settings and compare each with held-out music: which comes nearest to it?

    imagemusic study run sampling --data DATA --set prepared=runs/prepared --out docs/results/sampling.json

Pictures and music are those of the validation split, and every setting composes for the same pictures with the same
random numbers, so what differs is the setting.  The figure of merit is the mean overlap area over
music/distributions.py; the real pieces are weighted so that each kind of ensemble is as frequent as among ours.
Intervals are of pieces resampled 1,000 times, ours in pairs.  A killed run goes on: composed sets are kept in --work.
"""

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.data.prepared import PreparedPiece, PreparedSet
from imagemusic.errors import DataError
from imagemusic.generation.sampling import SamplingOptions
from imagemusic.music.distributions import alike_weights, mean_shares
from imagemusic.reports.markdown import cell, table
from imagemusic.research.studies.sample_sets import (
    Resampled,
    Sample,
    Table,
    compare,
    compared,
    figure,
    held_out_pieces,
    held_out_scores,
    mean_with_interval,
    similarities,
)  # fmt: skip
from imagemusic.research.study import Context, Figures, Study
from imagemusic.training.encoder.labels import read_pictures
from imagemusic.vision.features import ImageFeatures

FIRST = "as it ships"  # the setting that the others are compared with

BASE: dict[str, Any] = asdict(SamplingOptions())
CHANGES: dict[str, dict[str, Any]] = {
    FIRST: {},
    "top_p 0.95": {"top_p": 0.95},
    "top_p 0.98": {"top_p": 0.98},
    "top_p 1": {"top_p": 1.0},
    "temperature 0.9": {"temperature": 0.9},
    "temperature 1.1": {"temperature": 1.1},
    "guard off": {"repetition_guard": False},
    "guard from 0.28": {"repetition_share": 0.28},
    "temperature 0.9, top_p 1": {"temperature": 0.9, "top_p": 1.0},
    "duration top_p 1": {"top_ps": {"duration": 1.0}},
    "pitch top_p 0.97": {"top_ps": {"pitch": 0.97}},
    "gap top_p 0.97": {"top_ps": {"gap": 0.97}},
    "all but pitch top_p 0.97": {"top_p": 0.97, "top_ps": {"pitch": 0.9}},
    "guidance 1": {"guidance_scale": 1.0},
    "guidance 1.5": {"guidance_scale": 1.5},
    "guidance 4": {"guidance_scale": 4.0},
    "feedback 0": {"feedback": 0.0},
    "feedback 1": {"feedback": 1.0},
    "feedback 3": {"feedback": 3.0},
    "pitch top_p 0.8": {"top_ps": {"pitch": 0.8}},
    "pitch temperature 0.9": {"temperatures": {"pitch": 0.9}},
    "duration temperature 1.1": {"temperatures": {"duration": 1.1}},
    "typical 0.9": {"sampler": "typical"},
    "recurrence 1": {"repetition_bonus": 1.0},
    "recurrence 2": {"repetition_bonus": 2.0},
    "recurrence 3": {"repetition_bonus": 3.0},
}
# Where the length of notes comes from: without each of these.
STEPS: dict[str, dict[str, Any]] = {
    FIRST: {},
    "drawn from all that the decoder says": {
        "top_p": 1.0, "guidance_scale": 1.0, "feedback": 0.0, "repetition_guard": False,
    },
}  # fmt: skip
HEADLINES = ("overlap", "worn_windows", "note_beats", "dials_followed")


class Composer:
    """Composes for the same pictures again and again, and keeps each set."""

    def __init__(self, model: ImageMusic, pictures: Sequence[ImageFeatures], seconds: float, work: Path) -> None:
        self.model, self.pictures, self.seconds, self.work = model, pictures, seconds, work

    def compose(self, changes: dict[str, Any], own: Sequence[dict[str, Any]] | None = None) -> Sample:
        """Compose a piece for each picture, or for each of `own`: options of single pieces."""
        own = own or [{} for _ in self.pictures]
        pictures = [self.pictures[i % len(self.pictures)] for i in range(len(own))]
        key = [self.model.checkpoint.id, self.seconds, BASE | changes, own, [features.hash for features in pictures]]
        path = self.work / f"{hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]}.npz"
        if not path.exists():
            requests = [
                (features, ComposeOptions(seconds=self.seconds, seed=number, **(BASE | changes | one)))
                for number, (features, one) in enumerate(zip(pictures, own, strict=True))
            ]
            pieces = self.model.compose_batch(requests)
            requested = [{**piece.targets.values, "ensemble": piece.ensemble} for piece in pieces]
            Sample.of([piece.score for piece in pieces], self.model.checkpoint.scale, requested).save(path)
        return Sample.load(path)


def setting_figures(sample: Sample, found: Table, base: Table) -> dict[str, Any]:
    """Return the figures of a setting, and their differences from those of the first."""
    return {
        "figures": {name: figure(values) for name, values in found.items()},
        "against_first": {name: compared(values, base[name]) for name, values in found.items()},
        "similarity": similarities(sample.shares),
        "notes": float(np.median(sample.notes)),
    }


def lengths(
    composer: Composer, pieces: Sequence[PreparedPiece], real: Sample, weights: NDArray[np.float64]
) -> dict[str, Any]:
    """Measure mean beats a note: real, ours for pictures, and ours with the dials and ensembles of the real pieces."""
    scale = composer.model.checkpoint.scale
    chosen = np.random.default_rng(0).permutation(len(pieces))[: len(composer.pictures)].tolist()
    own = [
        {"dials": {name: value for name, value in scale.dials(pieces[i].cues).items() if value is not None},
         "ensemble": pieces[i].ensemble}
        for i in chosen
    ]  # fmt: skip
    result: dict[str, Any] = {
        "real": mean_with_interval(real.note_beats),
        "real, ensembles as frequent as ours": round(float(real.note_beats @ weights / weights.sum()), 4),
        "real, those whose dials are used": mean_with_interval(real.note_beats[chosen]),
    }
    for name, changes in tqdm(STEPS.items(), desc="note lengths", unit="setting"):
        result[f"for pictures, {name}"] = mean_with_interval(composer.compose(changes).note_beats)
        result[f"with the dials of real pieces, {name}"] = mean_with_interval(composer.compose(changes, own).note_beats)
    return result


class Sampling(Study):
    """Compares each setting with the validation music, and with the setting that ships."""

    needs = ("pictures", "prepared")
    sources = ("validation pictures of OASIS, BASS and jackets", "validation music")
    variants = tuple(CHANGES)
    quick = {"count": 2, "seconds": 6.0, "only": [FIRST, "guidance 1"]}

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--count", type=int, default=120, metavar="N", help="pieces of each setting (%(default)s)")
        parser.add_argument("--seconds", type=float, default=40.0, metavar="S", help="of each piece (%(default)s)")

    def run(self, context: Context) -> Figures:
        options, model = context.options, context.model
        pictures = [one for one in read_pictures(context.data.path("pictures")) if one.split == "validation"]
        if len(pictures) < options.count:
            raise DataError(f"{context.data.path('pictures')}: {len(pictures)} validation pictures; lower --count")
        order = np.random.default_rng(0).permutation(len(pictures))[: options.count].tolist()
        features = [model.encode(pictures[i].path) for i in tqdm(order, desc="encoding", unit="picture")]
        composer = Composer(model, features, options.seconds, context.work)
        prepared = PreparedSet.open(context.data.path("prepared"))
        held_out = held_out_pieces(prepared, "validation")
        scores = held_out_scores(prepared, held_out, options.seconds)
        real = Sample.of(scores, model.checkpoint.scale, [{"ensemble": piece.ensemble} for piece in held_out])
        first = composer.compose({})
        weights = alike_weights([piece.ensemble for piece in held_out], first.ensembles.tolist())
        resampled = Resampled.of(len(features), weights, [piece.group for piece in held_out])
        there = {name: mean_shares(rows, resampled.real) for name, rows in real.shares.items()}
        base = compare(first, resampled, there)
        worn, windows = weights @ real.worn
        result: Figures = {
            "checkpoint": model.checkpoint.id, "pieces": len(features), "seconds": options.seconds,
            "held_out": {
                "pieces": len(held_out),
                "worn_windows": round(float(worn / max(windows, 1)), 4),
                "similarity": similarities(real.shares, weights),
            },
            "base": BASE, "settings": {}, "note_beats": {},
        }  # fmt: skip
        for name in tqdm(options.only, desc="composing", unit="setting"):
            sample = composer.compose(CHANGES[name])
            result["settings"][name] = setting_figures(sample, compare(sample, resampled, there), base)
            context.save(result)
        return result | {"note_beats": lengths(composer, held_out, real, weights)}

    def report(self, figures: Figures) -> str:
        rows = [[name, *settings_row(row)] for name, row in figures["settings"].items()]
        lengths_rows = [[name, cell(value)] for name, value in figures["note_beats"].items()]
        return "\n".join(
            (
                table(("setting", *HEADLINES, "overlap against first", ""), rows),
                table(("beats a note", ""), lengths_rows),
            )
        )


def settings_row(row: Mapping[str, Any]) -> list[str]:
    """Return the cells of a setting."""
    gap = row["against_first"]["overlap"]
    return [*(cell(row["figures"][name]["value"]) for name in HEADLINES), cell(gap), gap["verdict"]]


STUDY = Sampling()
