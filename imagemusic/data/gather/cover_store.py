"""Store covers by the hash of their bytes: DATASET/covers/ab/<sha256>.jpg, written atomically."""

import hashlib
from io import BytesIO
from pathlib import Path

from imagemusic.errors import GatheringStopped, ImageError, NotAPicture, OutputError
from imagemusic.files import cannot_write, write_atomically
from imagemusic.vision.image import load_image

SMALLEST_PIXELS = 32  # a side; smaller pictures are placeholders
STARTS = ((b"\xff\xd8\xff", "jpg"), (b"\x89PNG\r\n\x1a\n", "png"))


def check_cover(data: bytes, where: str) -> tuple[bytes, str]:
    """Decode a cover to its last pixel; return its bytes and suffix, converted to PNG from less common formats.

    Raises:
        NotAPicture: it is no picture, damaged, or too small.
    """
    try:
        image = load_image(data, at_least=2 * SMALLEST_PIXELS)  # a reduced JPEG is decoded to its end, in less time
    except ImageError as error:
        reason = str(error).removeprefix("picture: ")
        raise NotAPicture(f"{where}: {reason}{_page(data)}") from error
    if min(image.size) < SMALLEST_PIXELS:
        raise NotAPicture(f"{where}: {image.width} x {image.height} pixels, too small for a cover")
    for start, suffix in STARTS:
        if data.startswith(start):
            return data, suffix
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return data, "webp"
    buffer = BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue(), "png"


def store_cover(folder: Path, data: bytes, where: str) -> str:
    """Check and store a cover; return its path in `folder`.

    Raises:
        NotAPicture: it is no picture, damaged, or too small.
        GatheringStopped: it cannot be written.
    """
    data, suffix = check_cover(data, where)
    name = hashlib.sha256(data).hexdigest()
    path = folder / "covers" / name[:2] / f"{name}.{suffix}"
    try:
        if not path.exists():  # complete, since it has this name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, data)
    except OSError as error:
        raise GatheringStopped(f"{cannot_write(path, error)}; what was found is kept") from error
    except OutputError as error:
        raise GatheringStopped(f"{error}; what was found is kept") from error
    return path.relative_to(folder).as_posix()


def remove_unfinished(folder: Path) -> None:
    """Remove unfinished files of a killed process."""
    for left in folder.glob("covers/*/.*.part"):
        left.unlink(missing_ok=True)


def _page(data: bytes) -> str:
    start = data[:200].lstrip().lower()
    return "; it is a web page" if start.startswith((b"<!doctype", b"<html")) else ""
