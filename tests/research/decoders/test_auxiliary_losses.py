"""What a decoder learns beside the next note."""

import math
from dataclasses import replace

import pytest
import torch

from imagemusic.music.dials import DIALS
from imagemusic.research.decoders import variants
from imagemusic.research.decoders.adapters import make_adapter
from imagemusic.research.decoders.auxiliary_losses import (
    DialPredictingDecoder,
    contrastive_loss,
    shifted_conditions,
    window_nats,
)
from imagemusic.training.evaluation import to_tensors
from tests import tiny

COUNT = len(DIALS)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(variants, "WIDTHS", range(8, 33, 8))
    monkeypatch.setattr(variants, "HEAD_SIZE", 8)


def conditions(layout, segments, **dials):
    """Conditions (1, S, C) that give some dials, a value for each stretch."""
    condition = torch.zeros(1, segments, layout.size)
    for name, values in dials.items():
        place = layout.embedding_size + 1 + DIALS.index(name)
        condition[0, :, place] = layout.dial_scale * torch.tensor(values)
        condition[0, :, place + COUNT] = 1
    return condition


def test_predicted_dials_count_where_given_and_in_their_segment():
    net = DialPredictingDecoder(tiny.decoder().config).eval().requires_grad_(False)
    net.to_dials.weight.zero_()
    net.to_dials.bias.fill_(0.5)
    net.outputs = torch.zeros(1, 8, net.config.hidden_size)
    layout = tiny.layout()
    all_rows, first_six = torch.ones(1, 8), torch.tensor([[1.0] * 6 + [0.0] * 2])
    assert net.dial_loss(conditions(layout, 2, mode=[0.5, 0.5]), all_rows, layout) == pytest.approx(0)
    assert net.dial_loss(conditions(layout, 2, mode=[0.5, -0.5]), all_rows, layout) == pytest.approx(1 / 2)
    assert net.dial_loss(conditions(layout, 2, mode=[0.5, -0.5]), first_six, layout) == pytest.approx(1 / 3)
    both = conditions(layout, 2, mode=[0.5, -0.5], tempo=[0.5, 0.5])
    assert net.dial_loss(both, all_rows, layout) == pytest.approx(1 / 4)
    assert net.dial_loss(conditions(layout, 2), all_rows, layout) == 0


def test_nats_of_windows_add_up_to_the_loss(benchmark):
    adapter = make_adapter(benchmark, variants.VARIANTS["film-heads"], parameters=80_000, seed=0)
    batch = adapter.source.batch(0)
    before, target, weights = (to_tensors(part) for part in (batch.before, batch.target, batch.weights))
    condition = torch.from_numpy(batch.condition)
    with torch.no_grad():
        heads, _ = adapter.net.eval()(before, condition, adapter.net.initial_state(condition[:, 0]))
        nats, _ = adapter.net.loss(heads, target, weights)
        windows = window_nats(adapter.net, heads, target, weights)
    assert windows.shape == (len(batch.reset),)
    assert float(windows.sum()) == pytest.approx(float(sum(nats.values())), rel=1e-4)


def test_the_contrastive_loss_is_a_bit_for_equal_windows_and_nothing_for_a_much_worse_negative():
    assert contrastive_loss(torch.tensor([5.0]), torch.tensor([5.0])) == pytest.approx(math.log(2))
    assert contrastive_loss(torch.tensor([5.0]), torch.tensor([45.0])) == pytest.approx(0, abs=1e-6)
    assert contrastive_loss(torch.tensor([45.0]), torch.tensor([5.0])) == pytest.approx(40, rel=1e-3)
    assert shifted_conditions(torch.arange(3.0)[:, None, None]).flatten().tolist() == [2, 0, 1]


@pytest.mark.parametrize("auxiliary", ["auxiliary", "contrast"])
def test_an_auxiliary_loss_adds_to_the_loss_and_reaches_the_condition_layers(auxiliary, benchmark):
    variant = variants.VARIANTS[f"film-heads-{auxiliary}"]
    with_aim, without = (
        make_adapter(benchmark, one, parameters=80_000, seed=0) for one in (variant, replace(variant, auxiliary=""))
    )
    losses = []
    for adapter in (with_aim, without):
        adapter.net.eval()
        loss, _, _ = adapter.loss(0, [])
        loss.backward()
        losses.append(loss.item())
    assert losses[0] > losses[1] + 0.01
    assert not torch.equal(with_aim.net.condition.weight.grad, without.net.condition.weight.grad)


def test_the_negative_condition_also_sets_the_first_state(benchmark, monkeypatch):
    """Told to the first state alone, another's condition must cost other nats than the own one."""
    variant = replace(variants.VARIANTS["initial"], auxiliary="contrast")
    adapter = make_adapter(benchmark, variant, parameters=80_000, seed=0)
    adapter.net.eval()
    seen = []
    monkeypatch.setattr(
        "imagemusic.research.decoders.adapters.contrastive_loss",
        lambda own, other: seen.append((own, other)) or own.sum() * 0,
    )
    adapter.loss(0, [])
    own, other = seen[0]
    assert not torch.allclose(own, other)
