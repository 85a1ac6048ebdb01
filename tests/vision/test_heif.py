import struct
import sys
from io import BytesIO

import pytest
from PIL import Image

from imagemusic.errors import ImageError
from imagemusic.vision.image import IMAGE_SUFFIXES, load_image, load_pixels

# A file of the brand heic without any picture in it.
HEADER = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)


def heic(image):
    pillow_heif = pytest.importorskip("pillow_heif")
    file = BytesIO()
    pillow_heif.from_pillow(image).save(file, quality=95)
    return file.getvalue()


def test_a_heic_file_is_read(tmp_path):
    path = tmp_path / "photo.heic"
    path.write_bytes(heic(Image.new("RGB", (64, 48), (200, 30, 40))))
    image = load_image(path)
    assert (image.mode, image.size) == ("RGB", (64, 48))
    assert image.getpixel((30, 30)) == pytest.approx((200, 30, 40), abs=6)
    assert load_pixels(path.read_bytes(), 32).shape == (3, 32, 32)


def test_without_pillow_heif_the_message_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    path = tmp_path / "photo.heic"
    path.write_bytes(HEADER)
    for source in (path, HEADER):
        with pytest.raises(ImageError, match=r"HEIC needs pillow-heif; run: pip install 'imagemusic\[heic\]'"):
            load_image(source)


def test_a_damaged_heic_file_is_refused():
    pytest.importorskip("pillow_heif")
    with pytest.raises(ImageError, match="picture: not a picture that can be read"):
        load_image(HEADER)


def test_a_heic_file_of_more_than_fifty_megapixels_is_refused():
    data = heic(Image.new("RGB", (64, 48)))
    place = data.index(b"ispe") + 8  # of width and height
    data = data[:place] + struct.pack(">II", 9000, 6000) + data[place + 8 :]
    with pytest.raises(ImageError, match="picture: "):
        load_image(data)


def test_folders_are_searched_for_heic():
    assert {".heic", ".heif"} <= IMAGE_SUFFIXES


def test_avif_needs_no_pillow_heif(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    file = BytesIO()
    Image.new("RGB", (16, 16), "red").save(file, "AVIF")
    assert load_image(file.getvalue()).size == (16, 16)
