"""Any picture a person has to checked RGB pixels."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from imagemusic.errors import ImageError
from imagemusic.vision.image import FORMATS, IMAGE_SUFFIXES, MAX_PIXELS, load_image, load_pixels, picture_hash

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def two_halves(left=RED, right=BLUE, size=(64, 48)):
    """Draw a picture whose left half has one colour and whose right half has another."""
    image = Image.new("RGB", size, left)
    image.paste(right, (size[0] // 2, 0, *size))
    return image


def as_bytes(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def colour_at(image, x, y):
    return tuple(int(value) for value in image.getpixel((x, y)))


def near(colour, other, tolerance=6):
    return max(abs(one - two) for one, two in zip(colour, other, strict=True)) <= tolerance


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_read_from_a_file_and_from_bytes(kind, tmp_path):
    path = tmp_path / f"cover{FORMATS[kind][0]}"
    two_halves().save(path, kind)
    for source in (path, str(path), path.read_bytes()):
        image = load_image(source)
        assert (image.mode, image.size) == ("RGB", (64, 48))
        assert near(colour_at(image, 8, 24), RED) and near(colour_at(image, 56, 24), BLUE)


def test_suffixes_are_those_of_the_formats():
    assert {".jpg", ".jpeg", ".png", ".webp", ".avif", ".gif", ".bmp", ".tif", ".tiff"} <= IMAGE_SUFFIXES


def test_a_picture_taken_sideways_is_turned_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held so that the top is on the right
    image = load_image(as_bytes(two_halves(), "JPEG", exif=exif, quality=95))
    assert image.size == (48, 64)
    assert near(colour_at(image, 24, 8), RED) and near(colour_at(image, 24, 56), BLUE)


def test_a_broken_exif_block_does_not_lose_the_picture():
    data = as_bytes(two_halves(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert load_image(data).size == (64, 48)


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(two_halves().convert("CMYK"), id="CMYK"),
        pytest.param(two_halves().convert("P", palette=Image.Palette.ADAPTIVE), id="palette"),
        pytest.param(two_halves().convert("YCbCr"), id="YCbCr"),
        pytest.param(two_halves().convert("RGBA"), id="RGBA"),
        pytest.param(two_halves().convert("HSV"), id="HSV"),
    ],
)
def test_every_mode_keeps_its_colours(image):
    rgb = load_image(image)
    assert near(colour_at(rgb, 8, 24), RED) and near(colour_at(rgb, 56, 24), BLUE)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_a_cmyk_file_keeps_its_colours(kind):
    assert near(colour_at(load_image(as_bytes(two_halves().convert("CMYK"), kind)), 8, 24), RED)


def test_black_and_white_becomes_black_and_white():
    image = load_image(as_bytes(two_halves((0, 0, 0), WHITE).convert("1")))
    assert (colour_at(image, 8, 24), colour_at(image, 56, 24)) == ((0, 0, 0), WHITE)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_transparency_lies_on_white(kind):
    image = two_halves().convert("RGBA")
    image.putalpha(two_halves((0, 0, 0), WHITE).convert("L"))  # the left half cannot be seen
    rgb = load_image(as_bytes(image, kind))
    assert near(colour_at(rgb, 8, 24), WHITE) and near(colour_at(rgb, 56, 24), BLUE)


def test_a_transparent_palette_colour_lies_on_white():
    image = two_halves().convert("P", palette=Image.Palette.ADAPTIVE, colors=2)
    hidden = image.getpixel((8, 24))
    rgb = load_image(as_bytes(image, "GIF", transparency=hidden))
    assert near(colour_at(rgb, 8, 24), WHITE) and near(colour_at(rgb, 56, 24), BLUE)


def test_half_transparent_grey_is_mixed_with_white():
    assert near(colour_at(load_image(as_bytes(Image.new("LA", (4, 4), (0, 128)))), 1, 1), (127, 127, 127))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_and_not_clipped(kind):
    samples = np.full((8, 8), 32768, dtype=np.uint16)
    assert near(colour_at(load_image(as_bytes(Image.fromarray(samples), kind)), 3, 3), (128, 128, 128), 1)


@pytest.mark.parametrize("white", [1.0, 255.0, 65535.0, 1e6])
def test_floats_are_scaled_by_what_their_white_must_be(white):
    samples = np.array([[0, white * 0.4], [white, np.nan]], dtype=np.float32)
    grey = np.asarray(load_image(as_bytes(Image.fromarray(samples), "TIFF")))[..., 0]
    assert grey.tolist() == [[0, 102], [255, 0]]


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_of_an_animation_the_first_frame_is_taken(kind):
    data = as_bytes(Image.new("RGB", (8, 8), RED), kind, save_all=True, append_images=[Image.new("RGB", (8, 8), BLUE)])
    assert near(colour_at(load_image(data), 4, 4), RED)


def test_pixels_are_channels_first_in_zero_to_one():
    pixels = load_pixels(two_halves(), 32)
    assert pixels.shape == (3, 32, 32) and pixels.dtype == np.float32 and pixels.flags.c_contiguous
    np.testing.assert_array_equal(pixels[:, 16, 2], [1, 0, 0])
    np.testing.assert_array_equal(pixels[:, 16, 29], [0, 0, 1])


def test_nothing_of_a_wide_picture_is_cut_away():
    pixels = load_pixels(two_halves(size=(400, 20)), 32)
    np.testing.assert_allclose(pixels[:, 0, 0], [1, 0, 0], atol=0.01)
    np.testing.assert_allclose(pixels[:, -1, -1], [0, 0, 1], atol=0.01)


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (2, 3)])
def test_tiny_and_thin_pictures_are_enlarged(size):
    np.testing.assert_array_equal(load_pixels(Image.new("RGB", size, GREEN), 32)[:, 5, 5], [0, 1, 0])


def test_a_fine_pattern_is_averaged_when_made_small():
    board = np.indices((512, 512)).sum(axis=0) % 2 * 255
    pixels = load_pixels(Image.fromarray(board.astype(np.uint8)), 32)
    np.testing.assert_allclose(pixels, 0.5, atol=0.05)


def test_forty_megapixels_are_read():
    data = as_bytes(Image.new("RGB", (8000, 5000), RED), "JPEG")
    np.testing.assert_allclose(load_pixels(data, 64)[:, 30, 30], [1, 0, 0], atol=0.01)


@pytest.mark.parametrize(
    ("width", "height", "fraction"),
    [pytest.param(8064, 6048, 2, id="48 megapixels"), pytest.param(16320, 12240, 4, id="200 megapixels")],
)
def test_a_jpeg_of_a_phone_is_read_at_a_fraction(width, height, fraction, tmp_path):
    path = tmp_path / "phone.jpg"
    Image.new("L", (width, height), 200).save(path, "JPEG")
    for source in (path, path.read_bytes()):
        image = load_image(source)
        assert image.size == (width // fraction, height // fraction)
        assert near(colour_at(image, 9, 9), (200, 200, 200))
    assert load_pixels(path, 32).shape == (3, 32, 32)


def test_a_jpeg_within_the_limit_is_decoded_whole():
    assert load_image(as_bytes(Image.new("L", (7000, 6000)), "JPEG")).size == (7000, 6000)


@pytest.mark.parametrize(("width", "height"), [(16_000, 14_000), (65_000, 65_000)])
def test_a_larger_jpeg_is_refused_by_its_header(width, height):
    data = as_bytes(Image.new("L", (16, 16)), "JPEG")
    start = data.index(b"\xff\xc0") + 5  # of height and width in the frame header
    data = data[:start] + struct.pack(">HH", height, width) + data[start + 4 :]
    with pytest.raises(ImageError, match=f"picture: {width} x {height} is more than 210 megapixels; make it smaller"):
        load_image(data)


def png_header(width, height):
    """Write the start of a PNG file that promises a size and holds no pixels."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"\0")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in (chunk, data)
    )


