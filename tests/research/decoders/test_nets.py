import pytest
import torch

from imagemusic.events.vocabulary import FIELDS
from imagemusic.model.decoder import DecoderState
from imagemusic.research.decoders import nets
from imagemusic.research.decoders.conditions import ConcatenatedCondition, FiLMCondition
from imagemusic.research.decoders.variants import VARIANTS, fitting_width, parameters_of
from imagemusic.training.batches import window_columns
from imagemusic.training.evaluation import to_tensors
from tests import tiny

NETS = sorted({variant.net for variant in VARIANTS.values() if variant.net}, key=lambda net: net.__name__)


def make(net, **changes):
    torch.manual_seed(0)
    return net(tiny.decoder(**changes).config).eval()


def columns(benchmark, length=40):
    piece = benchmark.training[0]
    rows = benchmark.prepared.rows[piece.start : piece.start + piece.rows]
    parts = window_columns(rows, piece.end, 0, length)
    return [to_tensors({name: values[None] for name, values in part.items()}) for part in parts]


def condition(net):
    return torch.linspace(-1, 1, net.config.condition_size)[None]


@pytest.mark.parametrize("kind", NETS)
@torch.no_grad()
def test_step_by_step_equals_one_pass(kind, benchmark):
    net = make(kind)
    before, _, _ = columns(benchmark)
    whole, end = net(before, condition(net), net.initial_state(condition(net)))
    state, steps = net.initial_state(condition(net)), []
    for now in range(40):
        heads, state = net({name: values[:, now : now + 1] for name, values in before.items()}, condition(net), state)
        steps.append(heads)
    torch.testing.assert_close(torch.cat(steps, dim=1), whole, rtol=1e-4, atol=1e-5)
    for stepped, passed in zip(state, end, strict=True):
        torch.testing.assert_close(stepped, passed, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", NETS)
@torch.no_grad()
def test_no_net_sees_what_comes_later(kind, benchmark):
    net = make(kind)
    before, _, _ = columns(benchmark)
    state = net.initial_state(condition(net))
    heads, _ = net(before, condition(net), state)
    changed = {name: values.clone() for name, values in before.items()}
    changed["pitch"][:, 20:] = 7
    again, _ = net(changed, condition(net), state)
    assert torch.equal(again[:, :20], heads[:, :20])
    assert not torch.allclose(again[:, 20:], heads[:, 20:])


@pytest.mark.parametrize("kind", NETS)
@torch.no_grad()
def test_a_net_heeds_its_condition(kind, benchmark):
    net = make(kind)
    before, _, _ = columns(benchmark)
    conditioned, null = (net(before, c, net.initial_state(c))[0] for c in (condition(net), 0 * condition(net)))
    assert not torch.allclose(conditioned, null)


@torch.no_grad()
def test_min_lstm_follows_its_recurrence():
    layer = nets.MinLSTMLayer(6, 0.0)
    x, memory = torch.randn(2, 9, 6), torch.rand(2, 6) + 0.1
    outputs, last = layer(x, memory)
    forget, enter, value = layer.gates(layer.norm(x)).chunk(3, dim=-1)
    forget, enter = forget.sigmoid(), enter.sigmoid()
    value = torch.where(value >= 0, value + 0.5, value.sigmoid())
    expected = []
    for now in range(9):
        memory = (forget[:, now] * memory + enter[:, now] * value[:, now]) / (forget[:, now] + enter[:, now])
        expected.append(memory)
    torch.testing.assert_close(last, memory, rtol=1e-4, atol=1e-5)
    middle = x + torch.stack(expected, dim=1)
    torch.testing.assert_close(outputs, middle + layer.mlp(middle), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_transformer_forgets_what_lies_beyond_its_span(benchmark, monkeypatch):
    monkeypatch.setattr(nets, "SPAN", 4)
    net = make(nets.TransformerDecoder, layers=1)
    before, _, _ = columns(benchmark)
    heads, _ = net(before, condition(net), net.initial_state(condition(net)))
    changed = {name: values.clone() for name, values in before.items()}
    changed["pitch"][:, 10] = 7
    again, _ = net(changed, condition(net), net.initial_state(condition(net)))
    moved = (again != heads).any(dim=-1)[0]
    assert moved[10:15].all() and not moved[:10].any() and not moved[15:].any()


@torch.no_grad()
def test_independent_heads_do_not_depend_on_each_other(benchmark):
    net = make(nets.IndependentHeads)
    before, target, _ = columns(benchmark)
    heads, _ = net(before, condition(net), net.initial_state(condition(net)))
    other = (
        target | {name: (target[name] + 1) % 16 for name in (*FIELDS, "place", "program")} | {"part": target["part"]}
    )
    for name, scores in net.logits(heads, target).items():
        assert torch.equal(net.logits(heads, other)[name], scores)


def test_fields_alone_reads_nothing_that_follows(benchmark):
    net = make(nets.FieldsAlone)
    before, target, _ = columns(benchmark)
    other, aside = dict(before), dict(target)
    for name in ("place", "bar", "program", "last_pitch", "chroma"):
        other[name] = torch.zeros_like(before[name])
    for name in ("place", "chroma", "program", "last_pitch", "last_duration", "last_velocity"):
        aside[name] = torch.zeros_like(target[name])
    with torch.no_grad():
        state = net.initial_state(condition(net))
        heads = net(before, condition(net), state)[0]
        assert torch.equal(net(other, condition(net), state)[0], heads)
        for name, scores in net.logits(heads, target).items():
            assert torch.equal(net.logits(heads, aside)[name], scores)


def test_ways_to_condition_have_the_widths_they_need():
    assert make(ConcatenatedCondition).lstm.input_size == 16 + 8
    assert make(FiLMCondition).to_input.out_features == 2 * 16


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_are_of_one_size(name, benchmark):
    def build(width):
        return VARIANTS[name].make(benchmark, width)

    with torch.device("meta"):
        assert abs(parameters_of(build(fitting_width(build, 4_000_000))) / 4e6 - 1) < 0.03


def test_states_have_the_batch_second():
    for kind in NETS:
        net = make(kind)
        state = net.initial_state(condition(net).expand(3, -1))
        assert isinstance(state, DecoderState)
        assert all(part.shape[1] == 3 for part in state)
