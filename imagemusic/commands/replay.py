"""`imagemusic replay`: compose again from a record."""

import argparse
from pathlib import Path

from imagemusic.commands import Commands
from imagemusic.commands.options import add_checkpoint, add_overwrite
from imagemusic.commands.terminal import notice
from imagemusic.errors import ConfigError

EXAMPLES = """
  imagemusic replay music/cover.json
  imagemusic replay music/cover.json --out again"""


def register(commands: Commands) -> None:
    """Add `replay`."""
    replay = commands("replay", "compose again from a record, and compare", EXAMPLES)
    replay.add_argument("record", type=Path, metavar="RECORD", help="the .json file beside a piece")
    replay.add_argument("--out", type=Path, metavar="DIR", help="folder for the MIDI file (default: beside the record)")
    add_checkpoint(replay)
    add_overwrite(replay)
    replay.set_defaults(run=run_replay)


def run_replay(arguments: argparse.Namespace) -> int:
    """Compose again with the backend that the record names, or else the default, and compare the MIDI bytes."""
    from imagemusic.compose.composition import backend_choice, load_record
    from imagemusic.compose.pipeline import ImageMusic
    from imagemusic.files import make_folder, write_outputs
    from imagemusic.generation.backends import DEFAULT
    from imagemusic.music.midi import midi_bytes

    recorded = load_record(arguments.record)
    folder = make_folder(arguments.out or arguments.record.parent)
    try:
        model = ImageMusic.from_pretrained(arguments.checkpoint, backend=backend_choice(recorded.backend))
    except ConfigError as error:
        notice(f"{arguments.record}: composing with {DEFAULT}, as {recorded.backend} does not run here ({error})")
        model = ImageMusic.from_pretrained(arguments.checkpoint)
    report = model.replay(recorded)
    path = folder / f"{arguments.record.stem}-replay.mid"
    write_outputs({path: midi_bytes(recorded.score)}, overwrite=arguments.overwrite)
    if report.identical:
        print(f"{arguments.record}: the same MIDI bytes again, in {path}")
        return 0
    for difference in report.differences:
        print(f"{arguments.record}: {difference}")
    print(f"{arguments.record}: not the same here; the recorded notes are in {path}")
    return 1
