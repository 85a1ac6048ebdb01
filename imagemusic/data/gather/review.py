"""Write doubtful matches to a table that the user edits, and read the choices back.

review.csv   key, choice, artist, title, seconds, why, candidate 1, candidate 2, ...
                  └── the number of a candidate, or none; an empty cell leaves it doubtful
"""

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path

from imagemusic.data.gather.gather import MOST_CANDIDATES, Lookup
from imagemusic.data.gather.journal import Journal, Row, read_rows
from imagemusic.data.gather.releases import Release
from imagemusic.data.gather.user_table import read_table
from imagemusic.errors import DataError, GatheringStopped, OutputError
from imagemusic.files import write_atomically

REVIEW = "review.csv"
NONE = "none"
COLUMNS = (
    "key", "choice", "artist", "title", "seconds", "why", *(f"candidate {n}" for n in range(1, MOST_CANDIDATES + 1))
)  # fmt: skip

Choice = int | None  # a candidate, counted from 0, or none of them


def write_review(folder: Path) -> int:
    """Write the doubtful rows of a data set, keeping choices in an existing table; return their number."""
    path = folder / REVIEW
    earlier = read_choices(path) if path.exists() else {}
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    count = 0
    for row in read_rows(folder):
        if row["status"] == "doubtful":
            writer.writerow(_cells(row, earlier))
            count += 1
    try:
        if count:
            write_atomically(path, table.getvalue().encode("utf-8", "replace"))
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise GatheringStopped(f"{path}: cannot be removed ({error.strerror})") from error
    except OutputError as error:
        raise GatheringStopped(str(error)) from error
    return count


def read_choices(path: Path) -> dict[str, Choice]:
    """Read the choices by key; rows without one are left out.

    Raises:
        DataError: it is no such table, or a choice is not the number of a candidate.
    """
    columns, rows = read_table(path)
    if not {"key", "choice"} <= set(columns):
        raise DataError(f"{path}: no columns 'key' and 'choice'; edit the review.csv of a data set")
    return {row["key"]: _choice(row["choice"], where) for where, row in rows if row["choice"].strip()}


def resolve(
    choices: Mapping[str, Choice], where: Path | None, folder: Path, journal: Journal, lookup: Lookup
) -> Iterator[Row]:
    """Resolve doubtful rows by the choices; yield each row once it is in the journal.

    Rows that were resolved before are skipped; where a cover cannot be fetched the row stays doubtful, with the reason.

    Raises:
        DataError: a choice is for a file that is not in the data set, or of a candidate that does not exist.
        GatheringStopped: no further cover can be fetched now.
    """
    rows = {row["key"]: row for row in read_rows(folder) if row["key"] in choices} if choices else {}
    for key, choice in choices.items():
        if key not in rows:
            raise DataError(f"{where}: {key!r} is no file of this data set")
        count = len(rows[key]["candidates"])
        if rows[key]["status"] == "doubtful" and choice is not None and choice >= count:
            raise DataError(f"{where}: {key!r} has candidates 1..{count}, got {choice + 1}")
    for key, row in rows.items():
        if row["status"] == "doubtful":
            try:
                resolved = lookup.choose(row, choices[key])
            except GatheringStopped:
                raise
            except DataError as error:
                resolved = row | {"why": str(error)}
            journal.append(resolved)
            yield resolved


def _choice(text: str, where: str) -> Choice:
    text = text.strip().lower()
    if text == NONE:
        return None
    if not text.isdecimal() or not 1 <= int(text) <= MOST_CANDIDATES:
        raise DataError(f"{where}: choice must be the number of a candidate or {NONE}, got {text!r}")
    return int(text) - 1


def _cells(row: Row, earlier: Mapping[str, Choice]) -> list[str]:
    choice = ""
    if row["key"] in earlier:
        number = earlier[row["key"]]
        choice = NONE if number is None else str(number + 1)
    cells = [row["key"], choice, row["artist"] or "", row["title"], f"{row['seconds'] or 0:.0f}", row["why"]]
    return cells + [_describe(Release.from_json(candidate), candidate["score"]) for candidate in row["candidates"]]


def _describe(release: Release, score: float) -> str:
    """Return a candidate in one cell; of some catalogues only its page may be stored."""
    words = f"{release.artist} - {release.title}" if release.title else ""
    album = f"on {release.album!r}" if release.album else ""
    more = [release.kind, release.release_date or "", f"{release.seconds:.0f} s" if release.seconds else ""]
    about = f"({', '.join(filter(None, more))})" if release.title else ""
    return " ".join(filter(None, [words, album, about, f"score {score:.2f}", release.page]))
