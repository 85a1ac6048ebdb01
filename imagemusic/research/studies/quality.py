"""Compose 500 pieces for 100 pictures and compare them with held-out music of the same length.

    imagemusic study run quality --data DATA --set prepared=runs/prepared --out docs/results/quality.json

Measured of ours and of the real ones: silence, repetition, the figures of every four bars, how like a bar is to the one
4, 8 and 16 bars before, and the longest run of intervals shared with a training piece.  Of both together: the overlap
area and the divergence of the distributions in music/distributions.py, with the real pieces as they are, and weighted
so that each kind of ensemble is as frequent as among ours.  Two halves of the real music, compared in the same way,
show how near one can come.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from imagemusic.compose.composition import Composition
from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.data.prepared import PreparedSet
from imagemusic.errors import DataError
from imagemusic.evaluation.intervals import mean_of
from imagemusic.evaluation.steering.copying import copying
from imagemusic.music import metrics
from imagemusic.music.distributions import LAGS, Shares, alike_weights, bar_similarities, distances, share_table
from imagemusic.music.score import Score
from imagemusic.research.studies.sample_sets import held_out_pieces, held_out_scores
from imagemusic.research.study import Context, Figures, Study
from imagemusic.vision.features import ImageFeatures
from imagemusic.vision.image import IMAGE_SUFFIXES

Table = dict[str, Shares]


def ends_well(score: Score, seconds: float) -> bool:
    """Return whether the last note ends on a beat and within a second of the requested length."""
    return score.end % score.ticks_per_beat == 0 and abs(score.seconds - seconds) <= 1


def figures_of(scores: Sequence[Score], groups: Sequence[str]) -> dict[str, Any]:
    """Measure a set of scores; intervals are of resampled groups."""
    bars = np.concatenate([metrics.bar_figures(score) for score in scores])
    result: dict[str, Any] = {
        "pieces": len(scores),
        "empty": sum(not score.note_count for score in scores),
        "silent_over_4_bars": sum(metrics.longest_silence_bars(score) > 4 for score in scores),
        "notes_median": float(np.median([score.note_count for score in scores])),
        "bars": {name: metrics.summary(bars[:, i]) for i, name in enumerate(metrics.BAR_FIGURES)},
        "similarity": {},
    }
    for name, drums in (("worn_windows", False), ("worn_windows_with_drums", True)):
        counts = [metrics.worn_windows(score, drums=drums) for score in scores]
        share, low, high = metrics.bootstrap_share(
            [worn for worn, _ in counts], [total for _, total in counts], np.random.default_rng(0)
        )
        result[name] = {"share": share, "low": low, "high": high, "windows": sum(total for _, total in counts)}
    for lag in LAGS:
        found = [bar_similarities(score, lag) for score in scores]
        known = [i for i, values in enumerate(found) if len(values)]
        means = np.array([found[i].mean() for i in known])
        result["similarity"][f"{lag}_bars"] = mean_of(means, [groups[i] for i in known]).to_json()
    return result


def distance_figures(ours: Table, real: Table, weights: NDArray[np.float64] | None = None) -> dict[str, Any]:
    """Compute overlap and divergence in every figure, and their means."""
    found = distances(ours, real, weights)
    result: dict[str, Any] = {
        "mean_overlap": round(float(np.mean([one.overlap for one in found.values()])), 4),
        "mean_divergence": round(float(np.mean([one.divergence for one in found.values()])), 4),
    }
    return result | {
        name: {"overlap": round(one.overlap, 4), "divergence": round(one.divergence, 4)} for name, one in found.items()
    }


def halves(table: Table, groups: Sequence[str]) -> tuple[Table, Table]:
    """Split pieces at random into two halves that share no group."""
    names, index = np.unique(np.array(groups), return_inverse=True)
    first = np.random.default_rng(0).permutation(len(names))[index] < len(names) / 2
    one, other = ({name: rows[side] for name, rows in table.items()} for side in (first, ~first))
    return one, other


def compose(
    model: ImageMusic, pictures: Sequence[ImageFeatures], options: ComposeOptions, pieces: int, name: str
) -> list[Composition]:
    """Compose `pieces` pieces for each picture, all in one batch."""
    requests = [(features, replace(options, variation=v + 1)) for features in pictures for v in range(pieces)]
    with tqdm(total=100, desc=name, unit="%") as bar:
        return model.compose_batch(requests, lambda share, _: bar.update(int(100 * share) - bar.n) or None)


def measure(
    model: ImageMusic,
    pictures: Sequence[ImageFeatures],
    prepared: PreparedSet,
    options: ComposeOptions,
    pieces: int,
    report: Callable[[str], None],
) -> dict[str, Any]:
    """Measure pieces composed with and without the repetition guard, beside the test split."""
    held_out = held_out_pieces(prepared, "test")
    real = held_out_scores(prepared, held_out, options.seconds)
    real_table, real_groups = share_table(real), [piece.group for piece in held_out]
    apart = distance_figures(*halves(real_table, real_groups))
    result: dict[str, Any] = {"held_out": figures_of(real, real_groups) | {"between_halves": apart}}
    groups = [features.hash for features in pictures for _ in range(pieces)]
    for name, guard in (("guard_on", True), ("guard_off", False)):
        composed = compose(model, pictures, replace(options, repetition_guard=guard), pieces, name)
        scores, table = [one.score for one in composed], share_table(one.score for one in composed)
        requested_ensemble = [one.ensemble for one in composed]
        weights = alike_weights([piece.ensemble for piece in held_out], requested_ensemble)
        result[name] = figures_of(scores, groups) | {
            "end_in_a_stack": sum(metrics.ends_in_a_stack(score) for score in scores if score.note_count),
            "end_on_a_beat_within_a_second": sum(ends_well(score, options.seconds) for score in scores),
            "distance_to_held_out": distance_figures(table, real_table),
            "distance_with_ensembles_alike": distance_figures(table, real_table, weights),
        }
        if guard:
            report("searching the training set for runs of intervals")
            result["copying"] = copying(scores, prepared)
    return result


class Quality(Study):
    """Composes with and without the repetition guard, and measures both sets and the held-out music."""

    needs = ("covers", "prepared")
    quick = {"count": 2, "pieces": 2, "seconds": 6.0}

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        add = parser.add_argument
        add("--count", type=int, default=100, metavar="N", help="pictures (%(default)s)")
        add("--pieces", type=int, default=5, metavar="N", help="for each picture (%(default)s)")
        add("--seconds", type=float, default=60.0, metavar="S", help="of each piece (%(default)s)")
        add("--options", type=json.loads, default={}, metavar="JSON", help='sampling options, like {"top_p": 0.9}')

    def run(self, context: Context) -> Figures:
        options = context.options
        chosen = choose_pictures(context.data.path("covers"), options.count, options.seed)
        requested = ComposeOptions(seconds=options.seconds, seed=options.seed, **options.options)
        prepared, model = PreparedSet.open(context.data.path("prepared")), context.model
        pictures = [model.encode(picture) for picture in tqdm(chosen, desc="encoding", unit="picture")]
        context.sources = [f"{options.count} pictures", "held-out test split"]
        about = {"seconds": options.seconds, "checkpoint": model.checkpoint.id, "options": options.options}
        return about | measure(model, pictures, prepared, requested, options.pieces, context.report)


def choose_pictures(folder: Path, count: int, seed: int) -> list[Path]:
    """Choose pictures of a folder and its subfolders at random.

    Raises:
        DataError: there are fewer.
    """
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    if len(found) < count:
        raise DataError(f"{folder}: {len(found)} pictures, need {count}; ask for fewer with --count")
    return [found[i] for i in np.random.default_rng(seed).permutation(len(found))[:count]]


STUDY = Quality()
