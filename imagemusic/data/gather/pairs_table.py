"""A table of pairs: pairs.csv with the columns midi, image[,artist,title,album,licence...], paths from its folder."""

import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from imagemusic.data.gather.user_table import read_table
from imagemusic.errors import DataError


@dataclass(frozen=True, slots=True)
class Pair:
    """A row of the table of pairs."""

    image: Path
    midi: Path
    artist: str
    title: str
    album: str
    licence: str


def read_pairs(path: Path) -> dict[str, list[Pair]]:
    """Read a table of pairs; return them by the normalized path of the MIDI file.

    Raises:
        DataError: it is missing, cannot be read, or lacks the columns `midi` and `image`.
    """
    columns, rows = read_table(path)
    if missing := [name for name in ("midi", "image") if name not in columns]:
        raise DataError(f"{path}: no column {missing[0]!r}; a table of pairs has midi and image")
    licence = next((name for name in columns if name.startswith(("licence", "license"))), "")
    pairs: dict[str, list[Pair]] = {}
    for where, row in rows:
        cells = {name: text.strip() for name, text in row.items()}
        if not cells["midi"] or not cells["image"]:
            raise DataError(f"{where}: a pair needs both midi and image")
        about = [cells.get(name, "") for name in ("artist", "title", "album", licence)]
        pair = Pair(path.parent / cells["image"], path.parent / cells["midi"], *about)
        pairs.setdefault(normal_path(pair.midi), []).append(pair)
    return pairs


def normal_path(path: Path) -> str:
    """Return an absolute path with composed accents, so that spellings of one path are equal."""
    return unicodedata.normalize("NFC", os.path.abspath(path))
