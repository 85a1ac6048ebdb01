"""`imagemusic compose`: pictures to MIDI, sound and records."""

import argparse
import dataclasses
from pathlib import Path

from imagemusic.commands import Commands
from imagemusic.commands.options import add_backend, add_checkpoint, add_old_name, add_overwrite, add_sound_options
from imagemusic.commands.terminal import notice, print_error, progress_bar
from imagemusic.errors import ConfigError

EXAMPLES = """
  imagemusic compose cover.jpg --out music
  imagemusic compose covers/ 'more/**/*.png' --out music --seconds 90 --format mid,mp3
  imagemusic compose cover.jpg --out music --dial arousal=0.8 --dial density=0.5 --ensemble strings
  imagemusic compose cover.jpg --out music --key 'D dorian' --meter 3/4 --bars 16 --instruments piano,cello,drums
  imagemusic compose cover.jpg --out music --form AABA --ending cadence --takes 8
  imagemusic compose cover.jpg --out music --chords 'Am F | C/E G7' --style waltz --bars 32
  imagemusic compose cover.jpg --out more --plan music/cover.json --seed 2 --instruments piano
  imagemusic compose cover.jpg --out music --range C3-C6 --polyphony 4 --tempo 96
  imagemusic compose cover.jpg --out music --variations 4 --seed 7 --temperature 1.1 --guidance 2"""

# An option for a field of `ComposeOptions`: flag, field, type, what stands for its value, meaning.  Defaults and
# choices are repeated here because this file imports nothing heavy; a test compares them.
COMPOSE_OPTIONS: tuple[tuple[str, str, type, str, str], ...] = (
    ("--seconds", "seconds", float, "N", "length of a piece (default 60)"),
    ("--bars", "bars", int, "N", "length of a piece in bars, instead of seconds"),
    ("--seed", "seed", int, "N", "the same seed gives the same piece (default 0)"),
    (
        "--temperature",
        "temperature",
        float,
        "N",
        "how freely notes are chosen: low is safe, high is strange (default 0.9)",
    ),
    (
        "--rhythm-temperature",
        "rhythm_temperature",
        float,
        "N",
        "times the temperature, for when notes start and how long they last (default 0.8)",
    ),
    ("--top-p", "top_p", float, "N", "share of likely notes to choose among (default 0.9)"),
    ("--guidance", "guidance_scale", float, "N", "how closely to follow the picture, 1 is off (default 2)"),
    ("--feedback", "feedback", float, "N", "how firmly a piece is held to its dials, 0 is off (default 1.5)"),
    (
        "--repetition-bonus",
        "repetition_bonus",
        float,
        "N",
        "how much later phrases take after earlier ones: try 2 (default 0)",
    ),
    ("--form", "form", str, "FORM", "letters of four bars each, AABA or AA'BA, or free (default auto: sampled)"),
    ("--ending", "ending", str, "NAME", "cadence, fade, or open: the music just stops (default: a cadence)"),
    ("--takes", "takes", int, "N", "pieces to generate, of which the best is kept (default 2)"),
    ("--tempo", "tempo_bpm", float, "N", "beats a minute (default: as the picture suggests)"),
    ("--key", "key", str, "KEY", "only notes of this key: 'D dorian', 'Bb major', 'F# minor', 'A blues', ..."),
    ("--meter", "meter", str, "METER", "3/4, 6/8, 5/4, ... (default: the model's choice)"),
    (
        "--chords",
        "chords",
        str,
        "CHORDS",
        "a lead sheet, repeated to the end: 'Am F | C/E G7', | ends a bar",
    ),
    ("--instruments", "instruments", str, "LIST", "all of these play, and no others: piano,cello,drums"),
    ("--range", "pitch_range", str, "LOW-HIGH", "lowest and highest note, such as C3-C6; C4 is middle C, 60"),
    ("--polyphony", "polyphony", int, "N", "notes that sound at once, at most; drums apart"),
    ("--ensemble", "ensemble", str, "NAME", "piano, voice, strings, band, orchestra, drums or other (default: drawn)"),
    (
        "--style",
        "style",
        str,
        "NAME",
        "hymn, lied, folk, renaissance, baroque, classical, romantic, quartet, orchestral, march, waltz, ragtime, "
        "swing, blues, pop, rock, funk, latin, techno, ambient (default: drawn)",
    ),
    ("--size", "size", int, "N", "side in pixels at which the encoder reads the picture (default: as in training)"),
)
COMPOSE_SWITCHES = (  # flag, field that it turns off, meaning
    ("--no-ritardando", "ritardando", "keep the tempo to the end"),
    ("--no-playable", "playable", "let parts leave their instruments' ranges, winds play chords, hands span any chord"),
)
DIAL_NAMES = ("valence", "arousal", "tempo", "density", "register", "loudness", "articulation", "mode", "polyphony")


