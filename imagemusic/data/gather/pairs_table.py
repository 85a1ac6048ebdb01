"""A table of pairs: pairs.csv with the columns midi, image[,artist,title,album,licence...], paths from its folder."""

import csv
import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path

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
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            columns = [name.strip().lower() for name in table.fieldnames or ()]
            table.fieldnames = columns
            if missing := [name for name in ("midi", "image") if name not in columns]:
                raise DataError(f"{path}: no column {missing[0]!r}; a table of pairs has midi and image")
            licence = next((name for name in columns if name.startswith(("licence", "license"))), "")
            pairs: dict[str, list[Pair]] = {}
            for row in table:
                cells = {name: (value or "").strip() for name, value in row.items() if isinstance(value, str | None)}
                if not cells["midi"] or not cells["image"]:
                    raise DataError(f"{path}:{table.line_num}: a pair needs both midi and image")
                pair = Pair(
                    path.parent / cells["image"],
                    path.parent / cells["midi"],
                    *(cells.get(name, "") for name in ("artist", "title", "album", licence)),
                )
                pairs.setdefault(normal_path(pair.midi), []).append(pair)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a table that can be read ({error})") from error
    return pairs


def normal_path(path: Path) -> str:
    """Return an absolute path with composed accents, so that spellings of one path are equal."""
    return unicodedata.normalize("NFC", os.path.abspath(path))
