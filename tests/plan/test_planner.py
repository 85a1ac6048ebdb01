import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagemusic.errors import CheckpointError, ConfigError
from imagemusic.music.dials import DIALS
from imagemusic.music.ensembles import ENSEMBLES
from imagemusic.plan.analysis import NEW, REACH, SAME, VARIED
from imagemusic.plan.lead_sheet import parse_lead_sheet
from imagemusic.plan.network import CONFIG_FILE, WEIGHTS_FILE, Network, PlannerConfig
from imagemusic.plan.plan import Request
from imagemusic.plan.planner import MOST_BARS, Planner

CONFIG = PlannerConfig(dials=DIALS, ensembles=ENSEMBLES, hidden=16, head=12)
CONDITION = np.zeros(200, np.float32)
METER = (4, 4)


def random_network(seed=0):
    rng = np.random.default_rng(seed)
    return Network(CONFIG, {name: rng.normal(0, 0.4, shape) for name, shape in CONFIG.shapes().items()})


@pytest.fixture(scope="module")
def planner():
    return Planner(random_network())


def symbols(plan):
    return [[chord.symbol for chord in bar] for bar in plan.chords]


def test_the_same_seed_gives_the_same_plan(planner):
    assert planner.sample(CONDITION, 32, METER, 1) == planner.sample(CONDITION, 32, METER, 1)
    assert planner.sample(CONDITION, 32, METER, 1) != planner.sample(CONDITION, 32, METER, 2)


def test_the_condition_matters(planner):
    other = CONDITION.copy()
    other[-CONFIG.condition_size :] = 1
    assert planner.sample(CONDITION, 32, METER, 1) != planner.sample(other, 32, METER, 1)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 150), st.integers(0, 1000), st.booleans(), st.integers(0, 11))
def test_every_plan_holds_together(planner, bars, seed, minor, tonic):
    plan = planner.sample(CONDITION, bars, METER, seed, minor=minor, tonic=tonic)
    assert len(plan) == bars
    for bar, (kind, answer) in enumerate(zip(plan.kinds, plan.answers, strict=True)):
        assert kind == NEW or bar - REACH <= answer < bar
        if kind == SAME:
            assert plan.chords[bar] == plan.chords[answer]
    moved = planner.sample(CONDITION, bars, METER, seed, minor=minor, tonic=0)
    assert (moved.kinds, moved.answers) == (plan.kinds, plan.answers)


@pytest.mark.parametrize(("minor", "last", "before"), [(False, "A", {"E", "E7", "D"}), (True, "Am", {"E", "E7", "Dm"})])
def test_a_cadence(planner, minor, last, before):
    for seed in range(10):
        chords = symbols(planner.sample(CONDITION, 8, METER, seed, minor=minor, tonic=9))
        assert chords[-1] == [last]
        assert chords[-2][-1] in before


def test_other_endings_are_free(planner):
    ends = {tuple(symbols(planner.sample(CONDITION, 8, METER, seed, ending="loop"))[-1]) for seed in range(8)}
    assert len(ends) > 1


def test_a_form_is_kept(planner):
    request = Request.of(16, letters=("A", "A'", "B", "A"))
    for seed in range(5):
        plan = planner.sample(CONDITION, 16, METER, seed, request, ending="open")
        assert plan.kinds[4:8] == (VARIED,) * 4
        assert plan.kinds[12:] == (SAME,) * 4
        assert plan.answers[4:8] == plan.answers[12:] == (0, 1, 2, 3)
        assert plan.kinds[0] == plan.kinds[8] == NEW
        assert all(answer < 0 or answer >= 8 for answer in plan.answers[8:12])
        assert plan.chords[12:] == plan.chords[:4]


def test_chords_are_kept_as_written(planner):
    asked = parse_lead_sheet("Am7 F/A | C6 | N.C. | E7sus4 G D C")
    plan = planner.sample(CONDITION, 10, METER, 0, Request.of(10, chords=asked), tonic=9, minor=True)
    assert plan.chords == (*asked, *asked, *asked[:2])


def test_an_answer_alone_is_varied(planner):
    plan = planner.sample(CONDITION, 8, METER, 0, Request(answers={5: 2}))
    assert (plan.kinds[5], plan.answers[5]) == (VARIED, 2)


@pytest.mark.parametrize(
    ("bars", "request_", "message"),
    [
        (0, Request(), "plan: must have 1 to"),
        (MOST_BARS + 1, Request(), "plan: must have 1 to"),
        (4, Request(kinds={0: SAME}), "plan: bar 1 must be new"),
        (4, Request(kinds={1: SAME}, answers={1: 2}), "plan: bar 2 cannot answer bar 3"),
        (4, Request(kinds={1: SAME}, earliest={1: 1}), "plan: bar 2 has no bar before it"),
    ],
)
def test_what_cannot_be_planned(planner, bars, request_, message):
    with pytest.raises(ConfigError) as error:
        planner.sample(CONDITION, bars, METER, 0, request_)
    assert str(error.value).startswith(message)


def test_weights_come_back(planner, tmp_path):
    planner.network.save(tmp_path, {"about": 1})
    again = Planner.load(tmp_path)
    for name, value in again.network.weights.items():
        np.testing.assert_allclose(value, planner.network.weights[name], atol=2e-3)
    assert again.network.config == CONFIG


def test_damaged_weights_are_refused(planner, tmp_path):
    with pytest.raises(CheckpointError, match="no planner here"):
        Planner.load(tmp_path / "none")
    planner.network.save(tmp_path, {})
    config = (tmp_path / CONFIG_FILE).read_text()
    for damaged in (
        "[]",
        "{",
        config.replace('"version": 1', '"version": 2'),
        config.replace('"hidden": 16', '"hidden": 8'),
    ):
        (tmp_path / CONFIG_FILE).write_text(damaged)
        with pytest.raises(CheckpointError):
            Planner.load(tmp_path)
    (tmp_path / CONFIG_FILE).write_text(config)
    (tmp_path / WEIGHTS_FILE).write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="damaged planner"):
        Planner.load(tmp_path)


def test_weights_must_be_finite(planner):
    weights = dict(planner.network.weights)
    weights["stay"] = np.full(3, np.nan)
    with pytest.raises(CheckpointError, match="'stay' must be finite"):
        Network(CONFIG, weights)
    del weights["stay"]
    with pytest.raises(CheckpointError, match="'stay' is missing"):
        Network(CONFIG, weights)
