"""The pictures that names on the command line stand for: files, folders and globs."""

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from imagemusic.errors import ImageError
from imagemusic.vision.image import IMAGE_SUFFIXES


def find_pictures(names: Sequence[str]) -> tuple[list[Path], list[tuple[Path, ImageError]]]:
    """Return the pictures that files, folders and globs name, each once, and the names without a picture.

    Of a folder, the pictures directly inside are taken, in the order of their names.
    """
    pictures: dict[str, Path] = {}  # resolved -> as named
    failures = []
    for name in names:
        try:
            found = _pictures_of(name)
        except ImageError as error:
            failures.append((Path(name), error))
        else:
            for path in found:
                pictures.setdefault(os.path.realpath(path), path)  # which takes links in a circle, too
    return list(pictures.values()), failures


def _pictures_of(name: str) -> list[Path]:
    path = Path(name)
    try:
        if path.is_dir():
            found = sorted(inside for inside in path.iterdir() if inside.suffix.lower() in IMAGE_SUFFIXES)
            if not found:
                raise ImageError(f"{name}: no pictures in this folder; looked for {', '.join(sorted(IMAGE_SUFFIXES))}")
            return found
        if path.exists() or not glob.has_magic(name):
            return [path]  # what is wrong with it, if anything, shows when it is read
        found = sorted(match for match in map(Path, glob.glob(name, recursive=True)) if match.is_file())
    except OSError as error:
        raise ImageError(f"{name}: cannot be read ({error.strerror})") from error
    if not found:
        raise ImageError(f"{name}: matches no file")
    return found
