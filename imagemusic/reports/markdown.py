"""Figures as Markdown: tables of a nested dict, and text between two marks of a page."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from imagemusic.errors import OutputError

MARKS = ("<!-- tables -->", "<!-- end of tables -->")  # on a page, around what a study writes
LONGEST_LIST = 8  # values of a list that a cell shows


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out rows of cells below a header."""
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header), *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"


def cell(value: Any) -> str:
    """Format one figure; an estimate is written with its interval."""
    if isinstance(value, Mapping):
        number, low, high = cell(value["value"]), value.get("low"), value.get("high")
        return number if low is None or high is None else f"{number} ({cell(low)} to {cell(high)})"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: ""}[value]
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(cell, value)) if len(value) <= LONGEST_LIST else f"{len(value)} values"
    return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "\\|")


def figure_tables(figures: Mapping[str, Any]) -> str:
    """Lay out nested figures: single figures in the first table, then a table for each group of figures.

    A group whose members have members of their own is a table with a row a member.  What is deeper stays in the JSON.
    """
    single = [[name, cell(value)] for name, value in figures.items() if _is_single(value)]
    parts = [table(("figure", "value"), single)] if single else []
    for name, value in figures.items():
        if isinstance(value, Mapping) and not _is_single(value):
            parts += [f"**{name}**\n", *_group(value)]
    return "\n".join(parts)


def _group(members: Mapping[str, Any]) -> Iterator[str]:
    single = [[key, cell(value)] for key, value in members.items() if _is_single(value)]
    if single:
        yield table(("figure", "value"), single)
    rows = {key: value for key, value in members.items() if isinstance(value, Mapping) and not _is_single(value)}
    columns = list(dict.fromkeys(key for row in rows.values() for key, value in row.items() if _is_single(value)))
    if columns:
        yield table(("", *columns), [[key, *(cell(row.get(c)) for c in columns)] for key, row in rows.items()])


def _is_single(value: Any) -> bool:
    if isinstance(value, Mapping):
        return "value" in value and not isinstance(value["value"], Mapping)
    return not (isinstance(value, list | tuple) and any(isinstance(one, Mapping | list) for one in value))


def put_between_marks(page: Path, text: str) -> None:
    """Replace what stands between the two lines MARKS of a page.

    Raises:
        OutputError: the page cannot be read, or lacks a mark.
    """
    try:
        before, mark, rest = page.read_text(encoding="utf-8").partition(MARKS[0])
    except OSError as error:
        raise OutputError(f"{page}: cannot be read ({error.strerror}); --page names a page that is there") from error
    _, end, after = rest.partition(MARKS[1])
    if not mark or not end:
        raise OutputError(f"{page}: needs the lines {MARKS[0]} and {MARKS[1]}, between which the tables go")
    page.write_text(f"{before}{mark}\n\n{text}\n{end}{after}", encoding="utf-8")
