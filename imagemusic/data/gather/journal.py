"""What became of each MIDI file, a line each: never lost, never doubled.

    DATASET/dataset.json   whose covers, under whose terms, for which MIDI files
    DATASET/journal.jsonl  a line for each file that is done; a later line for the same file replaces an earlier one

A line counts when its newline is on disk.  Whatever a crash left behind the last newline is cut off.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from io import RawIOBase
from pathlib import Path
from types import TracebackType
from typing import Any

from imagemusic.errors import DataError, GatheringStopped, OutputError
from imagemusic.files import cannot_write, write_atomically

FORMAT = "imagemusic dataset"
VERSION = 1
HEADER, JOURNAL = "dataset.json", "journal.jsonl"
KEY = b'{"key": '  # every line begins so
BLOCK_BYTES = 1 << 16

Row = dict[str, Any]  # a line of the journal


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What all rows of a data set have in common."""

    source: str
    terms: str
    midi_dir: str  # absolute
    size: int = 500  # pixels asked for of covers
    pairs: str = ""  # the table of pairs, where there was one


def read_header(folder: Path) -> Header:
    """Read what a data set says of itself.

    Raises:
        DataError: no data set is there, or one that only a newer imagemusic can read.
    """
    path = folder / HEADER
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{folder}: no data set here; make one with imagemusic data match") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    if not isinstance(table, dict) or table.pop("format", None) != FORMAT:
        raise DataError(f"{path}: not the header of a data set")
    version = table.pop("version", None)
    if not isinstance(version, int) or version > VERSION:
        raise DataError(f"{path}: version {version}, but this imagemusic knows up to {VERSION}; install a newer one")
    try:
        return Header(**table)
    except TypeError as error:
        raise DataError(f"{path}: damaged header ({error})") from error


def begin(folder: Path, header: Header) -> None:
    """Make the folder a data set with this header, or go on with one that has the same.

    Raises:
        DataError: the folder holds another data set, or something else.
    """
    if (folder / HEADER).exists():
        found = asdict(read_header(folder))
        for name, value in asdict(header).items():
            if found[name] != value:
                was = found[name] or "none"
                raise DataError(
                    f"{folder}: holds a data set with {name} {was}, not {value or 'none'}; name a new folder"
                )
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise DataError(f"{folder}: holds something else than a data set; name a new folder")
        text = json.dumps({"format": FORMAT, "version": VERSION} | asdict(header), indent=1, ensure_ascii=False) + "\n"
        write_atomically(folder / HEADER, text)
    except OSError as error:
        raise DataError(f"{folder}: cannot be written to ({error.strerror})") from error
    except OutputError as error:
        raise DataError(str(error)) from error


def read_rows(folder: Path) -> Iterator[Row]:
    """Yield the row that holds for each file, in the order they were written; a torn last line is passed over.

    Raises:
        DataError: a line is damaged.
    """
    path = folder / JOURNAL
    newest: dict[str, int] = {}  # key -> number of the line that holds
    for number, line in _lines(path):
        newest[_key_of(path, number, line)] = number
    for number, line in _lines(path):
        if newest.get(_key_of(path, number, line)) == number:
            yield _parse(path, number, line)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.endswith(b"\n"):
                yield number, line


def _key_of(path: Path, number: int, line: bytes) -> str:
    """Read the key alone, which is much less work than the whole line."""
    try:
        if line.startswith(KEY):
            return str(json.JSONDecoder().raw_decode(line.decode(), len(KEY))[0])
    except ValueError:
        pass
    raise DataError(f"{path}:{number}: a damaged line; remove it, and its file is looked up again")


def _parse(path: Path, number: int, line: bytes) -> Row:
    try:
        return dict(json.loads(line))
    except ValueError as error:
        message = f"{path}:{number}: a damaged line; remove it, and its file is looked up again"
        raise DataError(message) from error


class Journal:
    """The journal of one data set, open for one process to write."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / JOURNAL
        try:
            self._file = open(self.path, "a+b", buffering=0)  # noqa: SIM115  closed by __exit__
        except OSError as error:
            raise DataError(f"{self.path}: cannot be written to ({error.strerror})") from error
        try:
            _lock(self._file, folder)
            self._end = _whole_lines(self._file)
            self._file.truncate(self._end)
        except BaseException:
            self._file.close()
            raise

    def append(self, row: Row) -> None:
        """Write one row to disk before returning; a row that does not fit leaves no trace.

        Raises:
            GatheringStopped: the disk is full or broken.
        """
        line = _spell(row)
        try:
            written = 0
            while written < len(line):
                written += self._file.write(line[written:])
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.truncate(self._end)
            raise GatheringStopped(f"{cannot_write(self.path, error)}; what was found is kept") from error
        self._end += len(line)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def _spell(row: Row) -> bytes:
    row = {"key": row["key"]} | row
    try:
        return json.dumps(row, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:  # a file name that is no Unicode
        return json.dumps(row).encode() + b"\n"


def _whole_lines(file: RawIOBase) -> int:
    """Return the length in bytes of a file up to and with its last newline."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - BLOCK_BYTES)
        file.seek(start)
        newline = (file.read(end - start) or b"").rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _lock(file: RawIOBase, folder: Path) -> None:
    """Keep a second process away; the lock goes when this one does, however it ends."""
    try:
        import fcntl
    except ImportError:  # a system without such locks
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise DataError(f"{folder}: another process is gathering into it; wait for it, or stop it") from error
