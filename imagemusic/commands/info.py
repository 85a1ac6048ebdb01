"""`imagemusic info`: what a checkpoint is."""

import argparse

from imagemusic.commands import Commands
from imagemusic.commands.terminal import spell_out

EXAMPLES = """
  imagemusic info
  imagemusic info runs/mine/checkpoint"""


def register(commands: Commands) -> None:
    """Add `info`."""
    info = commands("info", "describe a checkpoint", EXAMPLES)
    info.add_argument("checkpoint", metavar="CHECKPOINT", nargs="?", help="a folder or hub id (default: what ships)")
    info.set_defaults(run=run_info)


def run_info(arguments: argparse.Namespace) -> int:
    """Print the description of a model."""
    from imagemusic.compose.pipeline import ImageMusic

    print("\n".join(spell_out(ImageMusic.from_pretrained(arguments.checkpoint).describe())))
    return 0
