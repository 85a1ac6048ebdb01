"""A figure is measured once for the same key."""

import numpy as np
import pytest

from imagemusic.reports.figure_cache import FigureCache, cache_key


def test_a_figure_is_kept_until_its_key_changes(tmp_path):
    lines, made = [], []

    def make():
        made.append(1)
        return {"value": np.float64(0.5), "count": np.int64(3)}

    for key in ("a", "a", "b"):
        assert FigureCache(tmp_path, key, lines.append)("two_words", make) == {"value": 0.5, "count": 3}
    assert len(made) == 2
    assert lines == ["two words", "two words: kept from an earlier run", "two words"]


def test_a_damaged_file_is_measured_anew(tmp_path):
    for text in ("{", "[]", '{"key": "a"}'):
        (tmp_path / "figure.json").write_text(text)
        assert FigureCache(tmp_path, "a", lambda line: None)("figure", lambda: {"value": 1}) == {"value": 1}


def test_what_is_no_json_is_refused_and_nothing_is_kept(tmp_path):
    with pytest.raises(TypeError, match="object is not JSON"):
        FigureCache(tmp_path, "a", lambda line: None)("figure", lambda: {"value": object()})
    assert not (tmp_path / "figure.json").exists()


def test_a_key_depends_on_every_part_and_not_on_the_order_of_a_dict():
    assert cache_key("a", {"x": 1, "y": 2}) == cache_key("a", {"y": 2, "x": 1})
    assert cache_key("a", 1) != cache_key("a", 2) != cache_key("b", 2)
