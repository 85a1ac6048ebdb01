"""HTML pages that need no other file: the shell around a body, and media embedded as data: URIs."""

import base64
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING

from imagemusic.reports.style import BASE

if TYPE_CHECKING:
    from PIL import Image


def html_page(title: str, body: str, *, style: str = "", head: str = "", script: str = "") -> str:
    """Return an HTML document.

    Args:
        body: markup, not escaped here.
        style: CSS of this page, after that of every page.
        head: further markup for the head.
        script: JavaScript, run after the body is parsed.
    """
    running = f"\n<script>\n{script.strip()}\n</script>" if script else ""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"{head}<title>{escape(title)}</title><style>{BASE}{style}</style><body>\n{body}{running}\n</body></html>\n"
    )


def data_uri(media_type: str, data: bytes) -> str:
    """Return bytes as a data: URI of a media type, "image/png"."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def png_uri(image: "Image.Image", colours: int = 32) -> str:
    """Return an image as a data: URI of a PNG, reduced to a palette of `colours`."""
    file = BytesIO()
    image.quantize(colours).save(file, "PNG", optimize=True)
    return data_uri("image/png", file.getvalue())
