"""Options that several commands share, and old names of options."""

import argparse
from pathlib import Path
from typing import Any

from imagemusic.commands.terminal import notice
from imagemusic.config import OLD_NAMES_UNTIL


class OldName(argparse.Action):
    """Reads an option by its old name, with a notice; --help does not show it."""

    def __init__(self, option_strings: list[str], dest: str, *, renamed: argparse.Action, **rest: Any) -> None:
        super().__init__(
            option_strings, dest, nargs=renamed.nargs, const=renamed.const, default=argparse.SUPPRESS,
            type=renamed.type, choices=renamed.choices, metavar=renamed.metavar,  # type: ignore[arg-type]
            help=argparse.SUPPRESS,
        )  # fmt: skip
        self.renamed = renamed

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        new = self.renamed.option_strings[-1]
        notice(f"{option} is called {new} now; the old name is read until version {OLD_NAMES_UNTIL}")
        self.renamed(parser, namespace, values, option)


def add_old_name(command: argparse.ArgumentParser | argparse._ArgumentGroup, old: str, new: argparse.Action) -> None:
    """Let the option that was added as `new` be given by an old name, too, for one version."""
    command.add_argument(old, action=OldName, dest=new.dest, renamed=new)


def add_checkpoint(command: argparse.ArgumentParser) -> None:
    """Add the choice of a model."""
    command.add_argument("--checkpoint", metavar="DIR", help="the model: a folder or hub id (default: what ships)")


def add_backend(command: argparse.ArgumentParser) -> None:
    """Add the choice of what runs the decoder."""
    backend = command.add_argument(
        "--backend", default="int8", metavar="NAME",
        help="what runs the decoder: int8, onnx (fp32) or torch (default %(default)s)",
    )  # fmt: skip
    add_old_name(command, "--decoder-engine", backend)


def add_sound_options(command: argparse.ArgumentParser, *, default: str, choices: str) -> None:
    """Add the formats of the files, and what synthesizes the sound."""
    command.add_argument(
        "--format", type=comma_list, metavar="LIST", help=f"files to write, of {choices} (default {default})"
    )
    command.add_argument("--soundfont", type=Path, metavar="FILE", help="SoundFont to play with, .sf2")
    synth = command.add_argument(
        "--synth", default="auto", metavar="NAME", help="synthesizer: auto, fluidsynth or tinysoundfont (default auto)"
    )
    add_old_name(command, "--engine", synth)


def add_overwrite(command: argparse.ArgumentParser) -> None:
    """Add the permission to replace files that imagemusic did not make."""
    command.add_argument("--overwrite", action="store_true", help="replace files, also those of other making")


def comma_list(text: str) -> tuple[str, ...]:
    """Split `mid,wav` at its commas, each word once."""
    return tuple(dict.fromkeys(word.strip().lower().lstrip(".") for word in text.split(",") if word.strip()))
