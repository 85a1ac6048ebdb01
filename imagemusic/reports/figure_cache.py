"""A cache of measured figures in JSON files, so that a run that was killed resumes."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from imagemusic.files import write_atomically

Figure = dict[str, Any]


def cache_key(*parts: object) -> str:
    """Return a hash (64 hex digits) of what a figure depends on; the parts must be JSON or have a stable `repr`."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=repr).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class FigureCache:
    """Measure a figure once: FOLDER/NAME.json holds it with the key of all it depends on."""

    folder: Path
    key: str
    report: Callable[[str], None]

    def __call__(self, name: str, make: Callable[[], Figure]) -> Figure:
        """Return the figure kept under `name` if its key is the same; otherwise call `make` and keep its result."""
        path, title = self.folder / f"{name}.json", name.replace("_", " ")
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            if kept["key"] == self.key:
                self.report(f"{title}: kept from an earlier run")
                figure: Figure = kept["figure"]
                return figure
        except (OSError, ValueError, KeyError, TypeError):
            pass  # measured anew
        self.report(title)
        figure = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps({"key": self.key, "figure": figure}, default=plain_number))
        return figure


def plain_number(value: object) -> object:
    """Turn a numpy number into a number of Python, for `json.dumps(default=...)`."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not JSON")
