"""Many pictures to many files.

    names: files, folders, globs ──> pictures ──> a base name each ──> base.mid  base.wav  base.json
                                                                       base-2.mid  ...       further variations

One picture that fails does not stop the others; its `Outcome` says why.
"""

import glob
import itertools
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from imagemusic.audio.pianoroll import draw_piano_roll
from imagemusic.audio.synthesis import SYNTHESIZERS, check_soundfont, engine_name
from imagemusic.audio.waveform import AUDIO_FORMATS
from imagemusic.compose.composition import Composition
from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.pipeline import ImageMusic, Progress
from imagemusic.errors import ConfigError, ImageError, ImageMusicError, OutputError
from imagemusic.generation.generate import MAX_BATCH
from imagemusic.music.score import Score
from imagemusic.vision.features import ImageFeatures
from imagemusic.vision.image import IMAGE_SUFFIXES

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("mid", *AUDIO_FORMATS)
MAX_VARIATIONS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """What is written for a picture, beside a record of each piece."""

    variations: int = 1
    formats: tuple[str, ...] = ("mid", "wav")
    engine: str = "auto"
    soundfont: Path | None = None  # None: the engine's own

    def __post_init__(self) -> None:
        if not 1 <= self.variations <= MAX_VARIATIONS:
            raise ConfigError(f"variations must be in 1..{MAX_VARIATIONS}, got {self.variations}")
        if unknown := [name for name in self.formats if name not in FORMATS]:
            raise ConfigError(f"format: unknown format {unknown[0]!r}; choose from {', '.join(FORMATS)}")
        engine_name(self.engine)
        if self.soundfont is not None:
            check_soundfont(self.soundfont)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one picture."""

    picture: Path
    files: tuple[Path, ...] = ()
    error: ImageMusicError | None = None


def has_sound() -> bool:
    """Tell whether a synthesizer is installed."""
    return SYNTHESIZERS[engine_name()].is_installed()


def find_pictures(names: Sequence[str]) -> tuple[list[Path], list[Outcome]]:
    """List the pictures that files, folders and globs name, each once, and the names that are no use.

    Of a folder, the pictures directly inside are taken, in the order of their names.
    """
    pictures: dict[Path, Path] = {}  # resolved -> as named
    failures = []
    for name in names:
        try:
            found = _pictures_of(name)
        except ImageError as error:
            failures.append(Outcome(Path(name), error=error))
        else:
            for path in found:
                pictures.setdefault(path.resolve(), path)
    return list(pictures.values()), failures


def _pictures_of(name: str) -> list[Path]:
    path = Path(name)
    try:
        if path.is_dir():
            found = sorted(inside for inside in path.iterdir() if inside.suffix.lower() in IMAGE_SUFFIXES)
            if not found:
                raise ImageError(f"{name}: no pictures in this folder; looked for {', '.join(sorted(IMAGE_SUFFIXES))}")
            return found
        if path.exists() or not glob.has_magic(name):
            return [path]  # what is wrong with it, if anything, shows when it is read
        found = sorted(match for match in map(Path, glob.glob(name, recursive=True)) if match.is_file())
    except OSError as error:
        raise ImageError(f"{name}: cannot be read ({error.strerror})") from error
    if not found:
        raise ImageError(f"{name}: matches no file")
    return found


def name_outputs(pictures: Sequence[Path], variations: int = 1) -> list[str]:
    """Give each picture a base name, so that no two of them write the same file.

    A stem that several pictures share gets its folder's name in front, `abbey_cover`; what still meets another
    picture's file, a variation's `-2` included, is numbered `cover_2`.  Upper and lower case count as equal, as they
    do on some disks.
    """
    shared = Counter(picture.stem.casefold() for picture in pictures)
    taken: set[str] = set()
    names = []
    for picture in pictures:
        stem = picture.stem
        if shared[stem.casefold()] > 1 and (folder := picture.resolve().parent.name):
            stem = f"{folder}_{stem}"
        for count in itertools.count(1):
            name = stem if count == 1 else f"{stem}_{count}"
            files = {variation_name(name, number).casefold() for number in range(1, variations + 1)}
            if not files & taken:
                break
        taken |= files
        names.append(name)
    return names


def variation_name(base: str, number: int) -> str:
    """Name the file of a variation without its suffix: the first is the base itself, the second ends with -2."""
    return base if number == 1 else f"{base}-{number}"


def make_folder(folder: Path) -> Path:
    """Make a folder for results and try whether it can be written to.

    Raises:
        OutputError: it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except FileExistsError as error:
        raise OutputError(f"{folder}: a file, not a folder to write to") from error
    except OSError as error:
        raise OutputError(f"{folder}: cannot write there ({error.strerror})") from error
    return folder


