"""Train and test the LSTM on a classic piano-roll set, in nats a frame, with independent and autoregressive keys.

    python scripts/benchmark_pianoroll.py --set jsb --data DATA/benchmarks/poly_music --seeds 3

Each seed has a run directory; a run that was killed goes on, one that is done is only read.  The sets are written to
the results one by one.  With `--without` a study without that part is written beside the figures of the set.
"""

import argparse
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from imagemusic.errors import DataError, ImageMusicError
from imagemusic.reports.results import how_made, write_result
from imagemusic.research.pianoroll.data import FILES, read_rolls
from imagemusic.research.pianoroll.model import RollConfig
from imagemusic.research.pianoroll.training import HEADS, Recipe, train

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
    """Read what was written for other sets."""
    if not path.exists():
        return {}
    try:
        figures: dict[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error}); move it away to begin afresh") from error
    figures.pop("how", None)
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", required=True, choices=list(FILES))
    parser.add_argument("--data", type=Path, required=True, help="folder of the four sets")
    parser.add_argument("--seeds", type=int, default=3, help="seeds 0 .. SEEDS - 1")
    parser.add_argument("--without", choices=list(PARTS), help="leave this part out, as a study")
    parser.add_argument("--runs", type=Path, default=Path("runs/pianoroll"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("docs/results/pianoroll.json"))
    arguments = parser.parse_args()
    if arguments.seeds < 1:
        parser.error(f"--seeds must be at least 1, got {arguments.seeds}")
    torch.set_num_threads(arguments.threads)
    config, recipe, name = RollConfig(), Recipe(), arguments.set
    if arguments.without == "copies":
        config = replace(config, copies=False)
    elif arguments.without == "transposition":
        recipe = replace(recipe, transpose=0)
    label = name + (f"-without-{arguments.without}" if arguments.without else "")
    try:
        read_figures(arguments.out)
        rolls, results = read_rolls(arguments.data, name), []
        for seed in range(arguments.seeds):
            results.append(train(arguments.runs / f"{label}-{seed}", rolls, config, recipe, seed))
            found = summary(results) | {"how": how_made(["poly_music"])}
            figures = read_figures(arguments.out)
            study = figures.setdefault(name, {})
            if arguments.without:
                study[PARTS[arguments.without]] = found
            else:
                figures[name] = study | found
                figures |= {"shape": asdict(config), "recipe": asdict(recipe)}
            write_result(arguments.out, figures, data=["poly_music"])
            print(label, f"after {len(results)} seeds:", ", ".join(f"{head} {found[head]:.3f}" for head in HEADS))
    except ImageMusicError as error:
        print(f"benchmark_pianoroll: error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
