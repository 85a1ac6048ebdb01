"""`imagemusic info`: what a checkpoint is, or how a piece was made."""

import argparse

from imagemusic.commands import Commands
from imagemusic.commands.terminal import spell_out

EXAMPLES = """
  imagemusic info
  imagemusic info runs/mine/checkpoint
  imagemusic info music/cover.json"""


def register(commands: Commands) -> None:
    """Add `info`."""
    info = commands("info", "describe a checkpoint, or the record of a piece", EXAMPLES)
    info.add_argument(
        "checkpoint", metavar="CHECKPOINT", nargs="?",
        help="a folder, a hub id, or the record of a piece, .json (default: the model that ships)",
    )  # fmt: skip
    info.set_defaults(run=run_info)


def run_info(arguments: argparse.Namespace) -> int:
    """Print the description of a model, or of a piece: its targets, form and chords."""
    from imagemusic.compose.composition import load_record
    from imagemusic.compose.pipeline import ImageMusic

    if arguments.checkpoint and arguments.checkpoint.endswith(".json"):
        piece = load_record(arguments.checkpoint)
        print("\n".join(spell_out(piece.describe())))
        print(piece.plan.text() if piece.plan else "no plan: the form was free, or the model plans none")
        return 0
    print("\n".join(spell_out(ImageMusic.from_pretrained(arguments.checkpoint).describe())))
    return 0
