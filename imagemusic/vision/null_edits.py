"""Null edits: small edits of a picture that keep its mood, under which a robust encoder's outputs hardly change."""

from collections.abc import Callable
from io import BytesIO

from PIL import Image, ImageOps


def recompress(image: Image.Image, quality: int) -> Image.Image:
    """Return an RGB image after compression as JPEG of a quality 1..95."""
    file = BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def crop(image: Image.Image, share: float, across: float = 0.5, down: float = 0.5) -> Image.Image:
    """Return an image without a `share` of its width and height.

    Args:
        across: position of the window, 0 at the left to 1 at the right.
        down: 0 at the top to 1 at the bottom.
    """
    width, height = image.size
    wide, high = max(1, round(width * (1 - share))), max(1, round(height * (1 - share)))
    left, top = round((width - wide) * across), round((height - high) * down)
    return image.crop((left, top, left + wide, top + high))


def shrink(image: Image.Image, factor: float) -> Image.Image:
    """Return an image with both sides scaled by `factor`; the encoder resizes it to its own size afterwards."""
    width, height = image.size
    return image.resize((max(1, round(width * factor)), max(1, round(height * factor))), Image.Resampling.BICUBIC)


# Fixed edits under which a dial should not change.
NULL_EDITS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "jpeg_70": lambda image: recompress(image, 70),
    "crop_5_percent": lambda image: crop(image, 0.05),
    "half_size": lambda image: shrink(image, 0.5),
}

# Augmentations of a data set's covers in training, so that the decoder does not overfit to image embeddings.
COVER_VIEWS: tuple[Callable[[Image.Image], Image.Image], ...] = (
    lambda image: image,
    ImageOps.mirror,
    lambda image: crop(image, 0.08),
)
