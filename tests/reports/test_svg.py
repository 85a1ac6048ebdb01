from xml.etree import ElementTree

from imagemusic.reports.svg import circle, drawing, element, line, points, rectangle, text, turned_text


def test_an_element_by_hand():
    assert (
        element("g", "<b/>", stroke_width=2, class_="bar", x=1.25) == '<g stroke-width="2" class="bar" x="1.2"><b/></g>'
    )


def test_what_is_empty_is_left_out():
    assert element("line", class_="", fill=None) == "<line/>"


def test_text_and_attributes_are_escaped():
    node = ElementTree.fromstring(text(1, 2, "a < b & c", "end"))
    assert node.text == "a < b & c"
    assert ElementTree.fromstring(drawing(1, 1, [], 'say "no"')).attrib["aria-label"] == 'say "no"'


def test_shapes_are_placed_by_hand():
    assert line(0, 1, 2, 3, "axis") == '<line x1="0.0" y1="1.0" x2="2.0" y2="3.0" class="axis"/>'
    assert rectangle(0, 1, 2, 3, fill="red") == '<rect x="0.0" y="1.0" width="2.0" height="3.0" fill="red"/>'
    assert circle(1, 2, 4.5, "dot") == '<circle cx="1.0" cy="2.0" r="4.5" class="dot"/>'
    assert points([(0, 1), (2.25, 3)]) == "0.0,1.0 2.2,3.0"
    assert 'transform="translate(1.0 2.0) rotate(-90)"' in turned_text(1, 2, -90, "up", "middle")


def test_a_tooltip_is_a_title():
    assert ElementTree.fromstring(circle(0, 0, 1, tooltip="a & b")).find("title").text == "a & b"
