"""What is read from disk as JSON is checked here against a schema, by pydantic.

A schema is a subclass of `Schema`; where a value does not fit, one line names the file, the field, what would be right
and what is there.  Types are strict: "1" is no number, and neither is true.  Unknown fields are passed over.
"""

import json
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from imagemusic.errors import ImageMusicError

Tick: TypeAlias = Annotated[int, Field(ge=0, lt=2**31)]
MOST_SHOWN = 60  # characters of a wrong value


class Schema(BaseModel):
    """A JSON object with known fields; all numbers are finite."""

    model_config = ConfigDict(allow_inf_nan=False, frozen=True)


Checked = TypeVar("Checked", bound=Schema)


def check_json(schema: type[Checked], value: Any, where: str, error: type[ImageMusicError]) -> Checked:
    """Check a value from JSON; return it as the schema has it.

    Raises:
        error: it does not fit; the message begins with `where`.
    """
    try:
        return schema.model_validate_json(json.dumps(value), strict=True)
    except ValidationError as problems:
        first = problems.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        shown = repr(first["input"])
        shown = shown if len(shown) <= MOST_SHOWN else f"{shown[:MOST_SHOWN]}..."
        raise error(f"{where}: {place}: {first['msg'].lower()}, got {shown}") from problems
    except RecursionError as problem:
        raise error(f"{where}: nested too deeply") from problem


def read_json(path: Path, error: type[ImageMusicError]) -> Any:
    """Read a JSON file.

    Raises:
        error: it is missing, is no regular file, or is not JSON.
    """
    try:
        if path.exists() and not path.is_file():
            raise error(f"{path}: not a regular file")
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as problem:
        raise error(f"{path}: no such file") from problem
    except OSError as problem:
        raise error(f"{path}: cannot be read ({problem.strerror})") from problem
    except (ValueError, RecursionError) as problem:
        raise error(f"{path}: not JSON") from problem
