"""Command line: `imagemusic compose cover.jpg --out music`.

    compose   pictures -> MIDI, sound and records        train   a settings file -> a model
    replay    a record -> the same MIDI again            info    what a checkpoint is
    render    MIDI -> sound and a piano roll             app     the page, in the browser

Everything heavy is imported inside the commands, so that `--help` answers at once.
"""

import argparse
import dataclasses
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from imagemusic import __version__
from imagemusic.commands import Commands
from imagemusic.errors import DependencyError, ImageMusicError
from imagemusic.terminal import notice, print_error, progress_bar

# Commands in files of their own, in the order of the help.
REGISTERED: tuple[Callable[[Commands], None], ...] = ()

PIPE_CLOSED = 141  # 128 + SIGPIPE
INTERRUPTED = 130  # 128 + SIGINT, as shells have it

EXAMPLES = {
    "imagemusic": """
  imagemusic compose cover.jpg --out music
  imagemusic app""",
    "compose": """
  imagemusic compose cover.jpg --out music
  imagemusic compose covers/ 'more/**/*.png' --out music --seconds 90 --format mid,mp3
  imagemusic compose cover.jpg --out music --variations 4 --seed 7 --temperature 1.1 --guidance 2""",
    "replay": """
  imagemusic replay music/cover.json
  imagemusic replay music/cover.json --out again""",
    "render": """
  imagemusic render music/cover.mid
  imagemusic render music/cover.mid --out sound --format flac,ogg --soundfont /usr/share/sounds/sf2/FluidR3_GM.sf2""",
    "info": """
  imagemusic info
  imagemusic info runs/mine/checkpoint""",
    "train": """
  imagemusic train scripts/experiments/default.toml
  imagemusic train mine.toml --restart""",
    "app": """
  imagemusic app
  imagemusic app --host 0.0.0.0 --port 8080""",
}

# An option for a field of `ComposeOptions`.  A default is said here for people to read; a test compares it.
COMPOSE_OPTIONS: tuple[tuple[str, str, type, str], ...] = (
    ("--seconds", "seconds", float, "length of a piece (default 60)"),
    ("--seed", "seed", int, "the same seed gives the same piece (default 0)"),
    ("--temperature", "temperature", float, "how freely notes are chosen: low is safe, high is strange (default 1)"),
    ("--top-p", "top_p", float, "share of likely notes to choose among (default 0.9)"),
    ("--guidance", "guidance_scale", float, "how closely to follow the picture, 1 is off (default 1.5)"),
    ("--tempo", "tempo_bpm", float, "beats a minute (default: as the picture suggests)"),
    ("--size", "size", int, "side in pixels at which the picture is seen (default: as the model was trained)"),
)


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

    def add(name: str, summary: str, examples: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=f"examples:{examples}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def add_command(name: str, run: Callable[[argparse.Namespace], int], summary: str) -> argparse.ArgumentParser:
        command = add(name, summary, EXAMPLES[name])
        command.set_defaults(run=run)
        return command

    compose = add_command("compose", run_compose, "compose music for pictures: MIDI, sound, a record")
    compose.add_argument("pictures", metavar="COVER", nargs="+", help="a picture, a folder of pictures, or a glob")
    compose.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    compose.add_argument("--variations", type=int, default=1, metavar="N", help="pieces for each picture (default 1)")
    add_compose_options(compose)
    add_sound_options(compose, default="mid,wav", choices="mid, wav, mp3, flac, ogg")
    add_checkpoint(compose)

    replay = add_command("replay", run_replay, "compose again from a record, and tell whether it is the same")
    replay.add_argument("record", type=Path, metavar="RECORD", help="the .json file beside a piece")
    replay.add_argument("--out", type=Path, metavar="DIR", help="folder for the MIDI file (default: beside the record)")
    add_checkpoint(replay)

    render = add_command("render", run_render, "turn a MIDI file into sound and a picture of its piano roll")
    render.add_argument("midi", type=Path, metavar="FILE.mid", help="the MIDI file")
    render.add_argument("--out", type=Path, metavar="DIR", help="folder for the results (default: beside the file)")
    add_sound_options(render, default="wav", choices="wav, mp3, flac, ogg")

    info = add_command("info", run_info, "tell what a checkpoint is")
    info.add_argument("checkpoint", metavar="CHECKPOINT", nargs="?", help="a folder (default: the model that ships)")

    train = add_command("train", run_train, "train a model as a settings file says")
    train.add_argument("config", type=Path, metavar="CONFIG.toml", help="the settings")
    train.add_argument("--restart", action="store_true", help="begin anew instead of going on where the run stopped")

    app = add_command("app", run_app, "open the page in a browser on this machine")
    app.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1: this machine alone)")
    app.add_argument("--port", type=int, default=7860, help="port to listen on (default 7860)")
    add_checkpoint(app)
    for register in REGISTERED:
        register(add)
    return parser


