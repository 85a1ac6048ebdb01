"""The study of piano rolls writes set after set, and refuses what it cannot read in one line."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")

from imagemusic.research.pianoroll.model import RollConfig
from imagemusic.research.studies import pianoroll
from tests.research.test_pianoroll import SHORT, write_set


@pytest.fixture
def study(run, monkeypatch, tmp_path):
    monkeypatch.setattr(pianoroll, "Recipe", lambda: SHORT)
    monkeypatch.setattr(pianoroll, "RollConfig", partial(RollConfig, hidden_size=8, head_size=8, window=4))
    return partial(run, "pianoroll", "--set", f"pianorolls={tmp_path}")


def test_set_is_written_after_set(tmp_path, study):
    write_set(tmp_path)
    write_set(tmp_path, "nottingham")
    assert study("--sets", "jsb", "--seeds", 2)[0] == 0
    assert study("--sets", "nottingham", "--seeds", 1)[0] == 0
    assert study("--sets", "jsb", "--seeds", 1, "--without", "copies")[0] == 0
    figures = json.loads((tmp_path / "pianoroll.json").read_text())
    jsb = figures["jsb"]
    assert jsb["autoregressive"] == pytest.approx(np.mean(jsb["autoregressive_seeds"]), abs=1e-3)
    assert jsb["independent_spread"] > 0 and figures["nottingham"]["independent_spread"] is None
    assert jsb["without_copies"]["independent"] != jsb["independent"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--set", "pianorolls=nowhere"], "imagemusic: error: nowhere: not there"),
        (["--sets", "jsb"], "JSB_Chorales.mat: not there"),
        (["--out", "damaged.json"], "imagemusic: error: damaged.json: not JSON"),
        (["--seeds", "0"], "--seeds must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(monkeypatch, tmp_path, study, words, line):
    monkeypatch.chdir(tmp_path)
    Path("damaged.json").write_text("{")
    status, _, err = study(*words)
    assert status == 1 and line in err and err.count("\n") == 1


def test_an_unknown_set_is_refused(capsys, study):
    with pytest.raises(SystemExit):
        study("--sets", "bach")
    assert "invalid choice: 'bach'" in capsys.readouterr().err
