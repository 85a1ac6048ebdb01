"""Pictures that look the same: a hash of what is seen, not of the file, and a thumbnail to look at.

The perceptual hash has a bit for each of 64 low frequencies: is it above their median?  (Zauner 2010, "Implementation
and Benchmarking of Perceptual Image Hash Functions", the variant with the discrete cosine transform; the bits are
those of the package imagehash.)
"""

from io import BytesIO

import numpy as np
from PIL import Image

from imagemusic.vision.image import load_image

PLAIN = 4.0  # standard deviation of the shades, of 255, below which a picture has no look to compare
SIDE, KEPT = 32, 8  # pixels that are transformed, and frequencies that are kept
DECODED_AT = 256  # pixels: no cover needs to be decoded larger
THUMBNAIL_QUALITY = 80

_steps = np.arange(SIDE)
COSINES = 2 * np.cos(np.pi / SIDE * np.outer(_steps[:KEPT], _steps + 0.5))  # (KEPT, SIDE), rows of a DCT-II


def perceptual_hash(source: bytes | Image.Image) -> int | None:
    """Return 64 bits of which pictures that look the same share nearly all; None for a plain surface.

    Raises:
        ImageError: it cannot be read.
    """
    small = load_image(source, at_least=DECODED_AT).convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    shades = np.asarray(small, np.float64)
    if shades.std() < PLAIN:
        return None
    low = COSINES @ shades @ COSINES.T
    return int.from_bytes(np.packbits(low > np.median(low)).tobytes(), "big")


def thumbnail(source: bytes, side: int) -> bytes:
    """Shrink a picture to a JPEG whose longer side is `side` pixels.

    Raises:
        ImageError: it cannot be read.
    """
    image = load_image(source, at_least=side)
    image.thumbnail((side, side))
    file = BytesIO()
    image.save(file, "JPEG", quality=THUMBNAIL_QUALITY)
    return file.getvalue()
