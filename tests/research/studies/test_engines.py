"""The studies of the backends measure what they say."""

import json

import numpy as np
import pytest

from imagemusic.data.prepared import PreparedSet
from imagemusic.events.vocabulary import FIELDS
from imagemusic.generation.backends import DEFAULT
from imagemusic.research.studies.speed import read_bandwidth
from imagemusic.training.evaluation import bits_per_note, piece_nats
from tests import tiny


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    tiny.write_prepared(folder)
    return folder / "prepared"


def test_engines_cost_the_bits_that_evaluation_measures(tiny_checkpoint, prepared, tmp_path, run):
    from imagemusic.checkpoint import open_checkpoint
    from imagemusic.training.loading import load_decoder

    words = ["--set", f"prepared={prepared}", "--checkpoint", tiny_checkpoint, "--split", "validation"]
    status, out, _ = run("engines", *words, "--events", 400, "--sampled", 5, "--alone", 3)
    assert status == 0 and "**engines**" in out
    figures = json.loads((tmp_path / "engines.json").read_text())
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


def test_engines_are_not_compared_on_a_set_that_is_not_prepared(tiny_checkpoint, tmp_path, run):
    status, _, err = run("engines", "--set", f"prepared={tmp_path}", "--checkpoint", tiny_checkpoint)
    assert status == 1 and "no prepared set here" in err and err.count("\n") == 1


def test_the_headlines_are_those_of_the_default_backend(tiny_checkpoint, tmp_path, run):
    assert run("speed", "--quick", "--checkpoint", tiny_checkpoint)[0] == 0
    figures = json.loads((tmp_path / "speed.json").read_text())
    for name in ("batch1_notes_per_second", "guided_notes_per_second", "batch64_notes_per_second", "step_ms",
                 "floor_ratio", "window_ratio", "first_note_ms", "peak_bytes"):  # fmt: skip
        assert figures[name] > 0, name
    assert set(figures["notes_per_second"]) == {"onnx", "int8", "torch"}
    assert figures["steps"]["onnx"]["recurrent_bytes"] == 3 * 4 * 16 * 16 * 4  # two matrices above, one below
    steps = figures["steps"][DEFAULT]
    assert steps["ratio"] == pytest.approx(steps["step_ms"] / steps["floor_ms"])
    assert figures["floor_ratio"] == steps["ratio"]
    assert steps["with_heads_ms"] > 0


def test_reading_takes_time():
    assert 1e8 < read_bandwidth(1 << 20) < 1e13  # bytes a second, on any machine
