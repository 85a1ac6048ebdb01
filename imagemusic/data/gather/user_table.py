"""Read a table that a user wrote or edited: CSV as spreadsheet programs save it.

Cells are separated by commas, semicolons or tabs, as the header shows.  The text is UTF-8, UTF-16 with a mark, or else
Windows-1252.
"""

import codecs
import csv
import io
from collections.abc import Iterator
from pathlib import Path

from imagemusic.errors import DataError

SEPARATORS = ",;\t"


def read_table(path: Path) -> tuple[list[str], Iterator[tuple[str, dict[str, str]]]]:
    """Return the columns of a table, in lower case, and its rows: where it stands (FILE:LINE), its cells by column.

    Raises:
        DataError: the file is missing or cannot be read; also while rows are read.
    """
    try:
        text = _decoded(path.read_bytes())
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a table that can be read ({error})") from error
    header = text.partition("\n")[0]
    separator = max(SEPARATORS, key=header.count)
    table = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    columns = [name.strip().lower() for name in _next_row(table, path) or ()]
    return columns, _rows(table, path, columns)


def _rows(table: Iterator[list[str]], path: Path, columns: list[str]) -> Iterator[tuple[str, dict[str, str]]]:
    while (cells := _next_row(table, path)) is not None:
        if cells:  # an empty line is no row
            padded = cells + [""] * (len(columns) - len(cells))
            yield f"{path}:{table.line_num}", dict(zip(columns, padded, strict=False))  # type: ignore[attr-defined]


def _next_row(table: Iterator[list[str]], path: Path) -> list[str] | None:
    try:
        return next(table, None)
    except csv.Error as error:
        raise DataError(f"{path}: not a table that can be read ({error})") from error


def _decoded(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252")
