"""Repair of picture files that Pillow refuses and browsers show: PNG with large metadata, JPEG without its end.

Only files that could not be read are repaired, so what could be read is read as before.
"""

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

PNG_START, JPEG_START, JPEG_END = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"\xff\xd9"
PNG_TEXT = {b"tEXt", b"zTXt", b"iTXt"}
MOST_PROFILE = 16 << 20  # bytes of an ICC profile, decompressed


def without_png_metadata(data: bytes) -> tuple[bytes, bytes | None] | None:
    """Return a PNG file without texts and ICC profile, and the profile decompressed; None if it has neither.

    Pillow refuses texts and profiles of over a megabyte.  A damaged profile, or one of over MOST_PROFILE, is dropped.
    """
    kept, profile, dropped = [PNG_START], None, False
    for kind, chunk in _png_chunks(data):
        if kind == b"iCCP":
            profile = _inflate(chunk[8:-4].partition(b"\0")[2][1:])  # name, 0, method, stream
        if kind == b"iCCP" or kind in PNG_TEXT:
            dropped = True
        else:
            kept.append(chunk)
    return (b"".join(kept), profile) if dropped else None


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and bytes of the chunks of a PNG file; the last may be cut short."""
    at = len(PNG_START)
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4].ljust(4, b"\0"))
        yield data[at + 4 : at + 8], data[at : at + size + 12]
        at += size + 12


def _inflate(stream: bytes) -> bytes | None:
    decompressor = zlib.decompressobj()
    try:
        profile = decompressor.decompress(stream, MOST_PROFILE)
    except zlib.error:
        return None
    return profile if decompressor.eof else None


def with_jpeg_end(data: bytes) -> bytes | None:
    """Return a JPEG file with the end marker that it lacks; None if it has one."""
    if data.rstrip(b"\0\r\n ").endswith(JPEG_END):
        return None
    return (data[:-1] if data.endswith(b"\xff") else data) + JPEG_END


def missing_share(image: Image.Image) -> float:
    """Return the share of an image's rows, from the bottom up, that a JPEG decoder filled in for missing data.

    libjpeg leaves the coefficients of missing blocks at zero, which is a grey of 128, or 127 where it is inverted.
    """
    samples = np.asarray(image).reshape(image.height, -1)
    filled = ((samples == 127) | (samples == 128)).all(axis=1)[::-1]
    return int(filled.size if filled.all() else filled.argmin()) / image.height
