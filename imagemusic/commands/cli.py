"""Command line: `imagemusic compose cover.jpg --out music`.

    compose   pictures -> MIDI, sound and records        train   a data set -> a model
    replay    a record -> the same MIDI again            info    what a checkpoint is
    render    MIDI -> sound and a piano roll             app     the page, in the browser
    look      what pictures say of the music             data    covers and MIDI files -> a data set
    evaluate  does the picture steer; a listening test   inspect what goes on in a model's layers

Everything heavy is imported inside the commands, so that `--help` answers at once.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from imagemusic.commands import Commands, adder, compose, data, evaluate, inspect, look, train
from imagemusic.commands.options import add_checkpoint, add_sound_options
from imagemusic.commands.terminal import notice, print_error, progress_bar, spell_out, warnings_as_notices
from imagemusic.errors import ConfigError, ImageMusicError
from imagemusic.version import __version__

# Commands in files of their own, in the order of the help.
REGISTERED: tuple[Callable[[Commands], None], ...] = (
    look.register, data.register, train.register, evaluate.register, inspect.register,
)  # fmt: skip

PIPE_CLOSED = 141  # 128 + SIGPIPE
INTERRUPTED = 130  # 128 + SIGINT, as shells have it

EXAMPLES = {
    "imagemusic": """
  imagemusic compose cover.jpg --out music
  imagemusic app""",
    "replay": """
  imagemusic replay music/cover.json
  imagemusic replay music/cover.json --out again""",
    "render": """
  imagemusic render music/cover.mid
  imagemusic render music/cover.mid --out sound --format flac,ogg --soundfont /usr/share/sounds/sf2/FluidR3_GM.sf2""",
    "info": """
  imagemusic info
  imagemusic info runs/mine/checkpoint""",
    "app": """
  imagemusic app
  imagemusic app --host 0.0.0.0 --port 8080""",
}


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one line, without the usage in front."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}; see {self.prog} --help\n")


def build_parser() -> argparse.ArgumentParser:
    """Describe all commands; each sets `run`, a function of the parsed arguments that returns the exit status."""
    parser = OneLineParser(
        prog="imagemusic",
        description="Compose music for a picture.",
        epilog="examples:" + EXAMPLES["imagemusic"] + "\n\nimagemusic COMMAND --help tells more of a command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"imagemusic {__version__}")
    commands = parser.add_subparsers(required=True, dest="command", metavar="COMMAND", title="commands")

    add = adder(commands)

    def add_command(name: str, run: Callable[[argparse.Namespace], int], summary: str) -> argparse.ArgumentParser:
        command = add(name, summary, EXAMPLES[name])
        command.set_defaults(run=run)
        return command

    compose.register(add)

    replay = add_command("replay", run_replay, "compose again from a record, and tell whether it is the same")
    replay.add_argument("record", type=Path, metavar="RECORD", help="the .json file beside a piece")
    replay.add_argument("--out", type=Path, metavar="DIR", help="folder for the MIDI file (default: beside the record)")
    add_checkpoint(replay)

    render = add_command("render", run_render, "turn a MIDI file into sound and a picture of its piano roll")
    render.add_argument("midi", type=Path, metavar="FILE.mid", help="the MIDI file")
    render.add_argument("--out", type=Path, metavar="DIR", help="folder for the results (default: beside the file)")
    add_sound_options(render, default="wav", choices="wav, mp3, flac, ogg")

    info = add_command("info", run_info, "tell what a checkpoint is")
    info.add_argument("checkpoint", metavar="CHECKPOINT", nargs="?", help="a folder or hub id (default: what ships)")

    app = add_command("app", run_app, "open the page in a browser on this machine")
    app.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1: this machine alone)")
    app.add_argument("--port", type=int, default=7860, help="port to listen on (default 7860)")
    add_checkpoint(app)
    for register in REGISTERED:
        register(add)
    return parser


def run_replay(arguments: argparse.Namespace) -> int:
    from imagemusic.batch import make_folder
    from imagemusic.compose.composition import backend_choice, load_record
    from imagemusic.compose.pipeline import ImageMusic
    from imagemusic.generation.backends import DEFAULT

    recorded = load_record(arguments.record)
    folder = make_folder(arguments.out or arguments.record.parent)
    try:
        model = ImageMusic.from_pretrained(arguments.checkpoint, backend=backend_choice(recorded.backend))
    except ConfigError as error:
        notice(f"{arguments.record}: composing with {DEFAULT}, as {recorded.backend} does not run here ({error})")
        model = ImageMusic.from_pretrained(arguments.checkpoint)
    report = model.replay(recorded)
    path = folder / f"{arguments.record.stem}-replay.mid"
    recorded.score.save(path)
    if report.identical:
        print(f"{arguments.record}: the same MIDI bytes again, in {path}")
        return 0
    for difference in report.differences:
        print(f"{arguments.record}: {difference}")
    print(f"{arguments.record}: not the same here; the recorded notes are in {path}")
    return 1


def run_render(arguments: argparse.Namespace) -> int:
    from imagemusic.audio.synthesis import render
    from imagemusic.batch import OutputOptions, make_folder, write_piano_roll
    from imagemusic.music.midi import read_midi

    outputs = OutputOptions(
        formats=arguments.format or ("wav",), engine=arguments.engine, soundfont=arguments.soundfont
    )
    score = read_midi(arguments.midi)
    base = make_folder(arguments.out or arguments.midi.parent) / arguments.midi.stem
    with progress_bar() as (progress, say):
        progress(0.0, "drawing the piano roll")
        picture = base.with_name(f"{base.name}.png")
        write_piano_roll(score, picture)
        say(str(picture))
        progress(0.1, "playing")
        waveform = render(score, soundfont=outputs.soundfont, engine=outputs.engine)
        for index, suffix in enumerate(outputs.formats):
            progress(0.6 + 0.4 * index / len(outputs.formats), f"writing {suffix}")
            path = base.with_name(f"{base.name}.{suffix}")
            waveform.save(path)
            say(str(path))
    return 0


def run_info(arguments: argparse.Namespace) -> int:
    from imagemusic.compose.pipeline import ImageMusic

    print("\n".join(spell_out(ImageMusic.from_pretrained(arguments.checkpoint).describe())))
    return 0


def run_app(arguments: argparse.Namespace) -> int:
    from imagemusic.web.page import launch

    launch(arguments.host, arguments.port, checkpoint=arguments.checkpoint)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    arguments = build_parser().parse_args(argv)
    try:
        with warnings_as_notices():
            return arguments.run(arguments)
    except ImageMusicError as error:
        print_error(error)
        return 1
    except BrokenPipeError:  # whoever reads, `head` say, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except KeyboardInterrupt:
        notice("interrupted")
        return INTERRUPTED
