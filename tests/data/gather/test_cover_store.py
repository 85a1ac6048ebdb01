import pytest
from PIL import Image

from imagemusic.data.gather.cover_store import check_cover, store_cover
from imagemusic.errors import NotAPicture
from tests.songs import picture_of


def test_a_picture_of_another_format_is_kept_as_png(tmp_path):
    Image.new("RGB", (64, 64), "red").save(tmp_path / "cover.bmp")
    kept = store_cover(tmp_path, (tmp_path / "cover.bmp").read_bytes(), "here")
    assert kept.endswith(".png")
    with Image.open(tmp_path / kept) as image:
        assert image.convert("RGB").getpixel((5, 5)) == (255, 0, 0)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "x: empty, not a picture"),
        (b"<!DOCTYPE html>", "x: not a picture.* it is a web page"),
        (picture_of("x", 16), "x: 16 x 16 pixels, too small for a cover"),
    ],
)
def test_what_is_no_cover_is_refused(data, reason):
    with pytest.raises(NotAPicture, match=reason):
        check_cover(data, "x")
