"""Compose for many pictures: pieces side by side, files for each.

    pictures ──> names (export/naming.py) ──> pieces, MAX_BATCH at a time ──> files (export/formats.py) ──> outcomes

One picture that fails does not stop the others; its `Outcome` holds the error.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from imagemusic.compose.composition import Composition
from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.errors import ConfigError, ImageMusicError
from imagemusic.executors import Progress
from imagemusic.export.formats import ExportOptions, export
from imagemusic.export.naming import name_outputs, variation_name
from imagemusic.generation.generate import MAX_BATCH
from imagemusic.vision.features import ImageFeatures

MAX_VARIATIONS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """What is made of each picture."""

    variations: int = 1
    compose: ComposeOptions = field(default_factory=ComposeOptions)
    export: ExportOptions = field(default_factory=ExportOptions)

    def __post_init__(self) -> None:
        if not 1 <= self.variations <= MAX_VARIATIONS:
            raise ConfigError(f"variations must be in 1..{MAX_VARIATIONS}, got {self.variations}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one picture."""

    picture: Path
    files: tuple[Path, ...] = ()
    error: ImageMusicError | None = None


def compose_files(
    model: ImageMusic,
    pictures: Sequence[Path],
    folder: Path,
    options: BatchOptions,
    progress: Progress = lambda done, message: None,
) -> Iterator[Outcome]:
    """Compose and write pieces for each picture; yield what became of each picture as it is done."""
    variations = options.variations
    names = name_outputs(pictures, variations)
    tasks = [_PictureTask(picture, name) for picture, name in zip(pictures, names, strict=True)]
    parts = [(task, number) for task in tasks for number in range(1, variations + 1)]
    for first in range(0, len(parts), MAX_BATCH):
        group = parts[first : first + MAX_BATCH]
        composing = _part_of(progress, first / len(parts), len(group) / len(parts) / 2, _title(group))
        pieces = _compose_group(model, group, options.compose, composing)
        for index, ((task, number), piece) in enumerate(zip(group, pieces, strict=True)):
            progress((first + (len(group) + index) / 2) / len(parts), f"{task.picture.name}: playing")
            task.write(piece, folder, number, options.export)
            if number == variations:
                yield Outcome(task.picture, tuple(task.files), task.error)


@dataclass(slots=True)
class _PictureTask:
    """One picture on its way: its features, and what was written or went wrong."""

    picture: Path
    base: str
    features: ImageFeatures | None = None
    files: list[Path] = field(default_factory=list)
    error: ImageMusicError | None = None

    def encode(self, model: ImageMusic, options: ComposeOptions) -> ImageFeatures | None:
        """Return the features of the picture, computed once; None when it cannot be read."""
        try:
            if self.features is None and self.error is None:
                self.features = model.encode(self.picture, options.size)
        except ImageMusicError as error:
            self.error = error
        return self.features

    def write(self, piece: Composition | ImageMusicError | None, folder: Path, number: int, out: ExportOptions) -> None:
        """Write a piece, unless something went wrong before."""
        if self.error is not None or piece is None:
            return
        try:
            if isinstance(piece, ImageMusicError):
                raise piece
            base = folder / variation_name(self.base, number)
            self.files += export(piece.export_source(synth=out.synth, soundfont=out.soundfont), base, out)
        except ImageMusicError as error:
            self.error = error


def _compose_group(
    model: ImageMusic, group: Sequence[tuple[_PictureTask, int]], options: ComposeOptions, progress: Progress
) -> list[Composition | ImageMusicError | None]:
    """Compose side by side; what fails does so alone.  None for pictures that cannot be read."""
    features = [task.encode(model, options) for task, _ in group]
    requests = [
        (one, replace(options, variation=number))
        for one, (_, number) in zip(features, group, strict=True)
        if one is not None
    ]
    try:
        pieces: list[Composition | ImageMusicError] = list(model.compose_batch(requests, progress))
    except ImageMusicError:
        pieces = [_compose_or_error(model, *request) for request in requests]
    found = iter(pieces)
    return [None if one is None else next(found) for one in features]


def _compose_or_error(
    model: ImageMusic, features: ImageFeatures, options: ComposeOptions
) -> Composition | ImageMusicError:
    try:
        return model.compose_features(features, options)
    except ImageMusicError as error:
        return error


def _title(group: Sequence[tuple[_PictureTask, int]]) -> str:
    """Name a group of pieces: by its picture where there is one."""
    names = list(dict.fromkeys(task.picture.name for task, _ in group))
    return names[0] if len(names) == 1 else f"{len(names)} pictures"


def _part_of(progress: Progress, start: float, length: float, name: str) -> Progress:
    """Return a progress function for a part of the work: its 0..1 moves the whole from `start` by `length`."""
    return lambda done, message: progress(start + done * length, f"{name}: {message}")
