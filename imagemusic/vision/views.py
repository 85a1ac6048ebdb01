"""Views of a picture: edits that change nothing a person would call its mood.

Training shows the encoder several views of each picture, so that a JPEG, a small crop or a resize does not move the
dials; measuring shows it fixed ones.  Colours are never changed: they are mood.
"""

from collections.abc import Callable
from io import BytesIO

import numpy as np
from PIL import Image, ImageOps

View = Callable[[Image.Image, np.random.Generator], Image.Image]


def recompress(image: Image.Image, quality: int) -> Image.Image:
    """Pass an image through JPEG of a quality 1..95."""
    file = BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def crop(image: Image.Image, share: float, across: float = 0.5, down: float = 0.5) -> Image.Image:
    """Cut away a `share` of both sides, which leaves a window `across` and `down` of the way, 0..1."""
    width, height = image.size
    wide, high = max(1, round(width * (1 - share))), max(1, round(height * (1 - share)))
    left, top = round((width - wide) * across), round((height - high) * down)
    return image.crop((left, top, left + wide, top + high))


def shrink(image: Image.Image, factor: float) -> Image.Image:
    """Make both sides `factor` of what they were; the encoder's own resize makes them large again."""
    width, height = image.size
    return image.resize((max(1, round(width * factor)), max(1, round(height * factor))), Image.Resampling.BICUBIC)


def _crop_anywhere(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return crop(image, rng.uniform(0.03, 0.12), rng.random(), rng.random())


def _recompress_any(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return recompress(image, int(rng.integers(40, 85)))


def _mixed(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    if rng.random() < 0.5:
        image = ImageOps.mirror(image)
    image = crop(image, rng.uniform(0, 0.2), rng.random(), rng.random())
    if rng.random() < 0.5:
        image = shrink(image, rng.uniform(0.4, 0.8))
    return _recompress_any(image, rng) if rng.random() < 0.5 else image


# What the encoder and the note decoder are trained on: the same four views of every picture ...
VIEWS: dict[str, View] = {
    "original": lambda image, rng: image,
    "flip": lambda image, rng: ImageOps.mirror(image),
    "crop": _crop_anywhere,
    "jpeg": _recompress_any,
}
# ... and more of those that people rated, which are few.
MORE_VIEWS: dict[str, View] = {f"mixed {number}": _mixed for number in range(1, 5)}

# The fixed edits under which a dial should stay where it is.
NULL_EDITS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "jpeg_70": lambda image: recompress(image, 70),
    "crop_5_percent": lambda image: crop(image, 0.05),
    "half_size": lambda image: shrink(image, 0.5),
}
