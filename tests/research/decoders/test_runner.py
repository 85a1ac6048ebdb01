import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from imagemusic.errors import ConfigError
from imagemusic.research.decoders import runner
from imagemusic.research.decoders.adapters import make_adapter
from imagemusic.research.decoders.dial_savings import dial_savings, other_pieces, segment_conditions
from imagemusic.research.decoders.runner import RunOptions, bits, run_variant
from imagemusic.research.decoders.speed import notes_per_second
from imagemusic.research.decoders.tables import markdown, tabulate
from imagemusic.research.decoders.variants import VARIANTS
from imagemusic.training.evaluation import piece_nats

OPTIONS = RunOptions(
    notes=600, parameters=80_000, validation_notes=1000, test_notes=1000, batch_size=3, window=32, validations=2
)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("imagemusic.research.decoders.variants.WIDTHS", range(8, 33, 8))
    monkeypatch.setattr("imagemusic.research.decoders.variants.HEAD_SIZE", 8)


def run(benchmark, folder, name="lstm", options=OPTIONS):
    return run_variant(benchmark, name, 0, options, folder, lambda line: None)


@pytest.mark.parametrize("name", ["lstm", "remi-bpe"])
def test_a_run_that_is_stopped_goes_on_to_the_same_numbers(name, benchmark, tmp_path, monkeypatch):
    whole = run(benchmark, tmp_path / "whole", name)
    monkeypatch.setattr(runner, "SAVE_SECONDS", 0)
    real, calls = bits, []

    def stopping(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(runner, "bits", stopping)
    with pytest.raises(KeyboardInterrupt):
        run(benchmark, tmp_path / "parts", name)
    monkeypatch.setattr(runner, "bits", real)
    again = run(benchmark, tmp_path / "parts", name)
    assert len(calls) == 2
    assert again["test"] == whole["test"] and again["curve"] == whole["curve"]


def test_training_helps(benchmark, tmp_path):
    untrained = make_adapter(benchmark, VARIANTS["lstm"], parameters=OPTIONS.parameters, seed=0)
    trained = run(benchmark, tmp_path, options=replace(OPTIONS, notes=3000))
    assert bits(trained["test"], benchmark.test) < bits(untrained.nats(benchmark.test), benchmark.test) - 1
    assert trained["curve"][-1][0] >= 3000 and len(trained["curve"]) == 2


def test_a_run_with_other_options_is_refused(benchmark, tmp_path):
    run(benchmark, tmp_path)
    with pytest.raises(ConfigError, match="notes 600, asked for 700"):
        run(benchmark, tmp_path, options=replace(OPTIONS, notes=700))


def test_the_benchmark_has_no_velocities_and_keeps_what_both_codecs_reproduce(benchmark):
    assert len(benchmark.training) == 4 and len(benchmark.test) == 1 and benchmark.coverage == 1
    assert not benchmark.prepared.rows["velocity"].any()
    assert all(benchmark.tokens["remi"].is_exact(benchmark.prepared.events(piece)) for piece in benchmark.training)
    adapter = make_adapter(benchmark, VARIANTS["lstm"], parameters=OPTIONS.parameters, seed=0)
    (_, nats, _), *_ = piece_nats(adapter.net, benchmark.prepared, benchmark.test)
    assert nats["velocity"] == 0 and adapter.nats(benchmark.test)[benchmark.test[0].id] == pytest.approx(
        sum(nats.values())
    )


def test_an_unconditional_variant_gets_null_conditions_and_a_conditional_one_does_not(benchmark):
    for name, is_conditional in (("lstm", False), ("none", False), ("add", True)):
        source = make_adapter(benchmark, VARIANTS[name], parameters=OPTIONS.parameters, seed=0).source
        batches = [source.batch(step) for step in range(4)]
        assert any(batch.condition.any() for batch in batches) is is_conditional
        assert not any(batch.before["remaining"].any() for batch in batches)


def test_a_setting_differs_from_the_lstm_in_that_alone(benchmark):
    def first(name):
        adapter = make_adapter(benchmark, VARIANTS[name], parameters=OPTIONS.parameters, seed=0)
        return adapter, adapter.source.batch(1)

    (usual, batch), (stateless, begun), (fast, same) = (
        first(name) for name in ("lstm", "lstm-fresh", "lstm-rate-double")
    )
    assert not batch.reset.all() and begun.reset.all()
    assert VARIANTS["lstm"].training == {} and VARIANTS["lstm-rate-double"].training == {"rate": 2.0}
    assert usual.rate == stateless.rate == fast.rate / 2 and usual.width == stateless.width == fast.width
    assert all(np.array_equal(batch.before[name], same.before[name]) for name in batch.before)


def test_all_adapters_read_about_as_many_notes_a_step(benchmark):
    seen = []
    for name in ("lstm", "remi"):
        adapter = make_adapter(benchmark, VARIANTS[name], parameters=OPTIONS.parameters, seed=0)
        state, notes = [], 0
        for step in range(12):
            _, state, more = adapter.loss(step, state)
            notes += more
        seen.append(notes)
    assert seen[0] == pytest.approx(seen[1], rel=0.3)


def test_conditions_cover_the_segments_of_a_piece(benchmark):
    piece = benchmark.training[0]
    right = segment_conditions(benchmark, [piece], [piece])
    assert right.shape == (1, math.ceil(piece.rows / 256) * 16, benchmark.layout.size)
    segments = math.ceil(piece.rows / 16)
    assert right[0, :segments].any(dim=1).all() and not right[0, segments:].any()
    swapped = segment_conditions(benchmark, [piece], [benchmark.training[1]])
    assert not torch.equal(right, swapped)


def test_another_piece_is_of_another_group(benchmark):
    pieces = benchmark.training
    chosen = other_pieces(pieces)
    assert all(pieces[i].group != piece.group for i, piece in zip(chosen, pieces, strict=True))


def test_dials_that_do_not_reach_the_net_save_nothing(benchmark):
    adapter = make_adapter(benchmark, VARIANTS["add"], parameters=OPTIONS.parameters, seed=0)
    for name in ("condition", "to_input", "condition_to_heads", "to_hidden", "to_cell"):
        torch.nn.init.zeros_(getattr(adapter.net, name).weight)
    found = dial_savings(adapter.net, benchmark)
    assert found["null"]["all"]["value"] == pytest.approx(0, abs=1e-6)
    assert found["right_bits_per_note"] == pytest.approx(bits(adapter.nats(benchmark.test), benchmark.test), rel=1e-4)


@pytest.mark.parametrize("name", ["transformer", "remi"])
def test_speed_is_measured(name, benchmark, monkeypatch):
    monkeypatch.setattr("imagemusic.research.decoders.speed.WARM_UP", 2)
    monkeypatch.setattr("imagemusic.research.decoders.speed.ROWS", 20)
    net = VARIANTS[name].make(benchmark, 16)
    assert notes_per_second(net, benchmark, benchmark.training[0], benchmark.tokens.get(VARIANTS[name].tokens)) > 1


def test_a_table_of_some_runs_names_the_others(benchmark, tmp_path):
    for name in ("lstm", "remi", "none", "add"):
        run(benchmark, tmp_path, name)
    figures = tabulate(benchmark, tmp_path, OPTIONS)
    assert set(figures["variants"]) == {"lstm", "remi", "none", "add"}
    assert "gru" in figures["missing"] and "lstm" not in figures["missing"]
    found = json.loads((tmp_path / "remi-0" / "result.json").read_text())["test"]
    notes = sum(piece.notes for piece in benchmark.test)
    assert figures["variants"]["remi"]["test_bits_per_note"] == pytest.approx(
        sum(found.values()) / np.log(2) / notes, abs=1e-4
    )
    table = markdown(figures)
    assert "| `remi` |" in table and "`add`, swapped" in table and "Not run: " in table
