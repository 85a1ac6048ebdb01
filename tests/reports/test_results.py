"""A result names the command that made it, free of this machine's folders."""

import json
import sys

import pytest

from imagemusic.reports.results import write_result


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["/env/bin/imagemusic", "study", "run", "controls"], "imagemusic study run controls"),
        (["/site/imagemusic/__main__.py", "study", "run", "speed"], "imagemusic study run speed"),
        (["scripts/train_encoder.py", "--data", "/home/me/data"], "python scripts/train_encoder.py --data data"),
        (["/tools/pytest", "a b"], "python pytest 'a b'"),
    ],
)
def test_the_command_can_be_run_again(tmp_path, monkeypatch, words, command):
    monkeypatch.setattr(sys, "argv", words)
    write_result(tmp_path / "result.json", {"value": 1}, data=["songs"], seed=3)
    written = json.loads((tmp_path / "result.json").read_text())
    assert written["value"] == 1
    assert written["how"]["command"] == command
    assert (written["how"]["data"], written["how"]["seed"]) == (["songs"], 3)
