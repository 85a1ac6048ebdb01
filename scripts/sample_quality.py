"""Compose 500 pieces for 100 pictures and hold them against held-out music of the same length.

    python scripts/sample_quality.py --pictures PICTURES --prepared runs/prepared --out docs/results/quality.json

Asked of ours and of the real ones: silence, repetition, the figures of every four bars, how like a bar is to the one 4,
8 and 16 bars before, and the longest run of intervals shared with a training piece.  Asked of both together: the shared
area and the divergence of the distributions in music/distributions.py, with the real pieces as they are, and weighted
so that each kind of ensemble is as frequent as among ours.  Two halves of the real music, held against each other in
the same way, say how near one can come.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from imagemusic.compose.composition import Composition
from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.data.prepared import PreparedPiece, PreparedSet
from imagemusic.errors import ImageMusicError
from imagemusic.evaluation.intervals import mean_of
from imagemusic.evaluation.steering.copying import copying
from imagemusic.evaluation.steering.measures import first_seconds
from imagemusic.events import codec
from imagemusic.music import metrics
from imagemusic.music.distributions import LAGS, Shares, alike_weights, bar_similarities, distances, share_table
from imagemusic.music.score import Score
from imagemusic.reports.results import write_result
from imagemusic.vision.features import ImageFeatures
from imagemusic.vision.image import IMAGE_SUFFIXES

Table = dict[str, Shares]


def held_out_pieces(prepared: PreparedSet, split: str) -> list[PreparedPiece]:
    """Pieces of a split with beats, drums alone left out."""
    return [piece for piece in prepared.select(split) if piece.metrical and piece.ensemble != "drums"]


def held_out_scores(prepared: PreparedSet, pieces: Sequence[PreparedPiece], seconds: float) -> list[Score]:
    """The first seconds of pieces."""
    return [first_seconds(codec.decode(prepared.events(piece)), seconds) for piece in pieces]


def ends_well(score: Score, seconds: float) -> bool:
    """Tell whether the last note ends on a beat and within a second of what was asked for."""
    return score.end % score.ticks_per_beat == 0 and abs(score.seconds - seconds) <= 1


def figures_of(scores: Sequence[Score], groups: Sequence[str]) -> dict[str, Any]:
    """What is measured of ours and of real ones alike; intervals are of groups drawn again."""
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
    """Overlap and divergence in every figure, and their means."""
    found = distances(ours, real, weights)
    result: dict[str, Any] = {
        "mean_overlap": round(float(np.mean([one.overlap for one in found.values()])), 4),
        "mean_divergence": round(float(np.mean([one.divergence for one in found.values()])), 4),
    }
    return result | {
        name: {"overlap": round(one.overlap, 4), "divergence": round(one.divergence, 4)} for name, one in found.items()
    }


def halves(table: Table, groups: Sequence[str]) -> tuple[Table, Table]:
    """Part pieces into two halves of the groups, drawn."""
    names, index = np.unique(np.array(groups), return_inverse=True)
    first = np.random.default_rng(0).permutation(len(names))[index] < len(names) / 2
    one, other = ({name: rows[side] for name, rows in table.items()} for side in (first, ~first))
    return one, other


def compose(
    model: ImageMusic, readings: Sequence[ImageFeatures], options: ComposeOptions, pieces: int, name: str
) -> list[Composition]:
    """Compose some pieces for each picture, all side by side."""
    requests = [(reading, replace(options, variation=v + 1)) for reading in readings for v in range(pieces)]
    with tqdm(total=100, desc=name, unit="%") as bar:
        return model.compose_batch(requests, lambda share, _: bar.update(int(100 * share) - bar.n) or None)


def measure(
    model: ImageMusic, readings: Sequence[ImageFeatures], prepared: PreparedSet, options: ComposeOptions, pieces: int
) -> dict[str, Any]:
    """Measure pieces composed with and without the repetition guard, beside the test split."""
    held_out = held_out_pieces(prepared, "test")
    real = held_out_scores(prepared, held_out, options.seconds)
    real_table, real_groups = share_table(real), [piece.group for piece in held_out]
    apart = distance_figures(*halves(real_table, real_groups))
    result: dict[str, Any] = {"held_out": figures_of(real, real_groups) | {"between_halves": apart}}
    groups = [reading.hash for reading in readings for _ in range(pieces)]
    for name, guard in (("guard_on", True), ("guard_off", False)):
        composed = compose(model, readings, replace(options, repetition_guard=guard), pieces, name)
        scores, table = [one.score for one in composed], share_table(one.score for one in composed)
        requested_ensemble = [str(one.dials["ensemble"].value) for one in composed]
        weights = alike_weights([piece.ensemble for piece in held_out], requested_ensemble)
        result[name] = figures_of(scores, groups) | {
            "end_in_a_stack": sum(metrics.ends_in_a_stack(score) for score in scores if score.note_count),
            "end_on_a_beat_within_a_second": sum(ends_well(score, options.seconds) for score in scores),
            "distance_to_held_out": distance_figures(table, real_table),
            "distance_with_ensembles_alike": distance_figures(table, real_table, weights),
        }
        if guard:
            print("searching the training set for runs of intervals", file=sys.stderr)
            result["copying"] = copying(scores, prepared)
    return result


def show(result: Mapping[str, Any]) -> None:
    """Print what matters most."""
    for name in ("held_out", "guard_on", "guard_off"):
        found = result[name]
        near = found.get("distance_to_held_out", found.get("between_halves"))
        similar = " ".join(f"{found['similarity'][f'{lag}_bars']['value']:.3f}" for lag in LAGS)
        print(
            f"{name:10} {found['pieces']} pieces, overlap {near['mean_overlap']:.3f}, worn windows "
            f"{found['worn_windows']['share']:.3f}, similarity {similar}, "
            f"beats a note {found['bars']['note_beats']['mean']:.3f}"
        )
    print(json.dumps(result["copying"]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, required=True, help="folder of pictures, searched through")
    parser.add_argument("--prepared", type=Path, default=Path("runs/prepared"))
    parser.add_argument("--checkpoint", help="a checkpoint folder (default: the model that ships)")
    parser.add_argument("--count", type=int, default=100, help="pictures")
    parser.add_argument("--pieces", type=int, default=5, help="pieces for each picture")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--options", type=json.loads, default={}, help='sampling options as JSON, like {"top_p": 0.9}')
    parser.add_argument("--out", type=Path, default=Path("docs/results/quality.json"))
    arguments = parser.parse_args()
    found = sorted(path for path in arguments.pictures.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    if len(found) < arguments.count:
        lack = f"{arguments.pictures}: {len(found)} pictures, need {arguments.count}"
        print(f"sample_quality: error: {lack}", file=sys.stderr)
        return 1
    chosen = [found[i] for i in np.random.default_rng(arguments.seed).permutation(len(found))[: arguments.count]]
    try:
        options = ComposeOptions(seconds=arguments.seconds, seed=arguments.seed, **arguments.options)
        model = ImageMusic.from_pretrained(arguments.checkpoint)
        prepared = PreparedSet.open(arguments.prepared)
        readings = [model.encode(picture) for picture in tqdm(chosen, desc="looking", unit="picture")]
        result = measure(model, readings, prepared, options, arguments.pieces)
    except ImageMusicError as error:
        print(f"sample_quality: error: {error}", file=sys.stderr)
        return 1
    show(result)
    about = {"seconds": arguments.seconds, "checkpoint": model.checkpoint.id, "options": arguments.options}
    data = [f"{arguments.count} pictures", "held-out test split"]
    write_result(arguments.out, about | result, seed=arguments.seed, data=data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
