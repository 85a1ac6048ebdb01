"""Read a gathered data set row by row, in the order in which its MIDI files were first met.

The journal only grows, so the position of a file in that order never changes, and a rule that prefers the earlier file
keeps its decisions when the set grows.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from imagemusic.data.gather.journal import JOURNAL, Header, Row, index_rows, read_header, rows_at
from imagemusic.errors import DataError


@dataclass(frozen=True, slots=True)
class GatheredSet:
    """An opened data set."""

    folder: Path
    header: Header
    lines: "array[int]"  # offset in the journal of the last line of each file, in the order of the first

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def midi_dir(self) -> Path:
        """Return the folder of the MIDI files."""
        return Path(self.header.midi_dir)

    def rows(self) -> Iterator[Row]:
        """Yield the journal row of each MIDI file.

        Raises:
            DataError: a line of the journal is damaged.
        """
        yield from rows_at(self.folder / JOURNAL, self.lines)


def open_gathered_set(folder: Path) -> GatheredSet:
    """Open a data set that `imagemusic data match` wrote.

    Raises:
        DataError: the folder holds none, or one of a newer version, or its journal is damaged or empty.
    """
    header = read_header(folder)
    path = folder / JOURNAL
    lines = array("q", index_rows(path).values())  # 8 bytes a file, without the keys
    if not lines:
        raise DataError(f"{path}: no MIDI file in it yet; gather with imagemusic data match")
    return GatheredSet(folder, header, lines)


def as_text(name: str) -> str:
    """Return a file name, which may hold any bytes, as valid Unicode."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
