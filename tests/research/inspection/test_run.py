"""`imagemusic inspect` from MIDI files to a page."""

import json
import re

import pytest

from imagemusic.commands import cli
from imagemusic.errors import ConfigError
from imagemusic.music.midi import save_midi
from imagemusic.research.inspection.run import InspectOptions
from tests import tiny


@pytest.fixture(scope="module")
def midi(tmp_path_factory):
    folder = tmp_path_factory.mktemp("songs")
    for number in range(12):
        save_midi(tiny.tune(number), folder / f"{number}.mid")
    return sorted(map(str, folder.glob("*.mid")))


def test_a_report_needs_nothing_else_and_says_everything(tiny_checkpoint, midi, tmp_path, capsys):
    arguments = ["inspect", str(tiny_checkpoint), "--midi", *midi, "--out", str(tmp_path / "out"), "--events", "48"]
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out == f"{tmp_path}/out/index.html\n"
    page = (tmp_path / "out" / "index.html").read_text()
    assert not re.search(r"https?:|<script|<link", page)
    assert page.count("<h2>") == 5
    figures = json.loads((tmp_path / "out" / "inspect.json").read_text())
    assert figures["pieces"] == 12
    assert list(figures["probes"]["classes"]["key"]) == ["input", "layer 1", "layer 2"]
    assert figures["probes"]["classes"]["instrument"]["input"]["value"] > 0.8
    assert figures["units"].keys() <= figures["probes"]["classes"].keys()
    assert [row["from"] for row in figures["first_state"]["bits"]["no start"]] == [1, 2, 4, 8, 16, 32]
    assert 0 < figures["gates"]["layer 1"]["forget"]["mean"] < 1
    assert sum(figures["gates"]["layer 2"]["input"]["histogram"]) == pytest.approx(1)
    assert figures["gradients"]["pieces"] == 12


def test_too_few_files_are_refused(tiny_checkpoint, midi, tmp_path, capsys):
    assert cli.main(["inspect", str(tiny_checkpoint), "--midi", *midi[:3], "--out", str(tmp_path / "out")]) == 1
    assert "3 MIDI files with notes, need 10 or more" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("changes", [{"pieces": 9}, {"events": 8}, {"events": 5000}])
def test_settings_out_of_range_are_refused(changes):
    with pytest.raises(ConfigError, match=r"pieces must be 10 or more and events in 32\.\.4096"):
        InspectOptions(**changes)
