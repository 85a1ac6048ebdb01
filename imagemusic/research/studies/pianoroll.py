"""Train and test the LSTM on classic piano-roll sets, in nats a frame, with independent and autoregressive keys.

    imagemusic study run pianoroll --sets jsb --data DATA --out docs/results/pianoroll.json

Each seed has a run directory below --work; a run that was killed goes on, one that is done is only read.  Figures of
other sets in --out stay.  With --without, an ablation is written beside the figures of the set.
"""

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from imagemusic.errors import DataError
from imagemusic.reports.results import how_made
from imagemusic.research.pianoroll.data import FILES, read_rolls
from imagemusic.research.pianoroll.model import RollConfig
from imagemusic.research.pianoroll.training import HEADS, Recipe, train
from imagemusic.research.study import Context, Figures, Study

PARTS = {"copies": "without_copies", "transposition": "without_transposition"}


def summary(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Average over seeds; the spread is the standard deviation over them."""
    figures: dict[str, Any] = {}
    for head in HEADS:
        tests = [result[head]["test"] for result in results]
        figures[head] = round(float(np.mean(tests)), 4)
        figures[f"{head}_seeds"] = [round(nats, 4) for nats in tests]
        figures[f"{head}_spread"] = round(float(np.std(tests, ddof=1)), 4) if len(tests) > 1 else None
    for name, key in (("bai_2018_convention", "test_without_first_frames"), ("validation", "validation")):
        figures[name] = {head: round(float(np.mean([result[head][key] for result in results])), 4) for head in HEADS}
    figures["parameters"] = results[0]["parameters"]
    return figures


def read_figures(path: Path) -> dict[str, Any]:
    """Read the figures of other sets; none if there is no file.

    Raises:
        DataError: the file is not JSON.
    """
    if not path.exists():
        return {}
    try:
        figures: dict[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error}); move it away to begin afresh") from error
    figures.pop("how", None)
    return figures


class PianoRoll(Study):
    """Trains on each chosen set with each seed, and scores its test split."""

    needs = ("pianorolls",)
    sources = ("poly_music",)
    seeds = 3
    quick = {"seeds": 1, "updates": 4, "hidden": 8}

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--sets", nargs="+", choices=list(FILES), default=list(FILES), help="(all four)")
        parser.add_argument("--without", choices=list(PARTS), help="leave this part out, as an ablation")
        parser.add_argument("--threads", type=int, default=1, metavar="N")
        parser.add_argument("--updates", type=int, metavar="N", help="of the weights (as in the recipe)")
        parser.add_argument("--hidden", type=int, metavar="N", help="size of the net (as in the recipe)")

    def run(self, context: Context) -> Figures:
        options = context.options
        torch.set_num_threads(options.threads)
        config, recipe = RollConfig(), Recipe()
        if options.hidden:
            config = replace(config, hidden_size=options.hidden, head_size=options.hidden)
        if options.updates:
            recipe = replace(recipe, updates=options.updates, validate_every=options.updates)
        if options.without == "copies":
            config = replace(config, copies=False)
        elif options.without == "transposition":
            recipe = replace(recipe, transpose=0)
        figures = read_figures(options.out)
        for name in options.sets:
            rolls, results = read_rolls(context.data.path("pianorolls"), name), []
            label = name + (f"-without-{options.without}" if options.without else "")
            for seed in range(options.seeds):
                results.append(train(context.work / f"{label}-{seed}", rolls, config, recipe, seed))
                found = summary(results) | {"how": how_made(context.sources)}
                ablations = figures.setdefault(name, {})
                if options.without:
                    ablations[PARTS[options.without]] = found
                else:
                    figures[name] = ablations | found
                    figures |= {"shape": asdict(config), "recipe": asdict(recipe)}
                context.save(figures)
                rates = ", ".join(f"{head} {found[head]:.3f}" for head in HEADS)
                context.report(f"{label} after {len(results)} seeds: {rates}")
        return figures


STUDY = PianoRoll()
