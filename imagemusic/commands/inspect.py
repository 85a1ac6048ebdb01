"""`imagemusic inspect`: a report on what goes on in a decoder's layers."""

import argparse
from pathlib import Path

from imagemusic.commands import Commands
from imagemusic.commands.terminal import progress_bar
from imagemusic.errors import DependencyError

EXAMPLES = """
  imagemusic inspect --prepared prepared --out layers
  imagemusic inspect runs/mine/checkpoint --midi songs/*.mid --out layers"""


def register(commands: Commands) -> None:
    """Add `inspect`."""
    command = commands("inspect", "write a report on what goes on in a model's layers", EXAMPLES)
    command.add_argument("checkpoint", metavar="CHECKPOINT", nargs="?", help="a folder (default: the model that ships)")
    music = command.add_mutually_exclusive_group(required=True)
    music.add_argument("--prepared", type=Path, metavar="DIR", help="a prepared set, of which held-out pieces are read")
    music.add_argument("--midi", type=Path, nargs="+", metavar="FILE.mid", help="MIDI files to read, ten or more")
    command.add_argument("--out", type=Path, required=True, metavar="REPORT", help="folder for the report")
    command.add_argument("--pieces", type=int, default=100, metavar="N", help="of the prepared set (default 100)")
    command.add_argument("--events", type=int, default=256, metavar="N", help="of each piece, at most (default 256)")
    command.add_argument("--seed", type=int, default=0, metavar="N", help="decides which pieces are read (default 0)")
    command.set_defaults(run=run_inspect)


def run_inspect(arguments: argparse.Namespace) -> int:
    try:
        from imagemusic.research.inspection.excerpts import choose_prepared, read_files
        from imagemusic.research.inspection.report import write_report
        from imagemusic.research.inspection.run import InspectOptions, inspect
    except ModuleNotFoundError as error:
        raise DependencyError(f"inspecting needs {error.name}; run: pip install 'imagemusic[train]'") from error
    from imagemusic.checkpoint import open_checkpoint, resolve
    from imagemusic.files import make_folder

    options = InspectOptions(pieces=arguments.pieces, events=arguments.events, seed=arguments.seed)
    checkpoint = open_checkpoint(resolve(arguments.checkpoint))
    if arguments.prepared:
        excerpts = choose_prepared(arguments.prepared, options.pieces, options.events, options.seed)
    else:
        excerpts = read_files(arguments.midi, options.events, options.seed)
    folder = make_folder(arguments.out)
    with progress_bar() as (progress, _):
        figures, units = inspect(checkpoint, excerpts, options, progress)
    print(write_report(folder, figures, units))
    return 0