def add_compose_options(command: argparse.ArgumentParser) -> None:
    """Add an option for each row of COMPOSE_OPTIONS; one that is not given keeps the default of `ComposeOptions`."""
    for flag, field, kind, meaning in COMPOSE_OPTIONS:
        command.add_argument(flag, dest=field, type=kind, metavar="N", default=argparse.SUPPRESS, help=meaning)


def add_sound_options(command: argparse.ArgumentParser, *, default: str, choices: str) -> None:
    """Add what the sound is made with."""
    command.add_argument(
        "--format", type=comma_list, metavar="LIST", help=f"files to write, of {choices} (default {default})"
    )
    command.add_argument("--soundfont", type=Path, metavar="FILE", help="SoundFont to play with, .sf2")
    command.add_argument("--engine", default="auto", metavar="NAME", help="auto, fluidsynth or tinysoundfont")


def add_checkpoint(command: argparse.ArgumentParser) -> None:
    """Add the choice of a model."""
    command.add_argument("--checkpoint", metavar="DIR", help="the model (default: the one that ships)")


def comma_list(text: str) -> tuple[str, ...]:
    """Split `mid,wav` at its commas, each word once."""
    return tuple(dict.fromkeys(word.strip().lower().lstrip(".") for word in text.split(",") if word.strip()))


def run_compose(arguments: argparse.Namespace) -> int:
    from imagemusic import batch
    from imagemusic.composition import ComposeOptions
    from imagemusic.pipeline import ImageMusic

    names = {field.name for field in dataclasses.fields(ComposeOptions)}
    options = ComposeOptions(**{name: value for name, value in vars(arguments).items() if name in names})
    outputs = batch.OutputOptions(
        variations=arguments.variations,
        formats=arguments.format or default_formats(arguments.engine),
        engine=arguments.engine,
        soundfont=arguments.soundfont,
    )
    pictures, failures = batch.find_pictures(arguments.pictures)
    composed = 0
    if pictures:
        folder = batch.make_folder(arguments.out)
        model = ImageMusic.from_pretrained(arguments.checkpoint)
        with progress_bar() as (progress, say):
            for outcome in batch.compose_batch(model, pictures, folder, options, outputs, progress=progress):
                if outcome.error:
                    failures.append(outcome)
                else:
                    composed += 1
                    say(f"{outcome.picture} -> {' '.join(map(str, outcome.files))}")
    for failure in failures:
        print_error(failure.error, where=str(failure.picture))
    if failures and composed + len(failures) > 1:
        failed = ", ".join(str(failure.picture) for failure in failures)
        notice(f"{composed} of {composed + len(failures)} pictures composed; failed: {failed}")
    return 1 if failures else 0


def default_formats(engine: str) -> tuple[str, ...]:
    """MIDI and WAV; where nothing can play, and nobody asked for an engine, MIDI alone and a line that says so."""
    from imagemusic.batch import has_sound

    if engine != "auto" or has_sound():
        return ("mid", "wav")
    notice("no synthesizer is installed, so MIDI alone; for sound run: pip install --no-deps tinysoundfont")
    return ("mid",)


def run_replay(arguments: argparse.Namespace) -> int:
    from imagemusic.batch import make_folder
    from imagemusic.composition import load_record
    from imagemusic.pipeline import ImageMusic

    recorded = load_record(arguments.record)
    folder = make_folder(arguments.out or arguments.record.parent)
    report = ImageMusic.from_pretrained(arguments.checkpoint).replay(recorded)
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
    from imagemusic.pipeline import ImageMusic

    print("\n".join(spell_out(ImageMusic.from_pretrained(arguments.checkpoint).describe())))
    return 0


def spell_out(table: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Write a nested table as lines of `key: value`."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield f"{indent}{key}:"
            yield from spell_out(value, indent + "  ")
        else:
            text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            yield f"{indent}{key}: {text}"


def run_train(arguments: argparse.Namespace) -> int:
    try:
        from imagemusic.training.trainer import train
    except ModuleNotFoundError as error:
        raise DependencyError(f"training needs {error.name}; run: pip install 'imagemusic[train]'") from error

    print(train(arguments.config, resume=not arguments.restart))
    return 0


def run_app(arguments: argparse.Namespace) -> int:
    from imagemusic.web.page import launch

    launch(arguments.host, arguments.port, checkpoint=arguments.checkpoint)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    arguments = build_parser().parse_args(argv)
    try:
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
