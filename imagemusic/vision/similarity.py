"""Perceptual hash and thumbnail of a picture.

The hash has a bit for each of 64 low frequencies of a discrete cosine transform: is it above their median (Zauner 2010,
"Implementation and Benchmarking of Perceptual Image Hash Functions")?  The bits are those of the package imagehash.
"""

from io import BytesIO

import numpy as np
from PIL import Image

from imagemusic.vision.image import load_image

PLAIN = 4.0  # standard deviation of the grey levels, of 255, below which a picture has no hash
SIDE, KEPT = 32, 8  # pixels a side that are transformed, and frequencies a side that are kept
DECODED_AT = 256  # pixels a side, at least
THUMBNAIL_QUALITY = 80

_steps = np.arange(SIDE)
COSINES = 2 * np.cos(np.pi / SIDE * np.outer(_steps[:KEPT], _steps + 0.5))  # (KEPT, SIDE), rows of a DCT-II


def perceptual_hash(source: bytes | Image.Image) -> int | None:
    """Return a 64-bit hash, of which similar pictures share nearly all bits; None for a picture of nearly one shade.

    Raises:
        ImageError: the picture cannot be read.
    """
    small = load_image(source, at_least=DECODED_AT).convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    shades = np.asarray(small, np.float64)
    if shades.std() < PLAIN:
        return None
    low = COSINES @ shades @ COSINES.T
    return int.from_bytes(np.packbits(low > np.median(low)).tobytes(), "big")


def thumbnail(source: bytes, side: int) -> bytes:
    """Return a JPEG of a picture whose longer side is at most `side` pixels.

    Raises:
        ImageError: the picture cannot be read.
    """
    image = load_image(source, at_least=side)
    image.thumbnail((side, side))
    file = BytesIO()
    image.save(file, "JPEG", quality=THUMBNAIL_QUALITY)
    return file.getvalue()
