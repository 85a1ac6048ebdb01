"""Pieces to files: one table of formats, EXPORTERS, that the command line, the page and the library share.

    ExportSource ── EXPORTERS["wav"] ──> bytes ── files.py ──> BASE.wav

A new format is a function from an `ExportSource` (source.py) to bytes, in a file of its own, and a line in EXPORTERS.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from imagemusic.audio.pianoroll import draw_piano_roll
from imagemusic.audio.soundfont import check_soundfont
from imagemusic.audio.synthesis import check_playable, engine_name
from imagemusic.audio.waveform import AUDIO_FORMATS
from imagemusic.errors import ConfigError, OutputError
from imagemusic.executors import Progress
from imagemusic.export.source import Exporter, ExportSource
from imagemusic.files import sha256, write_atomically, write_outputs
from imagemusic.music.midi import midi_bytes
from imagemusic.vision.png import png_bytes

RECORD = "json"  # the record of a piece; of a score alone there is none


def export_midi(source: ExportSource) -> bytes:
    """Return the score as a MIDI file."""
    return midi_bytes(source.score)


def export_sound(kind: str, source: ExportSource) -> bytes:
    """Return the sound of the score as a file of one of AUDIO_FORMATS."""
    return source.waveform.encode(kind)


def export_piano_roll(source: ExportSource) -> bytes:
    """Return the piano roll of the score as a PNG file."""
    return png_bytes(draw_piano_roll(source.score))


def export_record(source: ExportSource) -> bytes:
    """Return the record of a composition as a JSON file.

    Raises:
        ConfigError: the score is not of a composition.
    """
    if source.record is None:
        raise ConfigError("format: only a piece that imagemusic composed has a record, json")
    return (json.dumps(source.record, ensure_ascii=False) + "\n").encode()


EXPORTERS: dict[str, Exporter] = {
    "mid": export_midi,
    **{kind: partial(export_sound, kind) for kind in AUDIO_FORMATS},
    "png": export_piano_roll,
    RECORD: export_record,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """Which files are written for a piece, and how."""

    formats: tuple[str, ...] = ("mid", "wav")  # of EXPORTERS
    synth: str = "auto"
    soundfont: Path | None = None  # None: the synthesizer's own
    overwrite: bool = False  # whether files that imagemusic did not make are replaced

    def __post_init__(self) -> None:
        for name in self.formats:
            exporter_of(name, "format")
        engine_name(self.synth)
        if self.soundfont is not None:
            check_soundfont(self.soundfont)


def exporter_of(suffix: str, where: str) -> Exporter:
    """Return the exporter of a format by its suffix, without the dot, in lower case.

    Raises:
        ConfigError: there is none.
    """
    if suffix not in EXPORTERS:
        raise ConfigError(f"{where}: unknown format {suffix!r}; choose from {', '.join(EXPORTERS)}")
    return EXPORTERS[suffix]


def save(source: ExportSource, path: str | Path) -> None:
    """Write one file in the format that its suffix names, over whatever is there.

    Raises:
        ConfigError: no format has this suffix.
        OutputError: the file cannot be written.
    """
    path = Path(path)
    write_atomically(path, exporter_of(path.suffix.lower().lstrip("."), str(path))(source))


def export(
    source: ExportSource, base: Path, options: ExportOptions, progress: Progress = lambda done, message: None
) -> tuple[Path, ...]:
    """Write BASE.suffix for each format and, of a composition, the record; return the paths.

    All files are encoded before the first is written, so that one that is impossible leaves none.  The record holds
    the sha256 of the others under "files", by which a later call knows that they may be replaced.

    Raises:
        SynthesisError, DependencyError: the score cannot be played.
        OutputError: a file cannot be written, or is not ours to replace.
    """
    if not options.overwrite:
        _check_same_picture(source, base)
    formats: Sequence[str] = [name for name in options.formats if name != RECORD or source.record is None]
    if set(formats) & set(AUDIO_FORMATS):
        check_playable(source.score)  # before work that would be for nothing
    encoded = {}
    for index, name in enumerate(formats):
        progress(index / len(formats), f"writing {name}")
        encoded[base.with_name(f"{base.name}.{name}")] = EXPORTERS[name](source)
    if source.record is not None:
        digests = {path.name: sha256(data) for path, data in encoded.items()}
        source.record = {**source.record, "files": digests}
        encoded[base.with_name(f"{base.name}.{RECORD}")] = export_record(source)
    write_outputs(encoded, overwrite=options.overwrite)
    return tuple(encoded)


def _check_same_picture(source: ExportSource, base: Path) -> None:
    """Refuse to replace the piece of another picture, such as one of the same name in another folder.

    Raises:
        OutputError: the record that is there is of another picture.
    """
    path = base.with_name(f"{base.name}.{RECORD}")
    try:
        there, new = json.loads(path.read_bytes())["picture"]["hash"], (source.record or {})["picture"]["hash"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return
    if there != new:
        raise OutputError(f"{path}: is there already, of another picture; choose another folder, or --overwrite it")
