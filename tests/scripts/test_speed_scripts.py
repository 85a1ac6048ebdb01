"""The scripts that measure the engines measure what they say."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from imagemusic.data.prepared import PreparedSet
from imagemusic.events.vocabulary import FIELDS
from imagemusic.generation.backends import DEFAULT
from imagemusic.training.evaluation import bits_per_note, piece_nats
from tests import tiny

SCRIPTS = Path(__file__).parents[2] / "scripts"
sys.path.append(str(SCRIPTS))  # as scripts find each other


def load(name):
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    tiny.write_prepared(folder)
    return folder / "prepared"


def test_engines_cost_the_bits_that_evaluation_measures(tiny_checkpoint, prepared, tmp_path, monkeypatch, capsys):
    from imagemusic.checkpoint import open_checkpoint
    from imagemusic.training.loading import load_decoder

    words = ["--prepared", prepared, "--checkpoint", tiny_checkpoint, "--split", "validation", "--events", 400,
             "--sampled", 5, "--alone", 3]  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["compare_engines", *map(str, words), "--out", str(tmp_path / "engines.json")])
    assert load("compare_engines").main() == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures == {key: value for key, value in json.loads((tmp_path / "engines.json").read_text()).items()
                       if key != "how"}  # fmt: skip
    pieces = [piece for piece in PreparedSet.open(prepared) if piece.split == "validation"]
    ((_, nats, _),) = piece_nats(load_decoder(open_checkpoint(tiny_checkpoint)), PreparedSet.open(prepared), pieces)
    expected = sum(nats[name] for name in FIELDS) / np.log(2) / pieces[0].notes
    for measured in figures["engines"].values():
        assert measured["bits_per_note"] == pytest.approx(expected, rel=1e-3)
    assert bits_per_note([nats], pieces)["total"] <= expected  # without velocity
    assert figures["composed"]["onnx"] == {"sampled": 5, "same_as_the_first": 5, "written_alone": 3, "same_alone": 3}
    assert figures["composed"]["torch"]["same_as_the_first"] >= 4
    assert figures["composed"]["int8"]["same_alone"] == 3
    assert figures["engines"]["onnx"]["rise"] == 0
    assert figures["engines"]["torch"]["largest_difference"] < 1e-4
    assert 0 < figures["engines"]["int8"]["largest_difference"] < 0.1


def test_engines_are_not_compared_on_what_is_not_prepared(tiny_checkpoint, tmp_path, monkeypatch, capsys):
    words = ["--prepared", tmp_path, "--checkpoint", tiny_checkpoint, "--out", tmp_path / "engines.json"]
    monkeypatch.setattr(sys, "argv", ["compare_engines", *map(str, words)])
    assert load("compare_engines").main() == 1
    assert capsys.readouterr().err.startswith("compare_engines: error: ")


def test_the_last_line_of_the_benchmark_holds_the_headlines(tiny_checkpoint, tmp_path, monkeypatch, capsys):
    script = load("benchmark_speed")
    monkeypatch.setattr(script, "REPEATS", 1)
    monkeypatch.setattr(script, "BATCHES", {1: (1, 4.0), 8: (3, 4.0), 64: (9, 4.0)})
    out = tmp_path / "speed.json"
    monkeypatch.setattr(sys, "argv", ["speed", "--checkpoint", str(tiny_checkpoint), "--out", str(out)])
    assert script.main() == 0
    headlines = json.loads(capsys.readouterr().out.splitlines()[-1])
    for name in ("batch1_notes_per_second", "guided_notes_per_second", "batch64_notes_per_second", "step_ms",
                 "floor_ratio", "window_ratio", "first_note_ms", "peak_bytes"):  # fmt: skip
        assert headlines[name] > 0, name
    figures = json.loads(out.read_text())
    assert headlines.items() <= figures.items()
    assert set(figures["notes_per_second"]) == {"onnx", "int8", "torch"}
    assert figures["steps"]["onnx"]["recurrent_bytes"] == 3 * 4 * 16 * 16 * 4  # two matrices above, one below
    steps = figures["steps"][DEFAULT]
    assert steps["ratio"] == pytest.approx(steps["step_ms"] / steps["floor_ms"])
    assert headlines["floor_ratio"] == steps["ratio"]
    assert steps["with_heads_ms"] > 0


def test_reading_takes_time():
    bandwidth = load("benchmark_speed").read_bandwidth(1 << 20)
    assert 1e8 < bandwidth < 1e13  # bytes a second, on any machine
