"""Tracing, units and memory, on a tiny decoder."""

import numpy as np
import pytest
import torch

from imagemusic.music.score import ONSET
from imagemusic.research.inspection.excerpts import columns
from imagemusic.research.inspection.memory import by_note, divergences, gradients
from imagemusic.research.inspection.tracing import feed_of, run_layer, trace
from imagemusic.research.inspection.units import highest_activations, most_selective, passage
from imagemusic.training.evaluation import to_tensors
from tests import tiny


@pytest.fixture(scope="module", params=[{}, tiny.WINNER], ids=["plain", "winner"])
def decoder(request):
    return tiny.decoder(**request.param)


@pytest.fixture(scope="module")
def tables(excerpts):
    return tuple(to_tensors(table) for table in columns(excerpts))


@pytest.fixture(scope="module")
def condition(decoder, excerpts):
    return torch.randn(len(excerpts), decoder.config.condition_size, generator=torch.Generator().manual_seed(0))


def test_the_layers_written_out_equal_those_of_torch(decoder, tables, condition):
    state = decoder.initial_state(condition)
    with torch.no_grad():
        fed = feed_of(decoder, tables[0], condition, state)
        outputs, _ = decoder.lstm(fed, tuple(state))
        stream = fed
        for layer in range(decoder.config.layers):
            said, gates = run_layer(decoder.lstm, layer, fed, state)
            stream, fed = decoder.lstm.add(layer, stream, said) if decoder.config.residual else (said, said)
    assert torch.allclose(fed, outputs, atol=1e-5)
    assert len(gates) == 3
    assert all(gate.min() > 0 and gate.max() < 1 for gate in gates)


def test_a_trace_averages_the_steps_that_count(decoder, tables, condition):
    counts = np.zeros(tables[0]["part"].shape, bool)
    counts[:, 3] = True
    traced = trace(decoder, tables[0], condition, counts)
    assert traced.hidden.shape == (2, *counts.shape, 16)
    with torch.no_grad():
        _, gates = run_layer(decoder.lstm, 0, torch.from_numpy(traced.inputs), decoder.initial_state(condition))
    assert traced.gates[0, 1] == pytest.approx(gates[1][:, 3].mean(0).numpy(), abs=1e-6)
    assert ((traced.shut >= 0) & (traced.shut + traced.open <= 1)).all()


def test_the_same_condition_makes_no_difference(decoder, tables, condition):
    (found,) = divergences(decoder, *tables, condition, {"same": (condition, condition)}).values()
    assert np.abs(found).max() < 1e-4


def test_another_condition_makes_one_and_another_start_fades(decoder, tables, condition):
    others = condition.roll(1, 0)
    found = divergences(decoder, *tables, condition, {"all": (others, others), "start": (others, condition)})
    assert (found["all"] > -1e-5).all()
    whole, start = (found[name][:, -8:].mean() for name in ("all", "start"))
    assert start < whole / 4
    assert found["start"][:, :2].mean() > 4 * start


def test_notes_are_gathered_by_their_number():
    values = np.arange(8, dtype=np.float32).reshape(2, 4)
    is_note = np.array([[False, True, False, True], [True, False, False, False]])
    gathered = by_note(values, is_note, 3)
    assert gathered[:, :2].tolist()[0] == [1, 3]
    assert gathered[1, 0] == 4
    assert np.isnan(gathered).tolist() == [[False, False, True], [False, True, True]]


def test_the_last_input_has_the_largest_gradient(decoder, tables, condition):
    norms = gradients(decoder, *tables, condition, 20)
    assert norms.shape == (len(condition), 21)
    assert (norms >= 0).all()
    assert norms[:, 0].mean() > 3 * norms[:, 20].mean()


def test_the_unit_that_depends_on_the_label_is_found(steps_of):
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(2, 12, 10, 5)).astype(np.float32)
    labels = rng.integers(3, size=(12, 10))
    hidden[1, :, :, 4] = 0.1 * hidden[1, :, :, 4] - 2 * (labels == 1)
    unit = most_selective(hidden, labels, steps_of(12, 10), 4)
    assert (unit.layer, unit.number, unit.direction) == (1, 4, -1)
    assert unit.explained > 0.9
    assert int(unit.by_class[:3].argmin()) == 1
    assert np.isnan(unit.by_class[3])


def test_a_single_class_has_no_unit(steps_of):
    assert most_selective(np.zeros((1, 6, 4, 2), np.float32), np.zeros((6, 4), int), steps_of(6, 4), 3) is None


def test_the_highest_activations_are_of_different_pieces():
    activation = np.zeros((4, 5), np.float32)
    activation[2, 3], activation[0, 1], activation[3, 4] = 5, 3, 9
    counts = np.ones((4, 5), bool)
    counts[3] = False
    assert highest_activations(activation, counts) == [(2, 3), (0, 1), (1, 0)]


def test_a_passage_ends_at_its_step(excerpts):
    excerpt = excerpts[0]
    score = passage(excerpt, len(excerpt.rows) - 1)
    assert score.note_count > 3
    assert min(int(track.notes[0, ONSET]) for track in score.tracks) >= 0
    assert score.end <= 384 + 24
