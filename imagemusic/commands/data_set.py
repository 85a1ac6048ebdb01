"""`imagemusic data build`, `show`, `stats` and `export`: what was gathered, as a data set that trains."""

import argparse
from pathlib import Path

from imagemusic.commands import Commands
from imagemusic.commands.options import add_old_name, add_overwrite
from imagemusic.commands.terminal import progress_bar, spell_out
from imagemusic.errors import ConfigError

BUILD_EXAMPLES = """
  imagemusic data build dataset
  imagemusic data build dataset --workers 8
  imagemusic data build dataset --executor ray --workers 64
Stopped or killed, the same command goes on where it was; when the set has grown, it does what is new."""
SHOW_EXAMPLES = """
  imagemusic data show dataset
  imagemusic data show dataset --status doubtful --limit 1000"""
STATS_EXAMPLES = """
  imagemusic data stats dataset
  imagemusic data stats dataset --plot dataset.svg"""
EXPORT_EXAMPLES = """
  imagemusic data export dataset --out shared
  imagemusic data export dataset --hub owner/name"""


def register(commands: Commands) -> None:
    """Add the four commands."""
    build = commands("build", "read, check and split a data set, and prepare it for training", BUILD_EXAMPLES)
    add_data_set(build)
    build.add_argument("--workers", type=int, default=2, metavar="N", help="at work at once (default 2)")
    executor = build.add_argument(
        "--executor",
        default="processes",
        metavar="NAME",
        help="what runs the workers: processes (default), ray or here",
    )
    add_old_name(build, "--engine", executor)
    build.set_defaults(run=run_build)

    show = commands("show", "write an HTML page with covers, piano rolls and how each was matched", SHOW_EXAMPLES)
    add_data_set(show)
    show.add_argument("--limit", type=int, default=300, metavar="N", help="files to show (default 300)")
    show.add_argument("--status", metavar="NAME", help="of this status alone: matched, doubtful, unmatched ...")
    show.set_defaults(run=run_show)

    stats = commands("stats", "count what a data set holds", STATS_EXAMPLES)
    add_data_set(stats)
    stats.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw it, too")
    add_overwrite(stats)
    stats.set_defaults(run=run_stats)

    export = commands("export", "write what may be passed on: ids and fingerprints, no covers", EXPORT_EXAMPLES)
    add_data_set(export)
    export.add_argument("--out", type=Path, metavar="DIR", help="folder for the files (default: DATASET/export)")
    export.add_argument("--hub", metavar="OWNER/NAME", help="upload them as a private data set")
    export.set_defaults(run=run_export)


def add_data_set(command: argparse.ArgumentParser) -> None:
    """Add the folder."""
    command.add_argument("dataset", type=Path, metavar="DATASET", help="the folder of imagemusic data match")


def run_build(arguments: argparse.Namespace) -> int:
    from imagemusic.data.build.build import build
    from imagemusic.data.build.manifest import require_arrow
    from imagemusic.data.build.statistics import measure_set

    require_arrow()
    with progress_bar() as (progress, say):
        manifest = build(arguments.dataset, executor=arguments.executor, workers=arguments.workers, progress=progress)
        found = measure_set(manifest)
        for key, why in found.failures.items():
            say(f"{key}: not usable, {why}")
        for name in ("status", "paired", "split"):
            counts = found.counts[name].most_common()
            say(f"{name}: {', '.join(f'{count:,} {value}' for value, count in counts)}")
        say(f"{manifest.path}: {found.notes:,} notes, {found.seconds / 3600:.1f} hours, {found.covers:,} covers")
    return 0


def run_show(arguments: argparse.Namespace) -> int:
    from imagemusic.data.build.html_view import ShowOptions, write_page
    from imagemusic.data.build.manifest import require_arrow

    require_arrow()
    print(write_page(arguments.dataset, ShowOptions(limit=arguments.limit, status=arguments.status)))
    return 0


def run_stats(arguments: argparse.Namespace) -> int:
    from imagemusic.data.build.manifest import Manifest, require_arrow
    from imagemusic.data.build.statistics import draw_statistics, measure_set, statistics_table
    from imagemusic.files import MARK, write_outputs

    require_arrow()
    if arguments.plot and arguments.plot.suffix.lower() != ".svg":
        raise ConfigError(f"{arguments.plot}: the plot is an SVG picture; name it FILE.svg")
    found = measure_set(Manifest.open(arguments.dataset))
    print("\n".join(spell_out(statistics_table(found))))
    if arguments.plot:
        plot = f"<!-- {MARK} -->\n{draw_statistics(found)}"
        write_outputs({arguments.plot: plot.encode()}, overwrite=arguments.overwrite)
        print(arguments.plot)
    return 0


def run_export(arguments: argparse.Namespace) -> int:
    from imagemusic.data.build.export import export, push
    from imagemusic.data.build.manifest import Manifest, require_arrow

    require_arrow()
    out = arguments.out or arguments.dataset / "export"
    for path in export(Manifest.open(arguments.dataset), out):
        print(path)
    if arguments.hub:
        print(push(out, arguments.hub))
    return 0
