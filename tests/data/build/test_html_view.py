import re
from xml.etree import ElementTree

import numpy as np
import pytest

from imagemusic.data.build.build import build
from imagemusic.data.build.built_set import open_own_set
from imagemusic.data.build.html_view import ShowOptions, draw_roll, write_page
from imagemusic.data.build.manifest import Manifest
from imagemusic.data.build.statistics import draw_statistics, measure_set, spell_statistics
from imagemusic.errors import ConfigError, DataError
from imagemusic.events.codec import decode, encode
from imagemusic.music.score import Note, Score, Tempo, Track
from tests import tiny
from tests.gathered import gather


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    made = gather(tmp_path_factory.mktemp("shown") / "set", albums=3)
    made.midi("x/<b>bad</b>.mid", b"junk")
    made.line("x/<b>bad</b>.mid", artist="<script>", status="corrupt")
    build(made.folder, workers=1)
    return made


def articles(path):
    return re.findall(r"<article.*?</article>", path.read_text(encoding="utf-8"), re.DOTALL)


def test_the_page_shows_cover_roll_match_and_score_of_each_file(made):
    shown = articles(write_page(made.folder, ShowOptions()))
    assert len(shown) == 7
    assert "data:image/jpeg;base64," in shown[0]
    assert '<svg class="roll"' in shown[0]
    assert "matched</b> · score 1.00" in shown[0]
    assert "train · artist/artist0" in shown[0]


def test_names_cannot_break_the_page(made):
    shown = articles(write_page(made.folder, ShowOptions()))[-1]
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert "no cover" in shown


def test_a_page_is_cut_at_its_limit_and_to_a_status(made):
    assert len(articles(write_page(made.folder, ShowOptions(limit=2)))) == 2
    assert "2 of 7 files" in (made.folder / "show.html").read_text()
    assert len(articles(write_page(made.folder, ShowOptions(status="corrupt")))) == 1


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


def test_statistics_count_what_was_built(made):
    found = measure_set(Manifest.open(made.folder))
    assert (found.rows, found.covers, found.groups) == (7, 3, 3)
    assert found.counts["status"] == {"matched": 6, "corrupt": 1}
    assert found.counts["terms"] == {"own": 6}
    assert found.instruments == {"Flute": 6, "Acoustic Grand Piano": 6, "Drums": 6}
    assert found.notes == sum(tiny.tune(1000 * n + i).note_count for n in range(3) for i in range(2))
    told = spell_statistics(found)
    assert told["MIDI files"] == 7
    assert list(told["not usable"]) == ["x/<b>bad</b>.mid"]


def test_statistics_are_drawn_as_bars_in_proportion(made):
    drawing = ElementTree.fromstring(draw_statistics(measure_set(Manifest.open(made.folder))))
    widths = [
        int(bar.attrib["width"]) for bar in drawing.iter("{http://www.w3.org/2000/svg}rect") if "rx" in bar.attrib
    ]
    assert widths[:2] == [330, 55]  # 6 matched, 1 corrupt


def test_a_built_set_opens_as_training_sees_it(made):
    own = open_own_set(made.folder)
    assert [row.key for row in own.rows] == [row["key"] for row in own.manifest.rows() if row["notes"]]
    for piece, row in zip(own.prepared, own.rows, strict=True):
        number, index = map(int, re.findall(r"(\d+)-(\d+)", row.key)[0])
        again = decode(own.prepared.events(piece))
        assert encode(again).tolist() == encode(tiny.tune(1000 * number + index)).tolist()
        assert (row.paired, row.terms) == ("exact", "own")
        assert (piece.corpus, piece.group) == ("own", f"artist/artist{number}")
        stretches = own.prepared.stretches[np.arange(piece.stretch, piece.stretch + -(-piece.rows // 64))]
        assert np.isfinite(stretches[:, 0]).all()


def test_the_scale_can_be_that_of_another_model(made):
    scale = open_own_set(made.folder).prepared.scale
    assert set(scale.segment_rms) >= {"valence", "tempo"}
    assert open_own_set(made.folder, scale).prepared.scale is scale


def test_a_set_made_for_another_codec_is_refused(made, monkeypatch):
    monkeypatch.setattr("imagemusic.data.build.built_set.CodecConfig", lambda: Tempo(0, 99.0))
    with pytest.raises(DataError, match="made for another note codec; run imagemusic data build again"):
        open_own_set(made.folder)