@pytest.mark.parametrize("side", [6600, 10_000, 50_000])
def test_a_bomb_is_refused_by_its_header(side):
    assert side * side > MAX_PIXELS
    with pytest.raises(ImageError, match=r"picture: .*more than 42 megapixels; make it smaller"):
        load_image(png_header(side, side))


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_cut_short_is_refused(kind, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = as_bytes(Image.fromarray(noise), kind)
    path = tmp_path / "cut.img"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ImageError, match=r"cut\.img: (damaged|not a picture)"):
        load_image(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "picture: empty, not a picture", id="empty"),
        pytest.param(b"MThd not a picture at all", "picture: not a picture that can be read; use JPEG, PNG", id="text"),
        pytest.param(as_bytes(two_halves(), "PPM"), "not a picture that can be read", id="format not in the list"),
    ],
)
def test_bytes_that_are_no_picture_are_refused(data, message):
    with pytest.raises(ImageError, match=message):
        load_image(data)


def test_paths_that_lead_to_no_picture_are_refused(tmp_path):
    (tmp_path / "empty.png").touch()
    os.mkfifo(tmp_path / "pipe.png")
    for name, message in {
        "none.png": "no such file",
        "empty.png": "empty, not a picture",
        "pipe.png": "not a regular file",
        "": "a folder, not a picture",
        "x" * 300: "cannot be read",
    }.items():
        with pytest.raises(ImageError, match=message) as caught:
            load_image(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_a_file_that_may_not_be_read_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "secret.png"
    path.write_bytes(as_bytes(two_halves()))

    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("PIL.Image.open", refuse)  # root may read everything, so a mode would not show it
    with pytest.raises(ImageError, match=r"secret\.png: cannot be read \(Permission denied\)"):
        load_image(path)


def test_damaged_bytes_give_a_picture_or_one_line(recwarn):
    rng = np.random.default_rng(0)
    for kind in FORMATS:
        whole = as_bytes(two_halves(), kind)
        for _ in range(30):
            data = bytearray(whole)
            for place in rng.integers(0, len(data), 3):
                data[place] = rng.integers(256)
            try:
                load_pixels(bytes(data), 32)
            except ImageError as error:
                assert "\n" not in str(error)


def test_the_hash_is_of_the_pixels_and_not_of_the_file():
    image = two_halves()
    assert picture_hash(as_bytes(image, "PNG")) == picture_hash(as_bytes(image, "BMP")) == picture_hash(image)
    assert picture_hash(image) != picture_hash(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    assert len(picture_hash(image)) == 64