def write_composition(composition: Composition, folder: Path, name: str, outputs: OutputOptions) -> tuple[Path, ...]:
    """Write a piece and its record into `folder`; the sound comes last, as it is what may be impossible."""
    record = folder / f"{name}.json"
    files = [folder / f"{name}.{suffix}" for suffix in outputs.formats]
    for path in files:
        if path.suffix == ".mid":
            composition.score.save(path)
    composition.save_record(record)
    if sounds := [path for path in files if path.suffix != ".mid"]:
        waveform = composition.render(engine=outputs.engine, soundfont=outputs.soundfont)
        for path in sounds:
            waveform.save(path)
    return (*files, record)


def write_piano_roll(score: Score, path: Path) -> None:
    """Draw a score into a PNG file.

    Raises:
        OutputError: the file cannot be written.
    """
    write_png(draw_piano_roll(score), path)


def write_png(image: "Image.Image", path: Path) -> None:
    """Write a picture into a PNG file.

    Raises:
        OutputError: the file cannot be written.
    """
    waiting = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        image.save(waiting, format="PNG", optimize=True)
        os.replace(waiting, path)
    except OSError as error:
        with suppress(OSError):
            waiting.unlink()
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error


def compose_files(
    model: ImageMusic,
    pictures: Sequence[Path],
    folder: Path,
    options: ComposeOptions,
    outputs: OutputOptions,
    *,
    progress: Progress = lambda done, message: None,
) -> Iterator[Outcome]:
    """Compose and write pieces for each picture; yield what became of each picture as it is done."""
    variations = outputs.variations
    names = name_outputs(pictures, variations)
    works = [_Work(picture, name) for picture, name in zip(pictures, names, strict=True)]
    parts = [(work, number) for work in works for number in range(1, variations + 1)]
    for first in range(0, len(parts), MAX_BATCH):
        group = parts[first : first + MAX_BATCH]
        say = _stretch(progress, first / len(parts), len(group) / len(parts) / 2, _title(group))
        pieces = _compose_group(model, group, options, say)
        for index, ((work, number), piece) in enumerate(zip(group, pieces, strict=True)):
            progress((first + (len(group) + index) / 2) / len(parts), f"{work.picture.name}: playing")
            work.write(piece, folder, number, outputs)
            if number == variations:
                yield Outcome(work.picture, tuple(work.files), work.error)


@dataclass(slots=True)
class _Work:
    """What becomes of one picture."""

    picture: Path
    base: str
    reading: ImageFeatures | None = None
    files: list[Path] = field(default_factory=list)
    error: ImageMusicError | None = None

    def look(self, model: ImageMusic, options: ComposeOptions) -> ImageFeatures | None:
        """See the picture once; None when it cannot be seen."""
        try:
            if self.reading is None and self.error is None:
                self.reading = model.encode(self.picture, options.size)
        except ImageMusicError as error:
            self.error = error
        return self.reading

    def write(self, piece: Composition | ImageMusicError | None, folder: Path, number: int, out: OutputOptions) -> None:
        """Write a piece, unless something went wrong before."""
        if self.error is not None or piece is None:
            return
        try:
            if isinstance(piece, ImageMusicError):
                raise piece
            self.files += write_composition(piece, folder, variation_name(self.base, number), out)
        except ImageMusicError as error:
            self.error = error


def _compose_group(
    model: ImageMusic, group: Sequence[tuple[_Work, int]], options: ComposeOptions, say: Progress
) -> list[Composition | ImageMusicError | None]:
    """Compose side by side; what fails does so alone.  None for pictures that cannot be seen."""
    readings = [work.look(model, options) for work, _ in group]
    requests = [
        (reading, replace(options, variation=number))
        for reading, (_, number) in zip(readings, group, strict=True)
        if reading is not None
    ]
    try:
        pieces: list[Composition | ImageMusicError] = list(model.compose_batch(requests, say))
    except ImageMusicError:
        pieces = [_compose_or_error(model, *request) for request in requests]
    found = iter(pieces)
    return [None if reading is None else next(found) for reading in readings]


def _compose_or_error(
    model: ImageMusic, reading: ImageFeatures, options: ComposeOptions
) -> Composition | ImageMusicError:
    try:
        return model.compose_features(reading, options)
    except ImageMusicError as error:
        return error


def _title(group: Sequence[tuple[_Work, int]]) -> str:
    """Name a group of pieces: by its picture where there is one."""
    names = list(dict.fromkeys(work.picture.name for work, _ in group))
    return names[0] if len(names) == 1 else f"{len(names)} pictures"


def _stretch(progress: Progress, start: float, length: float, name: str) -> Progress:
    """Let a part of the work report 0..1 while the whole moves from `start` by `length`."""
    return lambda done, message: progress(start + done * length, f"{name}: {message}")
