"""Measure what the rules of music cost: notes a second beside the settings of version 0.1, and a cold minute with WAV.

    imagemusic study run rules_speed --out docs/results/rules_speed.json

Both settings are timed in turn in one process, one take each; their ratio is the figure.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.reports.markdown import table
from imagemusic.research.studies.compose import timed_process
from imagemusic.research.studies.structure import SETTINGS
from imagemusic.research.study import Context, Figures, Study
from imagemusic.resources import EXAMPLES
from imagemusic.vision.features import ImageFeatures

BATCHES = {1: 60.0, 16: 15.0}  # pieces side by side -> seconds of each
TAKES = (1, 2, 3)


def notes_per_second(model: ImageMusic, features: ImageFeatures, options: ComposeOptions, pieces: int) -> float:
    """Compose pieces side by side; the CPU time of everything but the encoder counts."""
    requests = [(features, replace(options, variation=number + 1)) for number in range(pieces)]
    started = time.process_time()
    made = model.compose_batch(requests)
    return sum(piece.score.note_count for piece in made) / (time.process_time() - started)


class RulesSpeed(Study):
    """Times both settings in turn, then whole processes."""

    quick = {"repeats": 1, "seconds": 6.0}

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--repeats", type=int, default=5, metavar="N", help="of each measurement (%(default)s)")
        parser.add_argument("--seconds", type=float, metavar="S", help="of every piece (60 alone, 15 in a batch)")

    def run(self, context: Context) -> Figures:
        options, model = context.options, context.model
        pictures = sorted(EXAMPLES.glob("*.jpg"))
        context.sources = [picture.name for picture in pictures]
        ratios: dict[int, list[float]] = {pieces: [] for pieces in BATCHES}
        rates: dict[str, dict[str, float]] = {name: {} for name in SETTINGS}
        for pieces, seconds in BATCHES.items():
            taken: dict[str, list[float]] = {name: [] for name in SETTINGS}
            for repeat in range(options.repeats):
                for picture in pictures:
                    features = model.encode(picture)
                    for name, changes in SETTINGS.items():
                        asked = ComposeOptions(seconds=options.seconds or seconds, seed=options.seed + repeat)
                        asked = replace(asked, **{**changes, "takes": 1})
                        taken[name].append(notes_per_second(model, features, asked, pieces))
            for name, found in taken.items():
                rates[name][str(pieces)] = median(found)
            before, after = taken.values()
            ratios[pieces] = [new / old for old, new in zip(before, after, strict=True)]
        return {
            "notes_per_second": rates,
            "ratio": {str(pieces): median(found) for pieces, found in ratios.items()},
            "cold_seconds": {
                str(takes): {picture.stem: self._cold(options, picture, takes) for picture in pictures}
                for takes in TAKES
            },
            "checkpoint": model.checkpoint.id,
        }

    @staticmethod
    def _cold(options: argparse.Namespace, picture: Path, takes: int) -> float:
        """Return the seconds from process start to exit of a piece with MIDI, WAV and record."""
        with tempfile.TemporaryDirectory() as folder:
            words = [sys.executable, "-m", "imagemusic", "compose", str(picture), "--out", folder]
            words += ["--takes", str(takes), "--seconds", str(options.seconds or 60.0), "--overwrite"]
            words += ["--checkpoint", options.checkpoint] if options.checkpoint else []
            return median(timed_process(words)[0] for _ in range(options.repeats))

    def finding(self, figures: Figures) -> str:
        shares = ", ".join(f"{ratio:.2f} for {pieces} at once" for pieces, ratio in figures["ratio"].items())
        return f"Notes a second beside the settings of version 0.1: {shares}."

    def report(self, figures: Figures) -> str:
        cold = figures["cold_seconds"]
        names = list(next(iter(cold.values())))
        rows = [[takes, *(f"{found[name]:.1f}" for name in names)] for takes, found in cold.items()]
        return "\n".join([self.finding(figures), "", "Seconds of a cold minute with WAV:", "",
                          table(("takes", *names), rows)])  # fmt: skip


STUDY = RulesSpeed()
