"""Write measured figures as JSON with their provenance: command, commit, machine, versions, data, seed."""

import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from imagemusic.files import write_atomically

PACKAGES = ("numpy", "onnxruntime", "torch", "torchvision", "lightning", "symusic")


def write_result(path: Path, figures: Mapping[str, Any], *, data: Sequence[str] = (), seed: int | None = None) -> None:
    """Write `figures` as JSON, with the key `how` for their provenance; folders are made, a file is replaced whole.

    Args:
        data: names of the data that was measured.
        seed: of the experiment, if there is one.

    Raises:
        OutputError: the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    made = dict(figures) | {"how": how_made(data, seed)}
    write_atomically(path, json.dumps(made, indent=1, ensure_ascii=False) + "\n")


def how_made(data: Sequence[str] = (), seed: int | None = None) -> dict[str, Any]:
    """Return the provenance of figures measured by this process, as plain values."""
    return {
        "command": _command(sys.argv),
        "commit": _commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": {"cores": os.cpu_count(), "processor": platform.machine(), "python": platform.python_version()},
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
        "data": list(data),
        "seed": seed,
    }


def _command(words: Sequence[str]) -> str:
    """Return the command that runs with these words: imagemusic itself, or a script of Python."""
    program = Path(words[0])
    ours = program.name in ("imagemusic", "imagemusic.exe") or program.parts[-2:] == ("imagemusic", "__main__.py")
    start = ["imagemusic"] if ours else ["python", _relative(words[0])]
    return shlex.join([*start, *map(_relative, words[1:])])


def _relative(word: str) -> str:
    """Return the last part of an absolute path, so that a command names no folder of this machine."""
    place = Path(word)
    return place.name if place.is_absolute() else word


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str:
    try:
        found = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True,
            cwd=Path(__file__).parent,
        )  # fmt: skip
        return found.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
