"""Edits of a picture that change nothing a person would call its mood: a steady encoder hardly answers them."""

from collections.abc import Callable
from io import BytesIO

from PIL import Image, ImageOps


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


# The fixed edits under which a dial should stay where it is.
NULL_EDITS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "jpeg_70": lambda image: recompress(image, 70),
    "crop_5_percent": lambda image: crop(image, 0.05),
    "half_size": lambda image: shrink(image, 0.5),
}

# How the covers of a data set are seen while a decoder is trained with them, so that it learns none by heart.
COVER_VIEWS: tuple[Callable[[Image.Image], Image.Image], ...] = (
    lambda image: image,
    ImageOps.mirror,
    lambda image: crop(image, 0.08),
)
