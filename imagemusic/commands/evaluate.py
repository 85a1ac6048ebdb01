"""`imagemusic evaluate`: measure a model, and write a report; each kind of evaluation is a command below it."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path

from imagemusic.commands import Commands, adder
from imagemusic.commands.listening import register_listening
from imagemusic.commands.options import add_checkpoint
from imagemusic.commands.terminal import notice
from imagemusic.errors import DependencyError

EXAMPLES = """
  imagemusic evaluate steering --pairs pairs.csv --out report
  imagemusic evaluate steering --pictures covers/ --out report --quick"""

STEERING_EXAMPLES = """
  imagemusic evaluate steering --pairs pairs.csv --checkpoint runs/mine/checkpoint --out report
  imagemusic evaluate steering --pairs pairs.csv --out report --skip-bad --ratings emopia vgmidi --prepared prepared
  imagemusic evaluate steering --pictures covers/ --out report --quick

The CSV has the columns image and midi, and where known album, artist, genre, valence, arousal, tempo_bpm; paths are
relative to it.  A run that was stopped goes on where it was."""


def register_steering(commands: Commands) -> None:
    """Add `evaluate steering`."""
    steering = commands(
        "steering", "measure whether the picture steers the music, and write a report", STEERING_EXAMPLES
    )
    source = steering.add_mutually_exclusive_group(required=True)
    source.add_argument("--pairs", type=Path, metavar="FILE.csv", help="pictures and the music that goes with them")
    source.add_argument("--pictures", type=Path, metavar="DIR_OR_CSV", help="pictures alone")
    source.add_argument("--data", type=Path, metavar="DATASET", help="the held-out pairs of imagemusic data build")
    steering.add_argument("--out", type=Path, required=True, metavar="REPORT", help="folder for the report")
    steering.add_argument("--skip-bad", action="store_true", help="go on without rows that are no use")
    steering.add_argument("--seeds", type=int, default=3, metavar="N", help="sampling seeds (default 3)")
    steering.add_argument("--quick", action="store_true", help="few pieces: see that it works, with wide intervals")
    steering.add_argument("--workers", type=int, metavar="N", help="processes that compose (default: 2 at most)")
    steering.add_argument(
        "--ratings", type=Path, nargs="+", default=[], metavar="DIR",
        help="folders of EMOPIA and VGMIDI, from which the judge of valence and arousal learns",
    )  # fmt: skip
    steering.add_argument("--prepared", type=Path, metavar="DIR", help="the training set, to look for copies of it")
    steering.add_argument("--unconditional", type=Path, metavar="DIR", help="checkpoint trained without conditions")
    steering.add_argument("--controls", type=Path, metavar="FILE", help="result of imagemusic study run controls")
    steering.add_argument("--gallery", type=Path, nargs="+", default=[], metavar="COVER", help="pictures to show")
    add_checkpoint(steering)
    steering.set_defaults(run=run_steering)


# What `evaluate` can measure; each adds its command.
EVALUATIONS: tuple[Callable[[Commands], None], ...] = (register_steering, register_listening)


def register(commands: Commands) -> None:
    """Add `evaluate` with its commands."""
    evaluate = commands("evaluate", "measure a model, and write a report", EXAMPLES)
    kinds = evaluate.add_subparsers(required=True, dest="evaluation", metavar="WHAT", title="what to measure")

    for register_one in EVALUATIONS:
        register_one(adder(kinds))


def run_steering(arguments: argparse.Namespace) -> int:
    from imagemusic.compose.pipeline import ImageMusic
    from imagemusic.evaluation.steering.goals import NOT_MEASURED
    from imagemusic.evaluation.steering.pairs import read_folder, read_pairs
    from imagemusic.evaluation.steering.settings import SteeringOptions

    workers = arguments.workers if arguments.workers is not None else min(2, os.cpu_count() or 1)
    if arguments.quick:
        options = SteeringOptions.quick(seeds=arguments.seeds, workers=workers)
    else:
        options = SteeringOptions(seeds=arguments.seeds, workers=workers)
    try:
        from imagemusic.evaluation.steering.run import Extras, evaluate

        if not arguments.pictures:
            import imagemusic.training.evaluation  # noqa: F401  (scoring music needs torch; pictures alone do not)
    except ModuleNotFoundError as error:
        raise DependencyError(f"this report needs {error.name}; run: pip install 'imagemusic[train]'") from error
    if arguments.data:
        from imagemusic.data.build.held_out_pairs import write_held_out

        arguments.pairs = write_held_out(arguments.data)
    model = ImageMusic.from_pretrained(arguments.checkpoint)
    source: Path = arguments.pairs or arguments.pictures
    if source.is_dir() and not arguments.pairs:
        pairs = read_folder(source, model.encode)
    else:
        pairs = read_pairs(source, model.encode, music=arguments.pairs is not None)
    pairs = pairs.checked(str(source), skip_bad=arguments.skip_bad)
    for problem in pairs.problems:
        notice(f"left out: {problem}")
    extras = Extras(
        ratings=tuple(arguments.ratings), unconditional=arguments.unconditional, prepared=arguments.prepared,
        controls=arguments.controls, gallery=tuple(arguments.gallery), data=(source.name,),
    )  # fmt: skip
    figures = evaluate(model, pairs, arguments.out, options, extras, notice)
    for row in figures["goals"]:
        if row["said"] != NOT_MEASURED:
            found = "no end" if row["value"] is None else f"{row['value']:.3f}"
            print(f"{row['what']}: {found} ({row['goal']}: {row['said']})")
    print(arguments.out / "index.html")
    return 0
