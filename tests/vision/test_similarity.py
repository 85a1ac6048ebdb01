import io

import numpy as np
import pytest
from PIL import Image

from imagemusic.errors import ImageError
from imagemusic.vision.similarity import perceptual_hash, thumbnail
from tests.gathered import picture


def other_bits(one, two):
    return (perceptual_hash(one) ^ perceptual_hash(two)).bit_count()


def test_a_picture_in_another_format_and_size_looks_the_same():
    assert other_bits(picture(1), picture(1, side=200, kind="JPEG", quality=60)) <= 4


def test_other_pictures_look_different():
    apart = [other_bits(picture(one), picture(two)) for one in range(8) for two in range(one)]
    assert min(apart) > 12


def test_a_gradient_by_hand():
    # Row 0, column 1 is the slowest wave from left to right: it stands out one way or the other, as the shades fall.
    falling = np.tile(np.linspace(255, 0, 64, dtype=np.uint8), (64, 1))
    hashes = [perceptual_hash(Image.fromarray(np.ascontiguousarray(shades))) for shades in (falling, falling[:, ::-1])]
    assert [bits >> 62 & 1 for bits in hashes] == [1, 0]


def test_a_plain_surface_has_no_look():
    assert perceptual_hash(Image.new("RGB", (80, 80), "navy")) is None


def test_the_bits_are_those_of_imagehash():
    imagehash = pytest.importorskip("imagehash")
    image = Image.open(io.BytesIO(picture(3)))
    assert perceptual_hash(image) == int(str(imagehash.phash(image)), 16)


def test_what_is_no_picture_is_refused():
    with pytest.raises(ImageError, match="not a picture"):
        perceptual_hash(b"<html>")


def test_a_thumbnail_is_a_small_jpeg():
    image = Image.open(io.BytesIO(thumbnail(picture(1, side=300), 96)))
    assert (image.format, image.size) == ("JPEG", (96, 96))
