"""Command line: `imagemusic compose cover.jpg --out music`.

    compose   pictures -> MIDI, sound and records        train   a data set -> a model
    replay    a record -> the same MIDI again            info    what a checkpoint is
    render    MIDI -> sound and a piano roll             app     the page, in the browser
    look      which dials a picture gives                data    covers and MIDI files -> a data set
    evaluate  does the picture steer; a listening test   inspect what goes on in a model's layers
    study     questions answered by measuring

Each command has a file of its own, which registers it.  Heavy imports are inside the commands' run functions, so that
`--help` answers at once.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from imagemusic.commands import (
    Commands,
    adder,
    app,
    compose,
    data,
    evaluate,
    info,
    inspect,
    look,
    render,
    replay,
    study,
    train,
)  # fmt: skip
from imagemusic.commands.terminal import notice, print_error, warnings_as_notices
from imagemusic.errors import ImageMusicError
from imagemusic.version import __version__

# What registers the commands, in the order of the help.
REGISTERED: tuple[Callable[[Commands], None], ...] = (
    compose.register, replay.register, render.register, info.register, app.register, look.register, data.register,
    train.register, evaluate.register, inspect.register, study.register,
)  # fmt: skip

PIPE_CLOSED = 141  # 128 + SIGPIPE
INTERRUPTED = 130  # 128 + SIGINT, as shells have it

EXAMPLES = """
  imagemusic compose cover.jpg --out music
  imagemusic app

imagemusic COMMAND --help describes one command."""


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one line, without the usage in front."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}; see {self.prog} --help\n")


def build_parser() -> argparse.ArgumentParser:
    """Describe all commands; each sets `run`, a function of the parsed arguments that returns the exit status."""
    parser = OneLineParser(
        prog="imagemusic",
        description="Compose music for a picture.",
        epilog=f"examples:{EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"imagemusic {__version__}")
    commands = adder(parser.add_subparsers(required=True, dest="command", metavar="COMMAND", title="commands"))
    for register in REGISTERED:
        register(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    arguments = build_parser().parse_args(argv)
    try:
        with warnings_as_notices():
            return arguments.run(arguments)
    except ImageMusicError as error:
        print_error(error)
        return 1
    except BrokenPipeError:  # the program that reads the output, such as `head`, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except KeyboardInterrupt:
        notice("interrupted")
        return INTERRUPTED
