"""`imagemusic evaluate listening` and `score-listening`, from pictures to a result."""

import json

import pytest
from PIL import Image

from imagemusic.audio.synthesis import has_sound
from imagemusic.commands import cli

needs_sound = pytest.mark.skipif(not has_sound(), reason="no synthesizer is installed")


@needs_sound
def test_from_pictures_to_a_result(tiny_checkpoint, tmp_path, capsys):
    covers = tmp_path / "covers"
    covers.mkdir()
    for colour in ("red", "blue"):
        Image.new("RGB", (8, 8), colour).save(covers / f"{colour}.png")
    kit = ["evaluate", "listening", "--pictures", covers, "--out", tmp_path / "kit", "--trials", 2, "--seconds", 4]
    assert cli.main([*map(str, kit), "--checkpoint", str(tiny_checkpoint), "--format", "ogg"]) == 0
    assert "kit-key.json: which picture is right" in capsys.readouterr().out
    key = json.loads((tmp_path / "kit-key.json").read_text())
    given = [{"trial": row["trial"], "choice": row["correct"]} for row in key["trials"]]
    table = {"format": "imagemusic listening answers", "version": 1, "kit": key["kit"], "listener": "ann"}
    (tmp_path / "ann.json").write_text(json.dumps(table | {"answers": given}))
    score = ["evaluate", "score-listening", str(tmp_path / "kit-key.json"), str(tmp_path / "ann.json")]
    assert cli.main(score) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split(maxsplit=1) == [
        "ann", "2 of 2 right, 100.0%, 95 % interval 15.8% to 100.0%: holds 50 %, which is chance",
    ]  # fmt: skip
    assert lines[2] == "an interval over listeners takes 5 of them, got 1"
    assert cli.main([*score, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["overall"]["right"] == 2


def test_a_folder_without_pictures_is_refused(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    kit = ["evaluate", "listening", "--pictures", tmp_path / "empty", "--out", tmp_path / "kit"]
    assert cli.main(list(map(str, kit))) == 1
    assert capsys.readouterr().err.startswith(f"imagemusic: error: {tmp_path}/empty: no pictures in this folder")


def test_a_kit_of_no_trials_is_refused(tmp_path, capsys):
    kit = ["evaluate", "listening", "--pictures", tmp_path, "--out", tmp_path / "kit", "--trials", "0"]
    assert cli.main(list(map(str, kit))) == 1
    assert capsys.readouterr().err == "imagemusic: error: trials must be in 1..200, got 0\n"
