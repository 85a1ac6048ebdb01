"""Many pictures to many files.

    names: files, folders, globs ──> pictures ──> a base name each ──> base.mid  base.wav  base.json
                                                                       base-2.mid  ...       further variations

One picture that fails does not stop the others; its `Outcome` says why.
"""

import glob
import itertools
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagemusic.audio.synthesis import SYNTHESIZERS, check_soundfont, engine_name
from imagemusic.audio.waveform import AUDIO_FORMATS
from imagemusic.composition import ComposeOptions, Composition
from imagemusic.errors import ConfigError, ImageError, ImageMusicError, OutputError
from imagemusic.pipeline import ImageMusic
from imagemusic.vision.image import IMAGE_SUFFIXES

FORMATS = ("mid", *AUDIO_FORMATS)
MAX_VARIATIONS = 1000

Progress = Callable[[float, str], None]  # share done in 0..1, what is being done


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """What is written for a piece, beside its record."""

    formats: tuple[str, ...] = ("mid", "wav")
    engine: str = "auto"
    soundfont: Path | None = None  # None: the engine's own

    def __post_init__(self) -> None:
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


def has_sound(engine: str = "auto") -> bool:
    """Tell whether the synthesizer that would play is installed."""
    return SYNTHESIZERS[engine_name(engine)].is_installed()


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


def compose_batch(
    model: ImageMusic,
    pictures: Sequence[Path],
    folder: Path,
    options: ComposeOptions,
    outputs: OutputOptions,
    *,
    variations: int = 1,
    progress: Progress | None = None,
) -> Iterator[Outcome]:
    """Compose and write `variations` pieces for each picture; yield what became of each picture as it is done."""
    if not 1 <= variations <= MAX_VARIATIONS:
        raise ConfigError(f"variations must be in 1..{MAX_VARIATIONS}, got {variations}")
    for index, (picture, base) in enumerate(zip(pictures, name_outputs(pictures, variations), strict=True)):

        def report(done: float, message: str, index: int = index, picture: Path = picture) -> None:
            if progress is not None:
                progress((index + done) / len(pictures), f"{picture.name}: {message}")

        files: list[Path] = []
        try:
            report(0, "composing")
            pieces = model.compose_variations(picture, options, variations)
            for number, piece in enumerate(pieces, start=1):
                report(number / (len(pieces) + 1), f"writing piece {number} of {len(pieces)}")
                files += write_composition(piece, folder, variation_name(base, number), outputs)
        except ImageMusicError as error:
            yield Outcome(picture, tuple(files), error)
        else:
            yield Outcome(picture, tuple(files))
