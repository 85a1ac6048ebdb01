"""`imagemusic look` on a whole, if untrained, model."""

import json

import pytest
from PIL import Image

from imagemusic.commands import cli


@pytest.fixture
def look(tiny_checkpoint):
    return lambda *arguments: cli.main(["look", *map(str, arguments), "--checkpoint", str(tiny_checkpoint)])


@pytest.fixture
def sea(tmp_path):
    path = tmp_path / "sea.png"
    image = Image.new("RGB", (40, 40), "navy")
    image.paste("white", (0, 0, 20, 20))
    image.save(path)
    return path


def test_a_picture_is_told_in_words(look, sea, capsys):
    assert look(sea) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(sea)
    assert any(line.startswith("  valence") and "sad" in line for line in lines)
    assert any(line.startswith("  tempo") and "bpm" in line for line in lines)
    assert any(line.startswith("  played by     piano 100%") for line in lines)
    assert any(line.startswith("  colours       #000080 75%, #ffffff 25%") for line in lines)
    assert "raised" not in "".join(lines)


def test_what_says_so_is_drawn(look, sea, tmp_path, capsys):
    assert look(sea, "--out", tmp_path / "seen") == 0
    names = sorted(path.name for path in (tmp_path / "seen").iterdir())
    assert names == ["sea-arousal.png", "sea-palette.png", "sea-tempo.png", "sea-valence.png"]
    assert "raised most by the upper left" in capsys.readouterr().out
    before = [(tmp_path / "seen" / name).read_bytes() for name in names]
    look(sea, "--out", tmp_path / "seen")
    assert [(tmp_path / "seen" / name).read_bytes() for name in names] == before


def test_programs_get_an_object_a_line(look, sea, capsys):
    assert look(sea, sea.with_name("missing.png"), "--json") == 1
    captured = capsys.readouterr()
    (line,) = captured.out.splitlines()
    table = json.loads(line)
    assert table["picture"] == str(sea)
    assert table["seen"]["valence"].keys() == {"value", "predicted", "deviation", "words", "certainty"}
    assert table["files"] == []
    assert captured.err.startswith(f"imagemusic: error: {sea.with_name('missing.png')}: no such file")


def test_a_size_out_of_range_is_refused(look, sea, capsys):
    assert look(sea, "--size", 8) == 1
    assert capsys.readouterr().err == "imagemusic: error: size must be in 32..1024, got 8\n"


def test_a_picture_of_the_user_s_is_not_drawn_over(look, sea, tmp_path, capsys):
    (tmp_path / "seen").mkdir()
    (tmp_path / "seen" / "sea-palette.png").write_bytes(b"my own")
    assert look(sea, "--out", tmp_path / "seen") == 1
    assert "sea-palette.png: is there already and was not made by imagemusic" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "seen").iterdir()] == ["sea-palette.png"]
    assert look(sea, "--out", tmp_path / "seen", "--overwrite") == 0
