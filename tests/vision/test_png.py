from io import BytesIO

from PIL import Image

from imagemusic.files import MARK
from imagemusic.vision.png import png_bytes


def test_a_picture_keeps_its_pixels_and_is_marked_as_ours():
    drawn = Image.new("RGB", (3, 2), "teal")
    with Image.open(BytesIO(png_bytes(drawn))) as image:
        assert (image.format, image.text) == ("PNG", {"Software": MARK})
        assert image.tobytes() == drawn.tobytes()
