from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms

from imagemusic.vision.colour_profiles import apply_profile
from imagemusic.vision.image import load_image, picture_hash
from tests.vision.profiles import DISPLAY_P3, SRGB, matrix_profile

SRGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def colours():
    """Noise in the middle of the range, which all the spaces below can hold."""
    return np.random.default_rng(0).integers(90, 166, (24, 24, 3), dtype=np.uint8)


def in_space(pixels, primaries, gamma):
    """Write sRGB pixels as numbers of another space."""
    values = pixels / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    other = linear @ (np.linalg.inv(primaries) @ SRGB).T
    return Image.fromarray(np.rint(255 * other.clip(0, 1) ** (1 / gamma)).astype(np.uint8))


def as_file(image, kind="PNG", **options):
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def farthest(image, pixels):
    return np.abs(np.asarray(image.convert("RGB"), int) - pixels).max()


@pytest.mark.parametrize(
    ("primaries", "gamma"),
    [pytest.param(DISPLAY_P3, 2.2, id="Display P3"), pytest.param(SRGB[:, ::-1], 1.8, id="red is blue")],
)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_the_same_colours_in_another_space_are_the_same_picture(primaries, gamma, kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    profile = matrix_profile(primaries, gamma)
    data = as_file(in_space(colours(), primaries, gamma), kind, icc_profile=profile, **options)
    read = load_image(data)
    assert farthest(read, colours()) <= 2
    assert farthest(Image.open(BytesIO(data)), colours()) > 10  # the numbers themselves are others
    assert "icc_profile" not in read.info  # else the picture, written again, would be converted twice


def test_a_profile_of_srgb_changes_no_pixel():
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8))
    assert picture_hash(as_file(image, icc_profile=SRGB_PROFILE)) == picture_hash(image)


def test_transparency_is_kept():
    image = in_space(colours(), DISPLAY_P3, 2.2)
    image.putalpha(128)
    image.info["icc_profile"] = matrix_profile(DISPLAY_P3, 2.2)
    converted = apply_profile(image)
    assert converted.mode == "RGBA"
    assert converted.getchannel("A").getextrema() == (128, 128)
    assert farthest(converted, colours()) <= 2


def test_a_palette_and_a_grey_picture_are_converted_by_a_profile_of_rgb():
    profile = matrix_profile(SRGB, 1.0)  # linear: half of 255 is a light grey
    grey = Image.new("RGB", (4, 4), (128, 128, 128))
    for image in (grey.convert("L"), grey.quantize(2)):
        assert load_image(as_file(image, icc_profile=profile)).getpixel((1, 1)) == pytest.approx((188,) * 3, abs=2)


@pytest.mark.parametrize("profile", [b"", b"no profile", SRGB_PROFILE[:200]], ids=["empty", "text", "cut"])
def test_a_damaged_profile_is_ignored(profile):
    image = Image.fromarray(colours())
    image.info["icc_profile"] = profile
    assert apply_profile(image) is image


def test_a_profile_of_another_colour_space_is_ignored():
    image = Image.new("CMYK", (4, 4))
    image.info["icc_profile"] = matrix_profile(DISPLAY_P3, 2.2)
    assert apply_profile(image) is image
