"""Options that several commands share."""

import argparse
from pathlib import Path


def add_checkpoint(command: argparse.ArgumentParser) -> None:
    """Add the choice of a model."""
    command.add_argument("--checkpoint", metavar="DIR", help="the model: a folder or hub id (default: what ships)")


def add_sound_options(command: argparse.ArgumentParser, *, default: str, choices: str) -> None:
    """Add what the sound is made with."""
    command.add_argument(
        "--format", type=comma_list, metavar="LIST", help=f"files to write, of {choices} (default {default})"
    )
    command.add_argument("--soundfont", type=Path, metavar="FILE", help="SoundFont to play with, .sf2")
    command.add_argument("--engine", default="auto", metavar="NAME", help="auto, fluidsynth or tinysoundfont")


def comma_list(text: str) -> tuple[str, ...]:
    """Split `mid,wav` at its commas, each word once."""
    return tuple(dict.fromkeys(word.strip().lower().lstrip(".") for word in text.split(",") if word.strip()))
