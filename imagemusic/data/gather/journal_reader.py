"""What gathering left in a data set's folder, read one line at a time, in the order in which files were first met.

The journal only grows, so a file's place in that order never changes, and what is decided by "the earlier one" stays
decided when the set grows.
"""

import json
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from imagemusic.data.gather.journal import JOURNAL, Header, Row, read_header
from imagemusic.errors import DataError


@dataclass(frozen=True, slots=True)
class Gathered:
    """An opened data set; `lines` are the places of the last line of every file, in the order of the first."""

    folder: Path
    header: Header
    lines: "array[int]"  # offsets in the journal, 64 bits each

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def midi_dir(self) -> Path:
        """The folder of the MIDI files."""
        return Path(self.header.midi_dir)

    def rows(self) -> Iterator[Row]:
        """Read what was found for each MIDI file."""
        with open(self.folder / JOURNAL, "rb") as journal:
            for offset in self.lines:
                journal.seek(offset)
                yield _parse(journal.readline())


def open_gathered(folder: Path) -> Gathered:
    """Open a data set that `imagemusic data match` wrote.

    Raises:
        DataError: the folder is none, or of a newer version, or its journal is damaged or empty.
    """
    header = read_header(folder)
    places: dict[str, int] = {}
    lines: array[int] = array("q")
    path, offset = folder / JOURNAL, 0
    try:
        with open(path, "rb") as journal:
            for number, line in enumerate(journal, 1):
                if not line.endswith(b"\n"):
                    break  # cut off while it was written: that file was not finished
                try:
                    key = str(_parse(line)["key"])
                except (ValueError, KeyError, TypeError) as error:
                    message = f"{path}:{number}: a damaged line; remove it, and its file is looked up again"
                    raise DataError(message) from error
                place = places.setdefault(key, len(places))
                if place == len(lines):
                    lines.append(offset)
                else:
                    lines[place] = offset
                offset += len(line)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    if not lines:
        raise DataError(f"{path}: no MIDI file in it yet; gather with imagemusic data match")
    return Gathered(folder, header, lines)


def _parse(line: bytes) -> Row:
    return dict(json.loads(line.decode("utf-8", "surrogateescape")))  # a file's name may be any bytes


def as_text(name: str) -> str:
    """Spell a name that may hold any bytes as text that can be written anywhere."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
