import re
from xml.etree import ElementTree

import pytest

from imagemusic.data.build.html_view import COLUMNS, ShowOptions, _card, draw_roll, write_page
from imagemusic.data.build.manifest import Manifest
from imagemusic.errors import ConfigError
from imagemusic.music.score import Note, Score, Track


def articles(path):
    return re.findall(r"<article.*?</article>", path.read_text(encoding="utf-8"), re.DOTALL)


def test_the_page_shows_cover_roll_match_and_score_of_each_file(built):
    shown = articles(write_page(built.folder, ShowOptions()))
    assert len(shown) == 7
    assert "data:image/jpeg;base64," in shown[0]
    assert '<svg class="roll"' in shown[0]
    assert "matched</b> · score 1.00" in shown[0]
    assert "train · artist/artist0" in shown[0]


def test_names_cannot_break_the_page(built):
    shown = articles(write_page(built.folder, ShowOptions()))[-1]
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert "no cover" in shown


def test_a_status_of_a_foreign_set_adds_no_attribute(built):
    row = next(Manifest.open(built.folder).rows(COLUMNS)) | {"status": "x onmouseover=alert(1)"}
    assert "<b class='x onmouseover=alert(1)'>" in _card(built.folder, row, None, None)


def test_a_page_is_cut_at_its_limit_and_to_a_status(built):
    assert len(articles(write_page(built.folder, ShowOptions(limit=2)))) == 2
    assert "2 of 7 files" in (built.folder / "show.html").read_text()
    assert len(articles(write_page(built.folder, ShowOptions(status="corrupt")))) == 1


def test_no_file_is_no_page():
    with pytest.raises(ConfigError, match="limit must be at least 1, got 0"):
        ShowOptions(limit=0)


def test_a_roll_by_hand():
    # Two beats, one octave and a row of room on both sides: the low note below and first, the high one above and last.
    roll = ElementTree.fromstring(draw_roll(Score([Track([Note(0, 60, 24, 80), Note(24, 72, 24, 80)])])))
    (path,) = roll
    (x1, y1), (x2, y2) = re.findall(r"M(\S+) (\S+)h", path.attrib["d"])
    assert (float(x1), float(x2)) == (0, 160)
    assert (float(y1), float(y2)) == pytest.approx((96 * 13.5 / 15, 96 * 1.5 / 15), abs=0.06)


def test_a_roll_without_notes_is_empty():
    assert len(ElementTree.fromstring(draw_roll(Score([])))) == 0
