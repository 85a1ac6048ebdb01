from xml.etree import ElementTree

import pytest

from imagemusic.data.build.build import build
from imagemusic.data.build.manifest import Manifest
from imagemusic.data.build.statistics import draw_statistics, measure_set, statistics_table
from tests import tiny
from tests.gathered import gather


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    made = gather(tmp_path_factory.mktemp("shown") / "set", albums=3)
    made.midi("x/<b>bad</b>.mid", b"junk")
    made.line("x/<b>bad</b>.mid", artist="<script>", status="corrupt")
    build(made.folder, workers=1)
    return made


def test_statistics_count_what_was_built(made):
    found = measure_set(Manifest.open(made.folder))
    assert (found.rows, found.covers, found.groups) == (7, 3, 3)
    assert found.counts["status"] == {"matched": 6, "corrupt": 1}
    assert found.counts["terms"] == {"own": 6}
    assert found.instruments == {"Flute": 6, "Acoustic Grand Piano": 6, "Drums": 6}
    assert found.notes == sum(tiny.tune(1000 * n + i).note_count for n in range(3) for i in range(2))
    told = statistics_table(found)
    assert told["MIDI files"] == 7
    assert list(told["not usable"]) == ["x/<b>bad</b>.mid"]


def test_statistics_are_drawn_as_bars_in_proportion(made):
    drawing = ElementTree.fromstring(draw_statistics(measure_set(Manifest.open(made.folder))))
    widths = [
        int(bar.attrib["width"]) for bar in drawing.iter("{http://www.w3.org/2000/svg}rect") if "rx" in bar.attrib
    ]
    assert widths[:2] == [330, 55]  # 6 matched, 1 corrupt
