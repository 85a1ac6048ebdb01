"""Settings: frozen dataclasses, written by people in TOML and saved in checkpoints as JSON."""

import dataclasses
import tomllib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from imagemusic.errors import ConfigError, ImageMusicWarning

Settings = TypeVar("Settings")
OLD_NAMES_UNTIL = "0.3"  # the version that no longer reads them


def current_names(table: Mapping[str, Any], renamed: Mapping[str, str], *, where: str) -> dict[str, Any]:
    """Return a table with names of an earlier version, `renamed` (old -> new), replaced by those of today.

    A notice names each old one.  An old name beside its new one is left alone, and refused where the table is read.
    """
    result = dict(table)
    for old, new in renamed.items():
        if old in result and new not in result:
            result[new] = result.pop(old)
            message = f"{where}: {old} is called {new} now; the old name is read until version {OLD_NAMES_UNTIL}"
            warnings.warn(message, ImageMusicWarning, stacklevel=3)
    return result


def from_table(kind: type[Settings], table: Mapping[str, Any], *, where: str) -> Settings:
    """Build the dataclass `kind` from a table, refusing what it does not know.

    Lists become tuples, so that settings stay hashable and frozen.

    Raises:
        ConfigError: an unknown or missing key, or a value that the dataclass refuses.
    """
    known = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    if unknown := sorted(table.keys() - set(known)):
        raise ConfigError(f"{where}: unknown setting {unknown[0]!r}; choose from {', '.join(known)}")
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: {error}") from error


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        ConfigError: the file is missing or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error


def check(name: str, value: float, low: float, high: float, *, above: bool = False) -> None:
    """Refuse what is not a number in low..high; `above` leaves out the low end.

    Raises:
        ConfigError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{name} must be a number, got {value!r}")
    if not low <= value <= high or (above and value == low):
        wanted = f"above {low:g} and at most {high:g}" if above else f"in {low:g}..{high:g}"
        raise ConfigError(f"{name} must be {wanted}, got {value}")


def check_whole(name: str, value: int) -> None:
    """Refuse what is not a whole number.

    Raises:
        ConfigError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(f"{name} must be a whole number, got {value!r}")


def check_names(name: str, table: Mapping[str, float], kind: str, known: Sequence[str]) -> None:
    """Refuse what is not a table of known names.

    Raises:
        ConfigError: it is not.
    """
    if not isinstance(table, Mapping):
        raise ConfigError(f"{name} must be a table of names and numbers, got {table!r}")
    if unknown := [one for one in table if one not in known]:
        raise ConfigError(f"unknown {kind} {unknown[0]!r}; choose from {', '.join(known)}")
