import pytest

from imagemusic.commands.cli import main
from tests.gathered import gather


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = gather(tmp_path_factory.mktemp("commands") / "set", albums=2)
    made.midi("bad.mid", b"junk")
    made.line("bad.mid", status="corrupt")
    assert main(["data", "build", str(made.folder), "--workers", "1"]) == 0
    return made.folder


def test_building_names_what_is_not_usable_and_counts(folder, capsys):
    assert main(["data", "build", str(folder), "--workers", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("bad.mid: not usable, ")
    assert lines[1:3] == ["status: 4 matched, 1 corrupt", "paired: 4 exact"]


def test_a_page_statistics_and_an_export_are_written_where_they_say(folder, capsys):
    assert main(["data", "show", str(folder), "--limit", "1"]) == 0
    assert main(["data", "stats", str(folder), "--plot", str(folder / "stats.svg")]) == 0
    assert main(["data", "export", str(folder), "--out", str(folder / "out")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(folder / "show.html")
    assert "MIDI files: 5" in lines
    assert "<svg xmlns=" in (folder / "stats.svg").read_text()
    assert lines[-2:] == [str(folder / "out" / "pieces.parquet"), str(folder / "out" / "README.md")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["build", "{}/none"], "no data set here; make one with imagemusic data match"),
        (["build", "{}", "--executor", "spark"], "unknown executor 'spark'; choose from here, processes, ray"),
        (["show", "{}", "--limit", "0"], "limit must be at least 1"),
        (["stats", "{}", "--plot", "plot.png"], "the plot is an SVG picture; name it FILE.svg"),
        (["export", "{}/none"], "no manifest here; make it with imagemusic data build"),
    ],
)
def test_what_is_wrong_is_reported_in_one_line(folder, capsys, words, message):
    assert main(["data", *(word.format(folder) for word in words)]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_without_arrow_the_extra_is_named(folder, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    assert main(["data", "stats", str(folder)]) == 1
    assert "data sets need pyarrow; run: pip install 'imagemusic[dataset]'" in capsys.readouterr().err
