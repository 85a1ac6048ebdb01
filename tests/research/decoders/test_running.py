import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from imagemusic.errors import ConfigError
from imagemusic.research.decoders import running
from imagemusic.research.decoders.conditioned import dial_savings, others, told
from imagemusic.research.decoders.learners import make_learner
from imagemusic.research.decoders.running import RunOptions, bits, run_variant
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


def run(bench, folder, name="lstm", options=OPTIONS):
    return run_variant(bench, name, 0, options, folder, lambda line: None)


@pytest.mark.parametrize("name", ["lstm", "remi-bpe"])
def test_a_run_that_is_stopped_goes_on_to_the_same_numbers(name, bench, tmp_path, monkeypatch):
    whole = run(bench, tmp_path / "whole", name)
    monkeypatch.setattr(running, "SAVE_SECONDS", 0)
    real, calls = bits, []

    def stopping(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(running, "bits", stopping)
    with pytest.raises(KeyboardInterrupt):
        run(bench, tmp_path / "parts", name)
    monkeypatch.setattr(running, "bits", real)
    again = run(bench, tmp_path / "parts", name)
    assert len(calls) == 2
    assert again["test"] == whole["test"] and again["curve"] == whole["curve"]


def test_training_helps(bench, tmp_path):
    untrained = make_learner(bench, VARIANTS["lstm"], parameters=OPTIONS.parameters, seed=0)
    trained = run(bench, tmp_path, options=replace(OPTIONS, notes=3000))
    assert bits(trained["test"], bench.test) < bits(untrained.nats(bench.test), bench.test) - 1
    assert trained["curve"][-1][0] >= 3000 and len(trained["curve"]) == 2


def test_a_run_with_other_options_is_refused(bench, tmp_path):
    run(bench, tmp_path)
    with pytest.raises(ConfigError, match="notes 600, asked for 700"):
        run(bench, tmp_path, options=replace(OPTIONS, notes=700))


def test_the_rate_rises_and_falls():
    rates = [OPTIONS.rate(seen) for seen in (0, 15, 30, 300, 600, 700)]
    assert rates[0] < rates[1] < rates[2] == pytest.approx(OPTIONS.learning_rate)
    assert rates[2] > rates[3] > rates[4] == rates[5] == pytest.approx(0.02 * OPTIONS.learning_rate)


def test_the_bench_leaves_loudness_out_and_keeps_what_both_codecs_reproduce(bench):
    assert len(bench.training) == 4 and len(bench.test) == 1 and bench.coverage == 1
    assert not bench.prepared.rows["velocity"].any()
    assert all(bench.tokens["remi"].is_exact(bench.prepared.events(piece)) for piece in bench.training)
    learner = make_learner(bench, VARIANTS["lstm"], parameters=OPTIONS.parameters, seed=0)
    (_, nats, _), *_ = piece_nats(learner.net, bench.prepared, bench.test)
    assert nats["velocity"] == 0 and learner.nats(bench.test)[bench.test[0].id] == pytest.approx(sum(nats.values()))


def test_an_untold_variant_sees_no_condition_and_a_told_one_does(bench):
    for name, is_told in (("lstm", False), ("none", False), ("add", True)):
        source = make_learner(bench, VARIANTS[name], parameters=OPTIONS.parameters, seed=0).source
        batches = [source.batch(step) for step in range(4)]
        assert any(batch.condition.any() for batch in batches) is is_told
        assert not any(batch.before["remaining"].any() for batch in batches)


def test_a_setting_differs_from_the_lstm_in_that_alone(bench):
    def first(name):
        learner = make_learner(bench, VARIANTS[name], parameters=OPTIONS.parameters, seed=0)
        return learner, learner.source.batch(1)

    (usual, batch), (fresh, begun), (fast, same) = (first(name) for name in ("lstm", "lstm-fresh", "lstm-rate-double"))
    assert not batch.fresh.all() and begun.fresh.all()
    assert VARIANTS["lstm"].training == {} and VARIANTS["lstm-rate-double"].training == {"rate": 2.0}
    assert usual.rate == fresh.rate == fast.rate / 2 and usual.width == fresh.width == fast.width
    assert all(np.array_equal(batch.before[name], same.before[name]) for name in batch.before)


def test_every_learner_reads_about_as_many_notes_a_step(bench):
    seen = []
    for name in ("lstm", "remi"):
        learner = make_learner(bench, VARIANTS[name], parameters=OPTIONS.parameters, seed=0)
        state, notes = [], 0
        for step in range(12):
            _, state, more = learner.loss(step, state)
            notes += more
        seen.append(notes)
    assert seen[0] == pytest.approx(seen[1], rel=0.3)


def test_conditions_of_stretches_reach_the_stretch(bench):
    piece = bench.training[0]
    right = told(bench, [piece], [piece])
    assert right.shape == (1, math.ceil(piece.rows / 256) * 16, bench.layout.size)
    stretches = math.ceil(piece.rows / 16)
    assert right[0, :stretches].any(dim=1).all() and not right[0, stretches:].any()
    swapped = told(bench, [piece], [bench.training[1]])
    assert not torch.equal(right, swapped)


def test_another_piece_is_of_another_group(bench):
    pieces = bench.training
    chosen = others(pieces)
    assert all(pieces[i].group != piece.group for i, piece in zip(chosen, pieces, strict=True))


def test_dials_that_a_net_cannot_hear_save_nothing(bench):
    learner = make_learner(bench, VARIANTS["add"], parameters=OPTIONS.parameters, seed=0)
    for name in ("condition", "to_input", "condition_to_heads", "to_hidden", "to_cell"):
        torch.nn.init.zeros_(getattr(learner.net, name).weight)
    found = dial_savings(learner.net, bench)
    assert found["null"]["all"]["value"] == pytest.approx(0, abs=1e-6)
    assert found["right_bits_per_note"] == pytest.approx(bits(learner.nats(bench.test), bench.test), rel=1e-4)


@pytest.mark.parametrize("name", ["transformer", "remi"])
def test_speed_is_measured(name, bench, monkeypatch):
    monkeypatch.setattr("imagemusic.research.decoders.speed.WARM_UP", 2)
    monkeypatch.setattr("imagemusic.research.decoders.speed.ROWS", 20)
    net = VARIANTS[name].make(bench, 16)
    assert notes_per_second(net, bench, bench.training[0], bench.tokens.get(VARIANTS[name].tokens)) > 1


def test_a_table_of_some_runs_names_the_others(bench, tmp_path):
    for name in ("lstm", "remi", "none", "add"):
        run(bench, tmp_path, name)
    figures = tabulate(bench, tmp_path, OPTIONS)
    assert set(figures["variants"]) == {"lstm", "remi", "none", "add"}
    assert "gru" in figures["missing"] and "lstm" not in figures["missing"]
    found = json.loads((tmp_path / "remi-0" / "result.json").read_text())["test"]
    notes = sum(piece.notes for piece in bench.test)
    assert figures["variants"]["remi"]["test_bits_per_note"] == pytest.approx(
        sum(found.values()) / np.log(2) / notes, abs=1e-4
    )
    table = markdown(figures)
    assert "| `remi` |" in table and "`add`, swapped" in table and "Not run: " in table
