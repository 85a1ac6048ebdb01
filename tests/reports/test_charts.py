from xml.etree import ElementTree

import pytest

from imagemusic.reports.charts import (
    COLOURS,
    bar_chart,
    dot_chart,
    interval_chart,
    legend,
    line_chart,
    number,
    response_chart,
    scatter_chart,
    with_interval,
)

ESTIMATE = {"value": 0.5, "low": 0.25, "high": 0.75}


def nodes(drawn, tag):
    return ElementTree.fromstring(drawn).findall(f".//{tag}")


def test_numbers_have_true_minus_signs_and_dashes():
    assert (number(-0.5, 1), number(None)) == ("−0.5", "–")
    assert with_interval(ESTIMATE, 2) == "0.50 (0.25 to 0.75)"
    assert with_interval({"value": 0.5, "low": None, "high": None}, 2) == "0.50"


def test_a_point_is_hollow_where_the_interval_contains_the_reference():
    drawn = interval_chart([("a", ESTIMATE), ("b", ESTIMATE | {"low": -0.25})])
    assert [node.attrib["class"] for node in nodes(drawn, "circle")] == ["dot", "dot hollow"]


def test_an_estimate_without_value_is_said_to_be_not_measurable():
    drawn = interval_chart([("a", {"value": None, "low": None, "high": None})])
    assert not nodes(drawn, "circle")
    assert "not measurable" in drawn


def test_a_panel_leaves_out_levels_without_quartiles():
    panel = {"levels": [-1, 0, 1], "quartiles": [[-1, -1, -1], [None] * 3, [1, 1, 1]], "rho": ESTIMATE}
    (curve,) = nodes(response_chart({"mode": panel}), "polyline")
    left, top, inner = 26, 22, 142
    assert curve.attrib["points"] == f"{left:.1f},{top + inner:.1f} {left + inner:.1f},{top:.1f}"


def test_points_span_their_own_values():
    first, last = nodes(scatter_chart([1, 3], [2, 4], "across", "up"), "circle")
    assert (float(first.attrib["cx"]), float(last.attrib["cx"])) == (48, 48 + 330 - 64)
    assert float(first.attrib["cy"]) > float(last.attrib["cy"])


def test_curves_without_points_say_so():
    assert line_chart({"a": []}, "x", "y") == "<p>Too little music to measure this.</p>"


@pytest.mark.parametrize("log", [False, True])
def test_a_curve_runs_from_corner_to_corner(log):
    (curve,) = nodes(line_chart({"a": [(1, 1, None, None), (100, 100, None, None)]}, "x", "y", log=log), "polyline")
    assert curve.attrib["points"] == "60.0,250.0 700.0,10.0"


def test_dots_have_the_colours_of_the_legend():
    drawn = dot_chart({"key": {"input": ESTIMATE | {"chance": 0.1}, "layer 1": None}}, "title")
    (dot,) = nodes(drawn, "circle")
    assert dot.attrib["fill"] == COLOURS[0]
    assert COLOURS[0] in legend(["input"]) and COLOURS[1] in legend(["layer 1"], 1)


def test_bars_go_up_and_down_from_zero():
    up, down = nodes(bar_chart({"a": 2.0, "b": None, "c": -1.0}, "title"), "rect")
    assert (float(up.attrib["y"]), float(up.attrib["height"])) == (4, 56)
    assert (float(down.attrib["y"]), float(down.attrib["height"])) == (60, 28)
