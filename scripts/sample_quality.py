"""Compose 200 pieces for 100 pictures and hold them against held-out music: silence, repetition, distributions.

    python scripts/sample_quality.py --pictures PICTURES --prepared runs/prepared --out docs/results/quality.json
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from imagemusic.composition import ComposeOptions
from imagemusic.data.dataset import PreparedSet
from imagemusic.errors import ImageMusicError
from imagemusic.music import codec, metrics
from imagemusic.music.score import Score
from imagemusic.pipeline import ImageMusic
from imagemusic.training.results import write_result
from imagemusic.vision.image import IMAGE_SUFFIXES


def ends_well(score: Score, seconds: float) -> bool:
    """Tell whether the last note ends on a beat and within a second of what was asked for."""
    return score.end % score.ticks_per_beat == 0 and abs(score.seconds - seconds) <= 1


def figures_of(scores: list[Score]) -> tuple[dict[str, object], np.ndarray]:
    bars = np.concatenate([metrics.bar_figures(score) for score in scores])
    result: dict[str, object] = {
        "pieces": len(scores),
        "empty": sum(not score.note_count for score in scores),
        "silent_over_4_bars": sum(metrics.longest_silence_bars(score) > 4 for score in scores),
        "notes_median": float(np.median([score.note_count for score in scores])),
        "bars": {name: metrics.summary(bars[:, i]) for i, name in enumerate(metrics.BAR_FIGURES)},
    }
    for name, drums in (("worn_windows", False), ("worn_windows_with_drums", True)):
        counts = [metrics.worn_windows(score, drums=drums) for score in scores]
        share, low, high = metrics.bootstrap_share(
            [worn for worn, _ in counts], [total for _, total in counts], np.random.default_rng(0)
        )
        result[name] = {"share": share, "low": low, "high": high, "windows": sum(total for _, total in counts)}
    return result, bars


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, required=True, help="folder of pictures, searched through")
    parser.add_argument("--prepared", type=Path, default=Path("runs/prepared"))
    parser.add_argument("--checkpoint", help="a checkpoint folder (default: the model that ships)")
    parser.add_argument("--count", type=int, default=100, help="pictures; two pieces each")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("docs/results/quality.json"))
    arguments = parser.parse_args()
    found = sorted(path for path in arguments.pictures.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    if len(found) < arguments.count:
        lack = f"{arguments.pictures}: {len(found)} pictures, need {arguments.count}"
        print(f"sample_quality: error: {lack}", file=sys.stderr)
        return 1
    chosen = [found[i] for i in np.random.default_rng(arguments.seed).permutation(len(found))[: arguments.count]]
    try:
        model = ImageMusic.from_pretrained(arguments.checkpoint)
        prepared = PreparedSet.open(arguments.prepared)
        held_out = [p for p in prepared.select("test") if p.metrical and p.ensemble != "drums"]
        real, real_bars = figures_of([codec.decode(prepared.events(piece)) for piece in held_out])
        figures: dict[str, object] = {"held_out": real, "seconds": arguments.seconds, "checkpoint": model.checkpoint.id}
        for name, guard in (("guard_on", True), ("guard_off", False)):
            options = ComposeOptions(seconds=arguments.seconds, seed=arguments.seed, repetition_guard=guard)
            scores = []
            for picture in tqdm(chosen, desc=name, unit="picture"):
                reading = model.look(picture)
                scores += [model.compose_reading(reading, replace(options, variation=v)).score for v in (1, 2)]
            ours, bars = figures_of(scores)
            ours["end_on_a_beat_within_a_second"] = sum(ends_well(score, arguments.seconds) for score in scores)
            ours["distance_to_held_out"] = {
                figure: {"overlap": d.overlap, "divergence": d.divergence}
                for i, figure in enumerate(metrics.BAR_FIGURES)
                for d in [metrics.Distance.between(bars[:, i], real_bars[:, i])]
            }
            figures[name] = ours
    except ImageMusicError as error:
        print(f"sample_quality: error: {error}", file=sys.stderr)
        return 1
    for name in ("held_out", "guard_on", "guard_off"):
        print(name, figures[name])
    data = [f"{arguments.count} pictures", "held-out test split"]
    write_result(arguments.out, figures, seed=arguments.seed, data=data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
