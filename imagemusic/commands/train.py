"""`imagemusic train`: a model, from a settings file or from a data set of the user's."""

import argparse
from pathlib import Path

from imagemusic.commands import Commands
from imagemusic.commands.options import add_old_name
from imagemusic.commands.terminal import progress_bar
from imagemusic.errors import ConfigError, DependencyError

EXAMPLES = """
  imagemusic train --data dataset --run runs/mine
  imagemusic train --data dataset --steps 1000 --checkpoint runs/other/checkpoint
  imagemusic train scripts/experiments/default.toml
  imagemusic train mine.toml --restart"""

# An option for a field of `FinetuneOptions`; its default is repeated in the help, and a test compares the two.
DATA_OPTIONS: tuple[tuple[str, str, type, str], ...] = (
    ("--steps", "steps", int, "updates of the weights (default 400)"),
    ("--batch-size", "batch_size", int, "windows of music in each (default 16)"),
    ("--learning-rate", "learning_rate", float, "how far each goes (default 0.0003)"),
    ("--seed", "seed", int, "the same seed draws the same batches (default 0)"),
)
DATA_FLAGS = (
    *(field for _, field, _, _ in DATA_OPTIONS),
    "run_dir",
    "checkpoint",
    "from_scratch",
    "accept_spotify_terms",
)


def register(commands: Commands) -> None:
    """Add `train`."""
    train = commands("train", "train a model, from a data set of your own or from a settings file", EXAMPLES)
    train.add_argument("config", type=Path, metavar="CONFIG.toml", nargs="?", help="the settings")
    train.add_argument("--restart", action="store_true", help="begin anew instead of going on where the run stopped")
    data = train.add_argument_group("from a data set")
    data.add_argument("--data", type=Path, metavar="DATASET", help="a folder of imagemusic data build")
    unset = argparse.SUPPRESS
    data.add_argument(
        "--run",
        dest="run_dir",
        type=Path,
        metavar="DIR",
        default=unset,
        help="folder to write (default: run beside it)",
    )
    data.add_argument(
        "--checkpoint", metavar="DIR", default=unset, help="what to start from (default: the model that ships)"
    )
    scratch = data.add_argument("--from-scratch", action="store_true", default=unset, help="begin with random weights")
    add_old_name(data, "--from-chance", scratch)
    for flag, field, kind, meaning in DATA_OPTIONS:
        data.add_argument(flag, dest=field, type=kind, metavar="N", default=unset, help=meaning)
    data.add_argument(
        "--accept-spotify-terms",
        action="store_true",
        default=unset,
        help="train on Spotify's rows too; see docs/data.md",
    )
    train.set_defaults(run=run_train)


def run_train(arguments: argparse.Namespace) -> int:
    given = {name: value for name, value in vars(arguments).items() if name in DATA_FLAGS}
    if (arguments.config is None) == (arguments.data is None):
        raise ConfigError("train: name a settings file, or a data set with --data; one of the two")
    if arguments.config is not None and given:
        flag = sorted(given)[0].removesuffix("_dir").replace("_", "-")
        raise ConfigError(f"train: --{flag} goes with --data; a settings file holds the rest itself")
    try:
        from imagemusic.training.finetuning import FinetuneOptions, finetune
        from imagemusic.training.trainer import train
    except ModuleNotFoundError as error:
        raise DependencyError(f"training needs {error.name}; run: pip install 'imagemusic[train]'") from error
    if arguments.config is not None:
        print(train(arguments.config, resume=not arguments.restart))
        return 0

    from imagemusic.data.build.manifest import require_arrow

    require_arrow()
    run = given.pop("run_dir", arguments.data.resolve().parent / "run")
    options = FinetuneOptions(run=run, init_from=given.pop("checkpoint", None), restart=arguments.restart, **given)
    with progress_bar() as (progress, say):
        say(str(finetune(arguments.data, options, progress)))
    return 0