def register(commands: Commands) -> None:
    """Add `compose`."""
    compose = commands("compose", "compose music for pictures: MIDI, sound, a record", EXAMPLES)
    compose.add_argument("pictures", metavar="COVER", nargs="+", help="a picture, a folder of pictures, or a glob")
    compose.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    compose.add_argument("--variations", type=int, default=1, metavar="N", help="pieces for each picture (default 1)")
    add_compose_options(compose)
    add_sound_options(compose, default="mid,wav", choices="mid, wav, mp3, flac, ogg, png")
    add_overwrite(compose)
    add_checkpoint(compose)
    add_backend(compose)
    compose.set_defaults(run=run_compose)


def add_compose_options(command: argparse.ArgumentParser) -> None:
    """Add `--dial` and the rows of COMPOSE_OPTIONS; one that is not given keeps the default of `ComposeOptions`."""
    added = {
        flag: command.add_argument(
            flag, dest=field, type=kind, metavar=metavar, default=argparse.SUPPRESS, help=meaning
        )
        for flag, field, kind, metavar, meaning in COMPOSE_OPTIONS
    }
    add_old_name(command, "--recurrence", added["--repetition-bonus"])
    command.add_argument(
        "--plan", dest="plan", type=Path, metavar="FILE", default=argparse.SUPPRESS,
        help="form and chords of every bar, from a record or a file that holds its plan; edit it and compose again",
    )  # fmt: skip
    for flag, field, meaning in COMPOSE_SWITCHES:
        command.add_argument(flag, dest=field, action="store_false", default=argparse.SUPPRESS, help=meaning)
    command.add_argument(
        "--dial", dest="dials", action="append", metavar="NAME=VALUE", default=argparse.SUPPRESS,
        help=f"set a dial, -1..1, instead of the picture's; may be repeated: {', '.join(DIAL_NAMES)}",
    )  # fmt: skip


def read_plan(path: Path) -> dict[str, object]:
    """Read a plan from a JSON file: a plan, or the record of a piece that has one.

    Raises:
        ConfigError: it is missing, or holds no plan.
    """
    from imagemusic.plan.plan import Plan
    from imagemusic.schemas import read_json

    table = read_json(path, ConfigError)
    plan = table.get("plan") if isinstance(table, dict) and "record_version" in table else table
    if not isinstance(plan, dict):
        raise ConfigError(f"{path}: holds no plan; give a plan, or a record of a piece with one")
    try:
        return Plan.from_json(plan).to_json()
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def run_compose(arguments: argparse.Namespace) -> int:
    from imagemusic.batch import BatchOptions, Outcome, compose_files
    from imagemusic.compose.options import ComposeOptions, parse_dials
    from imagemusic.compose.pipeline import ImageMusic
    from imagemusic.export.formats import ExportOptions
    from imagemusic.files import make_folder
    from imagemusic.vision.listing import find_pictures

    names = {field.name for field in dataclasses.fields(ComposeOptions)}
    given = {name: value for name, value in vars(arguments).items() if name in names}
    if {"bars", "seconds"} <= given.keys():
        raise ConfigError("bars and seconds both set the length: leave out --bars or --seconds")
    if "plan" in given:
        given["plan"] = read_plan(given["plan"])
    options = ComposeOptions(**given | {"dials": parse_dials(given.get("dials", ()))})
    export = ExportOptions(
        formats=arguments.format or default_formats(arguments.synth),
        synth=arguments.synth,
        soundfont=arguments.soundfont,
        overwrite=arguments.overwrite,
    )
    batch = BatchOptions(variations=arguments.variations, compose=options, export=export)
    pictures, missing = find_pictures(arguments.pictures)
    failures = [Outcome(path, error=error) for path, error in missing]
    composed = 0
    if pictures:
        folder = make_folder(arguments.out)
        model = ImageMusic.from_pretrained(arguments.checkpoint, backend=arguments.backend)
        with progress_bar() as (progress, say):
            for outcome in compose_files(model, pictures, folder, batch, progress):
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


def default_formats(synth: str) -> tuple[str, ...]:
    """Return MIDI and WAV; where no synthesizer is installed or asked for, MIDI alone, with a notice."""
    from imagemusic.audio.synthesis import has_sound

    if synth != "auto" or has_sound():
        return ("mid", "wav")
    notice("no synthesizer is installed, so MIDI alone; for sound run: pip install --no-deps tinysoundfont")
    return ("mid",)
