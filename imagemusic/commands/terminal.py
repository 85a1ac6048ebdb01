"""Output of the command line: results on the output stream, progress bars, notices and errors on the error stream."""

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

from imagemusic.errors import ImageMusicWarning
from imagemusic.executors import Progress


@contextmanager
def progress_bar() -> Iterator[tuple[Progress, Callable[[str], None]]]:
    """Show a bar on a terminal while the work goes on.

    Yields two functions: one that sets the share done, 0..1, with a message, and one that prints a line past the bar.
    """
    from tqdm import tqdm

    layout = "{percentage:3.0f}% |{bar:30}| {elapsed} {desc}"
    with tqdm(total=1.0, disable=None, leave=False, miniters=0, bar_format=layout) as bar:
        shown = ""

        def progress(done: float, message: str) -> None:
            nonlocal shown
            bar.set_description_str(message, refresh=False)
            bar.update(done - bar.n)
            if message != shown:  # a new message shows at once, however recently the bar was drawn
                bar.refresh()
                shown = message

        def say(line: str) -> None:
            bar.write(line, file=sys.stdout)

        yield progress, say


def spell_out(table: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Write a nested table as lines of `key: value`."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield f"{indent}{key}:"
            yield from spell_out(value, indent + "  ")
        else:
            text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            yield f"{indent}{key}: {text}"


def notice(message: str) -> None:
    """Print one line on the error stream."""
    print(f"imagemusic: {message}", file=sys.stderr)


@contextmanager
def warnings_as_notices() -> Iterator[None]:
    """Print warnings of the package itself as one line each."""

    def show(
        message: Warning | str, category: type[Warning], filename: str, lineno: int,
        file: TextIO | None = None, line: str | None = None,
    ) -> None:  # fmt: skip
        if issubclass(category, ImageMusicWarning):
            notice(str(message))
        else:
            others(message, category, filename, lineno, file, line)

    with warnings.catch_warnings():
        warnings.simplefilter("always", ImageMusicWarning)
        others, warnings.showwarning = warnings.showwarning, show
        yield


def print_error(error: object, where: str = "") -> None:
    """Print an error in one line, with `where` in front unless the message begins with it."""
    message = " ".join(str(error).splitlines())
    if not message.startswith(where):
        message = f"{where}: {message}"
    notice(f"error: {message}")
