"""`imagemusic render`: a MIDI file to sound and a piano roll."""

import argparse
from pathlib import Path

from imagemusic.commands import Commands
from imagemusic.commands.options import add_overwrite, add_sound_options
from imagemusic.commands.terminal import notice, progress_bar

EXAMPLES = """
  imagemusic render music/cover.mid
  imagemusic render music/cover.mid --out sound --format flac,ogg --soundfont /usr/share/sounds/sf2/FluidR3_GM.sf2"""


def register(commands: Commands) -> None:
    """Add `render`."""
    render = commands("render", "turn a MIDI file into sound and a picture of its piano roll", EXAMPLES)
    render.add_argument("midi", type=Path, metavar="FILE.mid", help="the MIDI file")
    render.add_argument("--out", type=Path, metavar="DIR", help="folder for the results (default: beside the file)")
    add_sound_options(render, default="wav", choices="wav, mp3, flac, ogg")
    add_overwrite(render)
    render.set_defaults(run=run_render)


def run_render(arguments: argparse.Namespace) -> int:
    """Write the piano roll and the sound, or nothing where one of them is impossible."""
    from imagemusic.errors import ScoreError
    from imagemusic.export.formats import ExportOptions, export
    from imagemusic.export.source import ExportSource
    from imagemusic.files import make_folder
    from imagemusic.music.midi import read_midi

    options = ExportOptions(
        formats=tuple(dict.fromkeys(("png", *(arguments.format or ("wav",))))),
        synth=arguments.synth,
        soundfont=arguments.soundfont,
        overwrite=arguments.overwrite,
    )
    reading = read_midi(arguments.midi, fold_pedal=True)
    for line in reading.notices:
        notice(f"{arguments.midi}: {line}")
    if not reading.score.note_count:
        raise ScoreError(f"{arguments.midi}: no notes to play")
    source = ExportSource(
        score=reading.score, controls=reading.controls, synth=options.synth, soundfont=options.soundfont
    )
    base = make_folder(arguments.out or arguments.midi.parent) / arguments.midi.stem
    with progress_bar() as (progress, say):
        for path in export(source, base, options, progress):
            say(str(path))
    return 0
