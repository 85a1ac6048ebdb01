import base64
import json
import re
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

from PIL import Image

from imagemusic.evaluation.steering.report_page import build_page
from imagemusic.reports.page import data_uri, html_page, png_uri
from imagemusic.reports.style import REPORT

RESULTS = Path(__file__).parents[2] / "docs" / "results" / "steering"


def test_the_shell_stands_around_title_style_body_and_script():
    page = html_page("Cats & dogs", "<p>here</p>", style="p { color: red; }", head="<meta>", script="\nrun();\n")
    assert page.startswith("<!doctype html><html")
    assert "<meta><title>Cats &amp; dogs</title>" in page
    assert page.index("--paper") < page.index("p { color: red; }") < page.index("<body>")
    assert page.endswith("<p>here</p>\n<script>\nrun();\n</script>\n</body></html>\n")


def test_a_page_without_script_has_no_script_element():
    assert "<script" not in html_page("a", "b", style=REPORT)


def test_data_uris_hold_the_bytes():
    assert data_uri("text/plain", b"hi") == "data:text/plain;base64,aGk="
    uri = png_uri(Image.new("RGB", (3, 2), "red"))
    with Image.open(BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,")))) as image:
        assert image.size == (3, 2)
        assert image.convert("RGB").getpixel((0, 0)) == (255, 0, 0)


def plain(text):
    return re.sub(r"(\d)\.0\b", r"\1", text)  # whole numbers are written either way


def shapes(page):
    """List the elements of a page's drawings with text and attributes; empty classes and labels do not count."""
    found = []
    for drawing in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        for node in ElementTree.fromstring(drawing).iter():
            attributes = {key: plain(text) for key, text in node.attrib.items() if text and key != "aria-label"}
            found.append((node.tag, node.text, attributes))
    return found


def test_a_published_report_is_drawn_as_before():
    figures = json.loads((RESULTS / "steering.json").read_text())
    published = (RESULTS / "index.html").read_text()
    assert shapes(build_page(figures, [])) == shapes(published)
