import json
from dataclasses import asdict, replace

import pytest
import torch

from imagemusic.events.vocabulary import FIELDS
from imagemusic.model.decoder import DecoderConfig, multi_hot
from imagemusic.training.batches import BEFORE, TARGET, field_weights
from tests import tiny


def random_columns(names, batch=2, length=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    sizes = tiny.SIZES | {"remaining": 64}
    return {name: torch.randint(0, sizes[name], (batch, length), generator=generator) for name in names}


@pytest.fixture(scope="module", params=[{}, tiny.WINNER], ids=["plain", "winner"])
def decoder(request):
    return tiny.decoder(**request.param)


@pytest.fixture
def condition(decoder):
    return torch.randn(2, decoder.config.condition_size)


def test_settings_come_back_from_json_and_those_of_before_are_read(decoder):
    table = json.loads(json.dumps(asdict(decoder.config)))
    assert DecoderConfig.from_json(table) == decoder.config
    older = {name: value for name, value in table.items() if name != "event_dropout"}
    older |= {"forget_events": 0.1, "drums": 128, "no_pitch": 128}
    assert DecoderConfig.from_json(older) == replace(decoder.config, event_dropout=0.1)


@pytest.mark.parametrize("table", [{"drums": 127}, {"widths": 3}, {}])
def test_settings_of_another_decoder_are_refused(decoder, table):
    shape = asdict(decoder.config) if table else {}
    with pytest.raises(TypeError):
        DecoderConfig.from_json(shape | table)


def test_step_by_step_equals_one_pass(decoder, condition):
    before = random_columns(BEFORE)
    whole, last = decoder(before, condition, decoder.initial_state(condition))
    state, steps = decoder.initial_state(condition), []
    for i in range(whole.shape[1]):
        hidden, state = decoder({name: column[:, i : i + 1] for name, column in before.items()}, condition, state)
        steps.append(hidden)
    torch.testing.assert_close(torch.cat(steps, dim=1), whole)
    torch.testing.assert_close(state, last)


def test_padding_after_the_end_changes_nothing_before_it(decoder, condition):
    before, padded = random_columns(BEFORE), random_columns(BEFORE, length=12, seed=1)
    padded = {name: torch.cat([before[name], padded[name]], dim=1) for name in before}
    short, _ = decoder(before, condition, decoder.initial_state(condition))
    long, _ = decoder(padded, condition, decoder.initial_state(condition))
    torch.testing.assert_close(long[:, :7], short)


def test_a_piece_does_not_depend_on_its_neighbours_in_a_batch(decoder, condition):
    before = random_columns(BEFORE)
    both, _ = decoder(before, condition, decoder.initial_state(condition))
    alone, _ = decoder(
        {name: column[:1] for name, column in before.items()}, condition[:1], decoder.initial_state(condition[:1])
    )
    torch.testing.assert_close(both[:1], alone)


@pytest.mark.parametrize(("field", "reaches"), [(name, FIELDS[i + 1 :]) for i, name in enumerate(FIELDS)])
def test_a_field_sees_only_the_fields_before_it(decoder, field, reaches):
    event = random_columns(TARGET)
    changed = event | {field: (event[field] + 1) % tiny.SIZES[field]}
    heads = torch.randn(2, 7, len(FIELDS) * decoder.config.head_size)
    before, after = decoder.logits(heads, event), decoder.logits(heads, changed)
    assert {name for name in FIELDS if not torch.equal(before[name], after[name])} == set(reaches)


def test_the_condition_reaches_every_layer_of_the_first_state(decoder):
    one, other = torch.randn(2, 1, decoder.config.condition_size)
    for a, b in zip(decoder.initial_state(one), decoder.initial_state(other), strict=True):
        assert a.shape == (decoder.config.layers, 1, decoder.config.hidden_size)
        assert ((a - b).abs().amax(dim=(1, 2)) > 0).all()


def test_the_condition_of_each_step_can_be_switched_off(condition):
    silent = tiny.decoder(condition_every_step=False)
    assert not any(terms.any() for terms in silent.condition_terms(condition))
    assert all(terms.any() for terms in tiny.decoder().condition_terms(condition))


def test_a_set_of_pitch_classes_is_unpacked_to_bits():
    assert multi_hot(torch.tensor([0b100000000001])).tolist() == [[1.0, *[0.0] * 10, 1.0]]


def test_what_has_no_weight_costs_nothing(decoder):
    event = random_columns(TARGET)
    heads = torch.randn(2, 7, len(FIELDS) * decoder.config.head_size)
    weights = {name: torch.ones(2, 7) for name in FIELDS}
    whole, _ = decoder.loss(heads, event, weights)
    halves = [
        decoder.loss(heads[i : i + 1], {name: c[i : i + 1] for name, c in event.items()}, {n: w[:1] for n, w in
                     weights.items()})[0]
        for i in range(2)
    ]  # fmt: skip
    nothing, correct = decoder.loss(heads, event, {name: torch.zeros(2, 7) for name in FIELDS})
    for name in FIELDS:
        torch.testing.assert_close(whole[name], halves[0][name] + halves[1][name])
        assert nothing[name] == correct[name] == 0


def test_a_decoder_overfits_to_four_examples():
    torch.manual_seed(0)
    decoder = tiny.decoder(hidden_size=48, head_size=24, condition_hidden=16).train()
    before, target = random_columns(BEFORE, 4, 12), random_columns(TARGET, 4, 12, seed=1)
    columns = {name: column.numpy() for name, column in target.items()}
    weights = {name: torch.from_numpy(weight) for name, weight in field_weights(columns).items()}
    condition = torch.randn(4, decoder.config.condition_size)
    optimizer = torch.optim.Adam(decoder.parameters(), 0.02)
    for _ in range(80):
        hidden, _ = decoder(before, condition, decoder.initial_state(condition))
        nats, correct = decoder.loss(hidden, target, weights)
        optimizer.zero_grad()
        sum(nats.values()).backward()
        optimizer.step()
    assert all(correct[name] == weights[name].sum() for name in FIELDS)
