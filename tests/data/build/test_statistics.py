from xml.etree import ElementTree

from imagemusic.data.build.manifest import Manifest
from imagemusic.data.build.statistics import draw_statistics, measure_set, statistics_table
from tests import tiny


def test_statistics_count_what_was_built(built):
    found = measure_set(Manifest.open(built.folder))
    assert (found.rows, found.covers, found.groups) == (7, 3, 3)
    assert found.counts["status"] == {"matched": 6, "corrupt": 1}
    assert found.counts["terms"] == {"own": 6}
    assert found.instruments == {"Flute": 6, "Acoustic Grand Piano": 6, "Drums": 6}
    assert found.notes == sum(tiny.tune(1000 * n + i).note_count for n in range(3) for i in range(2))
    table = statistics_table(found)
    assert table["MIDI files"] == 7
    assert list(table["not usable"]) == ["x/<b>bad</b>.mid"]


def test_statistics_are_drawn_as_bars_in_proportion(built):
    drawing = ElementTree.fromstring(draw_statistics(measure_set(Manifest.open(built.folder))))
    widths = [
        int(bar.attrib["width"]) for bar in drawing.iter("{http://www.w3.org/2000/svg}rect") if "rx" in bar.attrib
    ]
    assert widths[:2] == [330, 55]  # 6 matched, 1 corrupt
