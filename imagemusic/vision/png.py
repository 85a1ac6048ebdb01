"""Pictures that imagemusic draws, as PNG."""

from io import BytesIO

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from imagemusic.files import MARK


def png_bytes(image: Image.Image) -> bytes:
    """Return a picture as the bytes of a PNG file, marked as made by imagemusic."""
    mark = PngInfo()
    mark.add_text("Software", MARK)
    file = BytesIO()
    image.save(file, format="PNG", optimize=True, pnginfo=mark)
    return file.getvalue()
