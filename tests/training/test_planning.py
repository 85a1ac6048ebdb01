import numpy as np
import pytest

torch = pytest.importorskip("torch")

from imagemusic.music.dials import DIALS  # noqa: E402
from imagemusic.music.ensembles import ENSEMBLES  # noqa: E402
from imagemusic.plan.analysis import NEW, NOWHERE, SAME, VARIED  # noqa: E402
from imagemusic.plan.chords import CHORDS  # noqa: E402
from imagemusic.plan.features import FIELDS, NONE_YET, READ, Bars, read_before, written  # noqa: E402
from imagemusic.plan.network import POINTER, PlannerConfig  # noqa: E402
from imagemusic.training.planning import (  # noqa: E402
    PlannerNet,
    PlanningOptions,
    conditions_of,
    example_of,
    nats_per_field,
    network_of,
    planning_layout,
    train,
)
from imagemusic.training.planning_baselines import baseline_nats  # noqa: E402

CONFIG = PlannerConfig(dials=DIALS, ensembles=ENSEMBLES, hidden=16, head=12)


def song(rng, bars=24):
    """Phrases of four bars, each played twice, on random chords."""
    kinds, answers, chords = np.full(bars, NEW), np.full(bars, NOWHERE), rng.integers(1, CHORDS, (bars, 2))
    for bar in range(bars):
        if bar // 4 % 2:
            kinds[bar], answers[bar], chords[bar] = SAME, bar - 4, chords[bar - 4]
    return Bars(kinds, answers, chords, 2, False)


@pytest.fixture(scope="module")
def examples():
    rng = np.random.default_rng(0)
    return [example_of(song(rng), rng.uniform(-1, 1, len(DIALS)), 0) for _ in range(40)]


def test_numpy_and_torch_agree(examples):
    torch.manual_seed(0)
    net = PlannerNet(CONFIG)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, 0, 0.3)
    network = network_of(net)
    net.load_state_dict({name: torch.from_numpy(value) for name, value in network.weights.items()})
    net.eval()
    example = examples[0]
    condition = conditions_of([example], planning_layout(), None)
    with torch.no_grad():
        tables = [table[None] for table in example[:4]]
        nats, minor = net.losses(*tables, torch.from_numpy(condition))
    state = network.start(condition[0])
    keys = np.empty((len(example.read), POINTER), np.float32)
    assert network.minor_logit(state) == pytest.approx(float(minor[0]), abs=1e-4)
    for bar in range(len(example.read)):
        state = network.step(state, example.read[bar].tolist(), example.numbers[bar].tolist())
        kind, distance, first, second = example.written[bar].tolist()
        answered = tuple(example.answered[bar].tolist())
        before = int(example.read[bar, list(READ).index("distance")])
        logits = [
            network.kind_logits(state),
            network.distance_logits(state, kind, before, keys[:bar]),
            network.first_logits(state, kind, answered),
            network.second_logits(state, kind, first, answered),
        ]
        values = (kind, distance, first, second)
        found = [np.logaddexp.reduce(table) - table[value] for table, value in zip(logits, values, strict=True)]
        keys[bar] = network.key(state, kind, first)
        if kind == NEW:
            found[1] = 0
        np.testing.assert_allclose(found, nats[0, bar], atol=1e-3)


def test_no_field_is_read_before_it_is_written():
    """What a step reads depends on no field of its bar or of a later one."""
    rng = np.random.default_rng(1)
    bars = song(rng)
    for number in range(len(bars.kinds)):
        later = Bars(*(table.copy() for table in bars[:3]), bars.meter, bars.minor)
        later.kinds[number:], later.answers[number:], later.chords[number:] = VARIED, 0, 7
        assert read_before(bars, number, 24) == read_before(later, number, 24)


def test_what_is_written():
    chords = np.array([[1, 2], [3, 4], [1, 2], [5, 6]])
    fields, answered = written(Bars(np.array([0, 0, 2, 1]), np.array([-1, -1, 0, 1]), chords, 2, True))
    assert fields.tolist() == [[0, 0, 1, 2], [0, 0, 3, 4], [2, 2, 1, 2], [1, 2, 5, 6]]
    assert answered.tolist() == [[NONE_YET] * 2, [NONE_YET] * 2, [1, 2], [3, 4]]


def test_training_learns_that_phrases_return(examples):
    torch.manual_seed(0)
    options = PlanningOptions(epochs=12, batch=4, learning_rate=1e-2, dropout=0.0)
    lines = []
    net = train(examples[:32], examples[32:], CONFIG, options, lines.append)
    nats = nats_per_field(net, examples[32:])
    tables = [example.written.numpy() for example in examples]
    baseline = baseline_nats(tables[:32], tables[32:])
    assert len(lines) == 12
    assert set(nats) == set(baseline["bigram"]) == set(FIELDS)
    assert nats["kind"] < 0.5 * baseline["unigram"]["kind"]
    assert nats["first_chord"] < baseline["bigram"]["first_chord"]


def test_conditions_are_dropped_and_stay_in_shape(examples):
    layout = planning_layout()
    exact = conditions_of(examples, layout, None)
    assert exact.shape == (len(examples), CONFIG.condition_size)
    some = conditions_of(examples, layout, np.random.default_rng(0))
    assert np.isfinite(some).all()
    assert (some == 0).all(axis=1).any()


def test_baselines_of_a_constant_are_free():
    fields = np.tile([SAME, 4, 1, 1], (400, 1))
    nats = baseline_nats([fields], [fields])
    assert all(value < 0.2 for table in nats.values() for value in table.values())
