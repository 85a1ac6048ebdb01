"""Pictures, each with music where there is any, read from a CSV or a folder and checked.

    CSV: image, midi; album, artist, genre, valence, arousal, tempo_bpm where known ─┐
    a folder of pictures ────────────────────────────────────────────────────────────┴─> Pair, Pair, ...

Paths are relative to the CSV.  The columns valence and arousal hold people's ratings, on any scale, as only ranks are
used; tempo_bpm holds a known tempo.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imagemusic.data.corpora.piece import Piece
from imagemusic.data.corpora.user_midi import read_user_midi, user_piece
from imagemusic.data.prepared import PreparedPiece, PreparedSet, prepare_piece
from imagemusic.errors import DataError, ImageMusicError
from imagemusic.music.dials import DialNormalizer
from imagemusic.vision.features import ImageFeatures
from imagemusic.vision.image import IMAGE_SUFFIXES

RATED = ("valence", "arousal", "tempo_bpm")
SHOWN_PROBLEMS = 5
SEED = 0  # of every sample of pairs and pictures

Encode = Callable[[Path], ImageFeatures]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A picture with its music and facts; NaN and "" stand for what is not known."""

    name: str  # "row 3" of the CSV, or the picture's file name
    image: Path
    reading: ImageFeatures
    piece: Piece | None = None
    album: str = ""
    artist: str = ""
    genre: str = ""
    theme: str = ""  # the picture's subject, or the song whose cover it is
    valence: float = float("nan")
    arousal: float = float("nan")
    tempo_bpm: float = float("nan")

    @property
    def group(self) -> str:
        """The group that a bootstrap resamples: the album, else the artist, else the pair itself."""
        if self.album:
            return f"album {self.artist} / {self.album}"
        return f"artist {self.artist}" if self.artist else f"pair {self.name}"

    @property
    def picture_group(self) -> str:
        """The group where figures depend on the picture alone: theme, else album or artist, else the picture."""
        if self.theme:
            return f"theme {self.theme}"
        return self.group if self.album or self.artist else f"image {self.image}"


@dataclass(frozen=True, slots=True)
class PairList:
    """The usable pairs of a list, and a message for each other row."""

    pairs: tuple[Pair, ...]
    problems: tuple[str, ...]

    def checked(self, where: str, *, skip_bad: bool) -> "PairList":
        """Return the list itself, checked; `where` names it in errors.

        Raises:
            DataError: a row is not usable and `skip_bad` is off, or no row is left.
        """
        if self.problems and not skip_bad:
            more = f"; and {len(self.problems) - SHOWN_PROBLEMS} more" if len(self.problems) > SHOWN_PROBLEMS else ""
            named = "; ".join(self.problems[:SHOWN_PROBLEMS])
            raise DataError(f"{where}: {named}{more}; --skip-bad goes on without them")
        if not self.pairs:
            named = f" ({self.problems[0]})" if self.problems else ""
            raise DataError(f"{where}: no pair can be used{named}")
        return self


def read_pairs(path: Path, encode: Encode, *, music: bool = True) -> PairList:
    """Read the pairs of a CSV, or its pictures alone where `music` is off.

    Args:
        encode: returns the image features of a picture.

    Raises:
        DataError: the file cannot be read, or lacks a column.
    """
    needed = ("image", "midi") if music else ("image",)
    pairs, problems = [], []
    for number, row in _rows(path, needed):
        try:
            pairs.append(_pair(number, row, path.parent, encode, music))
        except ImageMusicError as error:
            problems.append(f"row {number}: {error}")
    return PairList(tuple(pairs), tuple(problems))


def read_folder(folder: Path, encode: Encode) -> PairList:
    """Read the pictures of a folder and its subfolders.

    Raises:
        DataError: it is not a folder, or holds no picture.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    if not found:
        raise DataError(f"{folder}: no pictures ({', '.join(sorted(IMAGE_SUFFIXES))})")
    pairs, problems = [], []
    for path in found:
        try:
            name = path.relative_to(folder).as_posix()
            pairs.append(Pair(name=name, image=path, reading=encode(path)))
        except ImageMusicError as error:
            problems.append(str(error))
    return PairList(tuple(pairs), tuple(problems))


def drawn(count: int, most: int) -> NDArray[np.int64]:
    """Return at most `most` of `count` row numbers (N,), sampled, in order, the same in every run."""
    return np.sort(np.random.default_rng(SEED).permutation(count)[:most])


def distinct_pictures(pairs: Sequence[Pair], most: int) -> tuple[Pair, ...]:
    """Return a sample of at most `most` pairs of different pictures, in the order of the list."""
    firsts = list({pair.reading.hash: pair for pair in reversed(pairs)}.values())[::-1]
    return tuple(firsts[i] for i in drawn(len(firsts), most))


def _rows(path: Path, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows of a CSV with their line numbers, the header being 1 and blank lines counted."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            names = [name.strip().lower() for name in reader.fieldnames or ()]
            if missing := [name for name in needed if name not in names]:
                raise DataError(f"{path}: no column {', '.join(map(repr, missing))}; needs {', '.join(needed)}")
            reader.fieldnames = names
            for row in reader:
                yield reader.line_num, row
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a CSV file in UTF-8 ({error})") from error


def _pair(number: int, row: dict[str, str], folder: Path, encode: Encode, music: bool) -> Pair:
    # csv.DictReader puts cells beyond the header under None.
    cells = {name: text.strip() for name, text in row.items() if name is not None}
    for column in ("image", "midi") if music else ("image",):
        if not cells[column]:
            raise DataError(f"no {column}")
    image = folder / cells["image"]
    piece = None
    reading = encode(image)
    if music:
        midi = folder / cells["midi"]
        piece = user_piece(read_user_midi(midi), key=cells["midi"], title=midi.stem, licence="")
        if piece is None:
            raise DataError(f"{midi}: no notes")
    rated = {column: _number(cells.get(column, ""), column) for column in RATED}
    about = {column: cells.get(column, "") for column in ("album", "artist", "genre")}
    return Pair(name=f"row {number}", image=image, reading=reading, piece=piece, **about, **rated)  # type: ignore[arg-type]


def _number(text: str, column: str) -> float:
    try:
        value = float(text) if text else float("nan")
    except ValueError as error:
        raise DataError(f"{column} must be a number, got {text!r}") from error
    if text and not np.isfinite(value):
        raise DataError(f"{column} must be a finite number, got {text!r}")
    return value


def prepare_pairs(pairs: Sequence[Pair], scale: DialNormalizer) -> tuple[PreparedSet, list[int]]:
    """Encode the music of pairs as events; return the set, and for each of its pieces the index of its pair.

    Raises:
        DataError: no pair has music with notes.
    """
    rows, segments, pieces, owners = [], [], [], []
    start = segment = 0
    for number, pair in enumerate(pairs):
        made = prepare_piece(pair.piece) if pair.piece is not None else None
        if made is None:
            continue
        events, cues, piece = made
        fields = {name: getattr(piece, name) for name in PreparedPiece.__dataclass_fields__}
        pieces.append(PreparedPiece(**fields | {"id": pair.name, "start": start, "first_segment": segment}))
        owners.append(number)
        rows.append(events)
        segments.append(cues)
        start, segment = start + len(events), segment + len(cues)
    if not pieces:
        raise DataError("no pair has music with notes")
    prepared = PreparedSet(
        rows=np.concatenate(rows), segments=np.concatenate(segments), pieces=tuple(pieces), scale=scale
    )
    return prepared, owners
