"""Compare decoders of one size on the same notes: bits per note, seconds, notes a second.  Also ways to condition and
to train one of them.

    imagemusic study run decoders --notes 1_500_000 --out docs/results/decoders.json
    imagemusic study run decoders --notes 1_500_000 --only lstm remi-bpe --seeds 3 --out docs/results/decoders.json
    imagemusic study run decoders --notes 1_500_000 --speed --out docs/results/decoders.json
    imagemusic study report decoders --page docs/decoders.md

Each run is kept in WORK/NAME-SEED and goes on where it was stopped; the tables are made of the runs that are done.
--config names the corpora and their weights; benchmark.py says what differs.
"""

import argparse
import json
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from imagemusic.data.prepared import PreparedPiece
from imagemusic.research.decoders.benchmark import Benchmark
from imagemusic.research.decoders.runner import RunOptions, run_variant
from imagemusic.research.decoders.speed import notes_per_second
from imagemusic.research.decoders.tables import REFERENCE, markdown, tabulate
from imagemusic.research.decoders.variants import VARIANTS, fitting_width
from imagemusic.research.study import Context, Figures, Study
from imagemusic.training.settings import TrainConfig, read_config

CONFIG = Path("scripts/experiments/default.toml")


def progress(pieces: Iterable[PreparedPiece], total: int) -> Iterable[PreparedPiece]:
    """Show how many pieces REMI tokens were tried on."""
    return tqdm(pieces, total=total, desc="pieces that REMI tokens reproduce", unit="piece")


def measure_speed(benchmark: Benchmark, options: RunOptions) -> dict[str, float]:
    """Measure notes a second of all variants in turn, twice; the better one counts, as the other was disturbed."""
    piece = max(benchmark.test, key=lambda piece: piece.notes)
    found: dict[str, float] = {}
    for _ in range(2):
        for name, variant in VARIANTS.items():
            if variant.group == "settings":  # the same net as another's
                continue
            net = variant.make(benchmark, fitting_width(partial(variant.make, benchmark), options.parameters))
            speed = notes_per_second(net, benchmark, piece, benchmark.tokens.get(variant.tokens))
            found[name] = max(found.get(name, 0.0), round(speed, 1))
    return found


class Decoders(Study):
    """Trains each chosen variant on the same notes and scores it on the same held-out pieces."""

    variants = tuple(VARIANTS)
    seeds = 1
    quick = {
        "only": ["lstm"], "notes": 200, "parameters": 20_000, "validation_notes": 100, "test_notes": 100,
        "batch": 2, "window": 16,
    }  # fmt: skip

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--config", type=Path, default=CONFIG, metavar="FILE", help="(%(default)s)")
        parser.add_argument("--notes", type=int, default=10_000_000, help="notes seen (%(default)s)")
        parser.add_argument("--parameters", type=int, default=4_000_000, help="of each net (%(default)s)")
        parser.add_argument("--validation-notes", type=int, default=25_000, metavar="N", help="(%(default)s)")
        parser.add_argument("--test-notes", type=int, default=100_000, metavar="N", help="(%(default)s)")
        parser.add_argument("--batch", type=int, default=16, metavar="N", help="(%(default)s)")
        parser.add_argument("--window", type=int, default=128, metavar="N", help="(%(default)s)")
        parser.add_argument("--threads", type=int, default=1, metavar="N", help="(%(default)s)")
        train = parser.add_mutually_exclusive_group()
        train.add_argument("--speed", action="store_true", help="measure notes a second; train nothing")
        train.add_argument("--table", action="store_true", help="make the tables of runs that are done; train nothing")

    def run(self, context: Context) -> Figures:
        chosen = context.options
        torch.set_num_threads(chosen.threads)
        options = RunOptions(
            notes=chosen.notes, parameters=chosen.parameters, validation_notes=chosen.validation_notes,
            test_notes=chosen.test_notes, batch_size=chosen.batch, window=chosen.window,
        )  # fmt: skip
        benchmark = Benchmark.open(
            with_data(read_config(chosen.config), context), context.work, batch_size=options.batch_size,
            window=options.window, notes=(options.validation_notes, options.test_notes), progress=progress,
        )  # fmt: skip
        context.sources = sorted({piece.corpus for piece in benchmark.training})
        if chosen.speed:
            (context.work / "speed.json").write_text(json.dumps(measure_speed(benchmark, options)))
        elif not chosen.table:
            for seed in range(chosen.seeds):
                for name in chosen.only:
                    run_variant(benchmark, name, seed, options, context.work, context.report)
        return tabulate(benchmark, context.work, options)

    def report(self, figures: Figures) -> str:
        return markdown(figures)

    def plot(self, figures: Figures) -> Any:
        """Draw validation bits per note against notes seen, a panel for each group."""
        from matplotlib import pyplot

        if not figures["done"]:
            return None
        figure, axes = pyplot.subplots(1, len(REFERENCE), figsize=(18, 5), layout="constrained")
        for axis, group in zip(axes, REFERENCE, strict=True):
            for name, row in figures["variants"].items():
                if group == row["group"] or name == REFERENCE[group]:
                    notes, values = zip(*row["curve"], strict=True)
                    axis.plot(np.array(notes) / 1e6, values, marker="o", markersize=3, label=name)
            axis.set(title=group, xlabel="million notes seen", ylabel="validation, bits per note")
            axis.grid(alpha=0.3)
            if axis.lines:
                axis.legend(fontsize=8)
        return figure


def with_data(config: TrainConfig, context: Context) -> TrainConfig:
    """Return the config with the data sets of --data and --set where they are given."""
    prepared = context.data.find("prepared") or config.training.prepared
    pictures = context.data.find("embeddings") or config.training.pictures
    return replace(config, training=replace(config.training, prepared=str(prepared), pictures=str(pictures)))


STUDY = Decoders()
