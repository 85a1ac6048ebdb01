"""The journal of gathering: one line per MIDI file, never lost, never doubled.

    DATASET/dataset.json   source of the covers, their terms, folder of the MIDI files
    DATASET/journal.jsonl  a line for each file that is done; a later line for the same file replaces an earlier one

A line is complete when its newline is on disk.  What a crash left after the last newline is truncated.
"""

import json
import os
from collections.abc import Iterable, Iterator
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
KEY = b'{"key": '  # start of every line
BLOCK_BYTES = 1 << 16

Row = dict[str, Any]  # a line of the journal


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What all rows of a data set share."""

    source: str
    terms: str
    midi_dir: str  # absolute
    size: int = 500  # requested width of covers in pixels
    pairs: str = ""  # the table of pairs, where there was one


def read_header(folder: Path) -> Header:
    """Read the header of a data set.

    Raises:
        DataError: the folder holds no data set, or one of a newer version.
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
        raise DataError(f"{path}: version {version}, but this imagemusic reads up to {VERSION}; install a newer one")
    try:
        return Header(**table)
    except TypeError as error:
        raise DataError(f"{path}: damaged header ({error})") from error


def begin(folder: Path, header: Header) -> None:
    """Create a data set with this header in `folder`, or continue one with the same header.

    Raises:
        DataError: the folder holds another data set or other files, or cannot be written.
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


def index_rows(path: Path) -> dict[str, int]:
    """Map the key of each file of a journal to the offset in bytes of its last line, in the order of its first line.

    The journal only grows, so the order of the files never changes.  A torn last line is skipped.

    Raises:
        DataError: a line is damaged, or the journal cannot be read.
    """
    offsets: dict[str, int] = {}
    offset = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.endswith(b"\n"):
                    offsets[_key_of(line, f"{path}:{number}")] = offset
                offset += len(line)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    return offsets


def rows_at(path: Path, offsets: Iterable[int]) -> Iterator[Row]:
    """Yield the rows of a journal at offsets in bytes.

    Raises:
        DataError: a line is damaged.
    """
    with path.open("rb") as file:
        for offset in offsets:
            file.seek(offset)
            line = file.readline()
            try:
                # Names of files may be any bytes.
                yield dict(json.loads(line.decode("utf-8", "surrogateescape")))
            except (ValueError, TypeError) as error:
                raise _damaged(f"{path}:{_line_number(path, offset)}") from error


def read_rows(folder: Path) -> Iterator[Row]:
    """Yield the last row of each file of a data set, in the order of their first rows.

    Raises:
        DataError: a line is damaged.
    """
    path = folder / JOURNAL
    offsets = index_rows(path)
    if offsets:
        yield from rows_at(path, offsets.values())


def _key_of(line: bytes, where: str) -> str:
    """Parse the key alone, which takes much less time than the whole line."""
    try:
        if line.startswith(KEY):
            return str(json.JSONDecoder().raw_decode(line.decode("utf-8", "surrogateescape"), len(KEY))[0])
    except ValueError:
        pass
    raise _damaged(where)


def _damaged(where: str) -> DataError:
    return DataError(f"{where}: a damaged line; remove it, and its file is looked up again")


def _line_number(path: Path, offset: int) -> int:
    with path.open("rb") as file:
        return file.read(offset).count(b"\n") + 1


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
        """Write one row to disk before returning; a row that cannot be written whole leaves no trace.

        Raises:
            GatheringStopped: the disk is full or broken.
        """
        line = _encode(row)
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


def _encode(row: Row) -> bytes:
    row = {"key": row["key"]} | row
    try:
        return json.dumps(row, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:  # the name of a file is not valid Unicode
        return json.dumps(row).encode() + b"\n"


def _whole_lines(file: RawIOBase) -> int:
    """Return the length in bytes of a file up to and including its last newline."""
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
    """Lock the journal against other processes until this one ends, however it ends."""
    try:
        import fcntl
    except ImportError:  # a system without such locks
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise DataError(f"{folder}: another process is gathering into it; wait for it, or stop it") from error
