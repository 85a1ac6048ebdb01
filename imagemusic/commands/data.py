"""`imagemusic data`: covers for MIDI files, and data sets of both."""

from collections.abc import Callable

from imagemusic.commands import Commands, adder, data_match, data_set

EXAMPLES = """
  imagemusic data match midi/ --out dataset --contact me@example.org
  imagemusic data match midi/ --source folder --out dataset
  imagemusic data album 'Kind of Blue' --out kind-of-blue
  imagemusic data build dataset
  imagemusic data show dataset"""

# What registers the commands of the group, in the order of the help.
PARTS: tuple[Callable[[Commands], None], ...] = (data_match.register, data_set.register)


def register(commands: Commands) -> None:
    """Add `data` with its commands."""
    data = commands("data", "find covers for MIDI files, and make a data set of both", EXAMPLES)
    parts = data.add_subparsers(required=True, dest="part", metavar="COMMAND", title="commands")

    for register_part in PARTS:
        register_part(adder(parts))
