"""What a decoder learns beside the next note."""

import math
from dataclasses import replace

import pytest
import torch

from imagemusic.music.dials import DIALS
from imagemusic.research.decoders import variants
from imagemusic.research.decoders.aims import TellingDecoder, contrast, others_conditions, window_nats
from imagemusic.research.decoders.learners import make_learner
from imagemusic.training.evaluation import to_tensors
from tests import tiny

COUNT = len(DIALS)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(variants, "WIDTHS", range(8, 33, 8))
    monkeypatch.setattr(variants, "HEAD_SIZE", 8)


def told(layout, stretches, **dials):
    """Conditions (1, S, C) that give some dials, a value for each stretch."""
    condition = torch.zeros(1, stretches, layout.size)
    for name, values in dials.items():
        place = layout.embedding_size + 1 + DIALS.index(name)
        condition[0, :, place] = layout.dial_scale * torch.tensor(values)
        condition[0, :, place + COUNT] = 1
    return condition


def test_guesses_count_for_the_dials_that_were_told_and_in_their_stretch():
    net = TellingDecoder(tiny.decoder().config).eval().requires_grad_(False)
    net.to_dials.weight.zero_()
    net.to_dials.bias.fill_(0.5)
    net.outputs = torch.zeros(1, 8, net.config.hidden_size)
    layout = tiny.layout()
    all_rows, first_six = torch.ones(1, 8), torch.tensor([[1.0] * 6 + [0.0] * 2])
    assert net.guess_error(told(layout, 2, mode=[0.5, 0.5]), all_rows, layout) == pytest.approx(0)
    assert net.guess_error(told(layout, 2, mode=[0.5, -0.5]), all_rows, layout) == pytest.approx(1 / 2)
    assert net.guess_error(told(layout, 2, mode=[0.5, -0.5]), first_six, layout) == pytest.approx(1 / 3)
    both = told(layout, 2, mode=[0.5, -0.5], tempo=[0.5, 0.5])
    assert net.guess_error(both, all_rows, layout) == pytest.approx(1 / 4)
    assert net.guess_error(told(layout, 2), all_rows, layout) == 0


def test_nats_of_windows_add_up_to_the_loss(bench):
    learner = make_learner(bench, variants.VARIANTS["film-heads"], parameters=80_000, seed=0)
    batch = learner.source.batch(0)
    before, target, weights = (to_tensors(part) for part in (batch.before, batch.target, batch.weights))
    condition = torch.from_numpy(batch.condition)
    with torch.no_grad():
        heads, _ = learner.net.eval()(before, condition, learner.net.initial_state(condition[:, 0]))
        nats, _ = learner.net.loss(heads, target, weights)
        windows = window_nats(learner.net, heads, target, weights)
    assert windows.shape == (len(batch.fresh),)
    assert float(windows.sum()) == pytest.approx(float(sum(nats.values())), rel=1e-4)


def test_telling_the_own_condition_costs_a_bit_where_both_fit_alike_and_nothing_where_the_other_does_not():
    assert contrast(torch.tensor([5.0]), torch.tensor([5.0])) == pytest.approx(math.log(2))
    assert contrast(torch.tensor([5.0]), torch.tensor([45.0])) == pytest.approx(0, abs=1e-6)
    assert contrast(torch.tensor([45.0]), torch.tensor([5.0])) == pytest.approx(40, rel=1e-3)
    assert others_conditions(torch.arange(3.0)[:, None, None]).flatten().tolist() == [2, 0, 1]


@pytest.mark.parametrize("aim", ["auxiliary", "contrast"])
def test_an_aim_adds_to_the_loss_and_reaches_what_hears_the_condition(aim, bench):
    variant = variants.VARIANTS[f"film-heads-{aim}"]
    with_aim, without = (
        make_learner(bench, one, parameters=80_000, seed=0) for one in (variant, replace(variant, aim=""))
    )
    losses = []
    for learner in (with_aim, without):
        learner.net.eval()
        loss, _, _ = learner.loss(0, [])
        loss.backward()
        losses.append(loss.item())
    assert losses[0] > losses[1] + 0.01
    assert not torch.equal(with_aim.net.condition.weight.grad, without.net.condition.weight.grad)


def test_the_other_s_condition_also_sets_the_first_state(bench, monkeypatch):
    """Told to the first state alone, another's condition must cost other nats than the own one."""
    variant = replace(variants.VARIANTS["initial"], aim="contrast")
    learner = make_learner(bench, variant, parameters=80_000, seed=0)
    learner.net.eval()
    seen = []
    monkeypatch.setattr(
        "imagemusic.research.decoders.learners.contrast", lambda own, other: seen.append((own, other)) or own.sum() * 0
    )
    learner.loss(0, [])
    own, other = seen[0]
    assert not torch.allclose(own, other)
