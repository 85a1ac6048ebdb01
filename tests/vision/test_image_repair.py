import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from imagemusic.errors import ImageError
from imagemusic.vision.image import load_image
from imagemusic.vision.image_repair import MOST_PROFILE, with_jpeg_end, without_png_metadata
from tests.vision.profiles import SRGB, matrix_profile


def picture(side=64):
    """A smooth picture with a little noise."""
    rng = np.random.default_rng(0)
    slope = np.linspace(0, 200, side)[:, None, None] + np.array([0, 20, 40])
    return Image.fromarray((slope + rng.integers(0, 16, (side, side, 3))).astype(np.uint8))


def as_file(image, kind="PNG", **options):
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def with_chunk(data, kind, content, at=33):
    """Put a chunk into a PNG file, by default behind its header."""
    chunk = struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    return data[:at] + chunk + data[at:]


def pixels(image):
    return np.asarray(image.convert("RGB"), int)


LARGE = b"{}" * 750_000
TEXTS = {
    "tEXt": b"workflow\0" + LARGE,
    "zTXt": b"workflow\0\0" + zlib.compress(LARGE),
    "iTXt": b"workflow\0\1\0\0\0" + zlib.compress(LARGE),
}


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("at", [33, -12], ids=["before the pixels", "after them"])
def test_a_png_with_a_large_text_is_read(kind, at):
    data = as_file(picture())
    read = load_image(with_chunk(data, kind.encode(), TEXTS[kind], len(data) + at if at < 0 else at))
    np.testing.assert_array_equal(pixels(read), pixels(picture()))


def test_a_png_with_a_hundred_texts_is_read(tmp_path):
    data = as_file(picture())
    for _ in range(100):
        data = with_chunk(data, b"zTXt", b"a\0\0" + zlib.compress(bytes(1_000_000)))
    path = tmp_path / "texts.png"
    path.write_bytes(data)
    np.testing.assert_array_equal(pixels(load_image(path)), pixels(picture()))


def test_a_png_with_a_large_profile_is_converted_by_it():
    profile = matrix_profile(SRGB[:, ::-1], 2.2) + bytes(2_000_000)
    profile = struct.pack(">I", len(profile)) + profile[4:]
    data = with_chunk(as_file(Image.new("RGB", (8, 8), (200, 0, 0))), b"iCCP", b"x\0\0" + zlib.compress(profile))
    red, green, blue = load_image(data).getpixel((4, 4))
    assert blue > 190 and red < 10 and green < 10


def test_a_profile_that_inflates_without_end_is_dropped():
    bomb = zlib.compress(bytes(MOST_PROFILE + 1))
    plain, profile = without_png_metadata(with_chunk(as_file(picture()), b"iCCP", b"x\0\0" + bomb))
    assert profile is None
    assert plain == as_file(picture())


def test_a_png_without_metadata_has_no_repair():
    assert without_png_metadata(as_file(picture())) is None


def test_a_png_with_a_large_text_that_is_cut_short_too_is_refused():
    data = with_chunk(as_file(picture()), b"zTXt", TEXTS["zTXt"])
    with pytest.raises(ImageError, match="picture: damaged"):
        load_image(data[: len(data) - 2000])


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": 0}], ids=["plain", "progressive", "444"]
)
@pytest.mark.parametrize("missing", [1, 2])
def test_a_jpeg_without_its_end_marker_is_read(options, missing):
    data = as_file(picture(256), "JPEG", quality=92, **options)
    np.testing.assert_array_equal(pixels(load_image(data[:-missing])), pixels(load_image(data)))


def test_a_jpeg_without_its_last_bytes_is_read_to_its_last_pixels():
    data = as_file(picture(256), "JPEG", quality=92)
    read, whole = load_image(data[:-100]), load_image(data)
    np.testing.assert_array_equal(pixels(read)[:232], pixels(whole)[:232])


@pytest.mark.parametrize("share", [0.5, 0.9])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_that_lacks_a_part_of_its_pixels_is_refused(share, mode):
    data = as_file(picture(256).convert(mode), "JPEG", quality=92)
    with pytest.raises(ImageError, match="picture: damaged or cut short"):
        load_image(data[: int(share * len(data))])


def test_a_jpeg_with_its_end_marker_has_no_repair():
    assert with_jpeg_end(as_file(picture(), "JPEG") + b"\n") is None
