"""Figures become Markdown tables: single ones, estimates with intervals, groups of groups."""

import pytest

from imagemusic.errors import OutputError
from imagemusic.reports.markdown import cell, figure_tables, put_between_marks, table


def test_cells_are_written_by_their_kind():
    assert cell(1234567) == "1,234,567"
    assert cell(0.123456) == "0.1235"
    assert cell(True) == "yes" and cell(None) == ""
    assert cell([1, 2.5]) == "1, 2.5" and cell(list(range(9))) == "9 values"
    assert cell({"value": 0.5, "low": 0.25, "high": 0.75}) == "0.5 (0.25 to 0.75)"
    assert cell({"value": 0.5, "low": None, "high": None}) == "0.5"
    assert cell("a|b") == "a\\|b"


def test_a_table_has_a_header_and_a_row_a_line():
    assert table(("a", "b"), [["1", "2"]]) == "| a | b |\n|---|---|\n| 1 | 2 |\n"


def test_nested_figures_are_laid_out_by_depth():
    figures = {
        "pieces": 3,
        "bits": {"model": {"total": 1.5, "pitch": 0.5}, "markov": {"total": 2.0}},
        "rho": {"mode": {"value": 0.5, "low": 0.25, "high": 0.75, "rows": 9}},
        "failures": [{"number": 1}],
    }
    text = figure_tables(figures)
    assert text.startswith("| figure | value |\n|---|---|\n| pieces | 3 |\n\n**bits**\n")
    assert "|  | total | pitch |\n|---|---|---|\n| model | 1.5 | 0.5 |\n| markov | 2 |  |\n" in text
    assert "| mode | 0.5 (0.25 to 0.75) |" in text
    assert "failures" not in text


def test_a_page_that_is_not_there_or_lacks_a_mark_is_refused(tmp_path):
    with pytest.raises(OutputError, match=r"page\.md: cannot be read"):
        put_between_marks(tmp_path / "page.md", "")
    (tmp_path / "page.md").write_text("<!-- tables -->\n")
    with pytest.raises(OutputError, match="needs the lines"):
        put_between_marks(tmp_path / "page.md", "")
