"""Compare decoders at one size, on the same notes: bits per note, seconds, notes a second.  Also ways to condition and
to train one of them.

    python scripts/compare_decoders.py --notes 1_500_000
    python scripts/compare_decoders.py --notes 1_500_000 --only lstm remi-bpe --seeds 3
    python scripts/compare_decoders.py --notes 1_500_000 --speed

Each run is kept in RUNS/NAME-SEED and goes on where it was stopped; the tables are made of the runs that are done.
Training is as scripts/experiments/default.toml says of corpora and their weights; benchmark.py says what differs.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: two spinning threads starve each other

import numpy as np
import torch
from tqdm import tqdm

from imagemusic.data.prepared import PreparedPiece
from imagemusic.errors import ImageMusicError, OutputError
from imagemusic.reports.results import write_result
from imagemusic.research.decoders.benchmark import Benchmark
from imagemusic.research.decoders.runner import RunOptions, run_variant
from imagemusic.research.decoders.speed import notes_per_second
from imagemusic.research.decoders.tables import REFERENCE, markdown, tabulate
from imagemusic.research.decoders.variants import VARIANTS, fitting_width
from imagemusic.training.settings import read_config

MARKS = ("<!-- tables -->", "<!-- end of tables -->")  # on a page


def progress(pieces: Iterable[PreparedPiece], total: int) -> Iterable[PreparedPiece]:
    return tqdm(pieces, total=total, desc="which pieces do REMI tokens reproduce", unit="piece")


def measure_speed(benchmark: Benchmark, options: RunOptions) -> dict[str, float]:
    """Measure all variants in turn, twice; the better counts, as the other was disturbed."""
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


def draw_curves(figures: dict[str, Any], out: Path) -> None:
    """Draw validation bits per note against notes seen, a panel for each group, as a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

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
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=110)
    pyplot.close(figure)


def put_into(page: Path, tables: str) -> None:
    """Put the tables between the two marks of a page."""
    try:
        before, mark, rest = page.read_text(encoding="utf-8").partition(MARKS[0])
    except OSError as error:
        raise OutputError(f"{page}: cannot be read ({error.strerror}); --page names a page that is there") from error
    _, end, after = rest.partition(MARKS[1])
    if not mark or not end:
        raise OutputError(f"{page}: needs the lines {MARKS[0]} and {MARKS[1]}, between which the tables go")
    page.write_text(f"{before}{mark}\n\n{tables}\n{end}{after}", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("scripts/experiments/default.toml"))
    parser.add_argument("--runs", type=Path, default=Path("runs/decoders"))
    parser.add_argument("--only", nargs="*", choices=VARIANTS, default=list(VARIANTS), metavar="NAME")
    parser.add_argument("--seeds", type=int, default=1, help="seeds of each, from 0 on (default: %(default)s)")
    parser.add_argument("--notes", type=int, default=10_000_000, help="notes seen (default: %(default)s)")
    parser.add_argument("--parameters", type=int, default=4_000_000)
    parser.add_argument("--validation-notes", type=int, default=25_000)
    parser.add_argument("--test-notes", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--speed", action="store_true", help="measure notes a second while writing; train nothing")
    parser.add_argument("--table", action="store_true", help="make the tables of the runs that are done; train nothing")
    parser.add_argument("--page", type=Path, help="a page that has the tables, such as docs/decoders.md")
    parser.add_argument("--out", type=Path, default=Path("docs/results/decoders.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    try:
        options = RunOptions(
            notes=arguments.notes, parameters=arguments.parameters,
            validation_notes=arguments.validation_notes, test_notes=arguments.test_notes,
        )  # fmt: skip
        config = read_config(arguments.config)
        benchmark = Benchmark.open(
            config, arguments.runs, batch_size=options.batch_size, window=options.window,
            notes=(options.validation_notes, options.test_notes), progress=progress,
        )  # fmt: skip
        if arguments.speed:
            (arguments.runs / "speed.json").write_text(json.dumps(measure_speed(benchmark, options)))
        elif not arguments.table:
            for seed in range(arguments.seeds):
                for name in arguments.only:
                    run_variant(benchmark, name, seed, options, arguments.runs, lambda line: print(line, flush=True))
        figures = tabulate(benchmark, arguments.runs, options)
        print(markdown(figures))
        if figures["done"]:
            draw_curves(figures, arguments.out.with_suffix(".png"))
            write_result(arguments.out, figures, data=sorted({piece.corpus for piece in benchmark.training}))
            if arguments.page:
                put_into(arguments.page, markdown(figures))
    except ImageMusicError as error:
        print(f"compare_decoders: error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
