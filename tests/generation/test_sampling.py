import numpy as np
import pytest

from imagemusic.errors import ConfigError
from imagemusic.generation import sampling
from imagemusic.generation.sampling import DRAWS, SamplingOptions, draw, draw_one, guide


def drawn(scores, allowed=None, *, temperature=1.0, top_p=1.0, typical=False, count=20_000, seed=0):
    """Draw many times from one row of scores."""
    rows = np.broadcast_to(np.asarray(scores, float), (count, len(scores)))
    mask = np.ones(len(scores), bool) if allowed is None else np.asarray(allowed)
    settings = [np.full(count, setting) for setting in (float(temperature), float(top_p), typical)]
    uniforms = np.random.default_rng(seed).random((count, DRAWS))
    return draw(rows, np.broadcast_to(mask, rows.shape), *settings, uniforms)


def kept(scores, allowed, temperature, top_p, typical):
    """The distribution that `draw` should draw from, with a sort."""
    probabilities = np.where(allowed, np.exp(scores / temperature), 0)
    probabilities /= probabilities.sum()
    surprise = -np.log(np.maximum(probabilities, 1e-300))
    mean = (probabilities * surprise).sum()
    order = np.argsort(np.where(probabilities > 0, np.abs(surprise - mean), np.inf) if typical else -probabilities)
    chosen = order[: int(np.searchsorted(probabilities[order].cumsum(), top_p)) + 1]
    result = np.zeros_like(probabilities)
    result[chosen] = probabilities[chosen]
    return result / result.sum()


@pytest.mark.parametrize("typical", [False, True], ids=["nucleus", "typical"])
@pytest.mark.parametrize("top_p", [0.02, 0.5, 0.9, 1.0])
def test_draws_follow_what_is_kept(top_p, typical):
    rng = np.random.default_rng(0)
    scores, allowed = rng.normal(size=12) * 2, rng.random(12) < 0.8
    expected = kept(scores, allowed, 0.8, top_p, typical)
    draws = drawn(scores, allowed, temperature=0.8, top_p=top_p, typical=typical)
    counts = np.bincount(draws, minlength=12)
    # Five standard deviations of each share; what has no share is never drawn.
    assert (np.abs(counts / 20_000 - expected) <= 5 * np.sqrt(expected * (1 - expected) / 20_000)).all()


def test_after_refusals_the_listed_values_give_the_same_distribution(monkeypatch):
    monkeypatch.setattr(sampling, "TRIES", 1)
    scores, allowed = np.random.default_rng(0).normal(size=12) * 2, np.ones(12, bool)
    expected = kept(scores, allowed, 1.0, 0.5, False)
    counts = np.bincount(drawn(scores, allowed, top_p=0.5), minlength=12)
    assert (np.abs(counts / 20_000 - expected) <= 5 * np.sqrt(expected * (1 - expected) / 20_000)).all()


def test_the_nucleus_by_hand():
    assert set(drawn(np.log([0.5, 0.3, 0.2]), top_p=0.6, count=200)) == {0, 1}


def test_typical_values_by_hand():
    # Surprises 0.36, 1.61, 2.30 and their mean 0.80: the second is nearest to it, then the first.
    scores = np.log([0.7, 0.2, 0.1])
    assert set(drawn(scores, top_p=0.1, typical=True, count=200)) == {0}
    scores = np.log([0.4, 0.4 - 1e-9, 0.2])  # surprises 0.92, 0.92, 1.61, mean 1.05
    assert set(drawn(scores, top_p=0.9, typical=True, count=200)) == {0, 1, 2}
    scores = np.log([0.5, *[0.05] * 10])  # surprises 0.69 and 3.00, mean 1.84: the unlikely are as near
    assert set(drawn(scores, top_p=0.4, typical=True, count=500)) == {0}


def test_the_likeliest_value_always_stays():
    assert set(drawn([0.0, 9.0], top_p=1e-9, count=50)) == {1}


def test_what_is_forbidden_is_never_drawn_however_likely():
    assert set(drawn([50.0, 0.0, -50.0], [False, False, True], top_p=0.9, count=50)) == {2}


def test_cold_sampling_takes_the_likeliest():
    assert set(drawn([0.0, 1.0, 0.5], temperature=0.05, count=100)) == {1}


def test_the_last_random_number_below_one_still_names_a_value():
    scores, allowed = np.zeros((1, 7)), np.array([[True] * 3 + [False] * 4])
    last = np.full((1, DRAWS), np.nextafter(1.0, 0.0))
    for factor in np.linspace(1, 2, 101):  # totals of all mantissas
        row = scores + np.log(factor) * np.array([1, 0, 0, 0, 0, 0, 0])
        assert draw(row, allowed, np.ones(1), np.ones(1), np.zeros(1, bool), last).tolist() == [2]


@pytest.mark.parametrize("size", [22, 32, 97, 129, 193])
def test_a_row_is_drawn_the_same_whatever_is_beside_it(size):
    rng = np.random.default_rng(size)
    count = 70
    scores, allowed = rng.normal(size=(count, size)) * 3, rng.random((count, size)) < 0.7
    allowed[:, 0] = True
    settings = [rng.uniform(0.5, 1.5, count), rng.choice([0.1, 0.5, 0.9, 1.0], count), rng.random(count) < 0.3]
    uniforms = rng.random((count, DRAWS))
    together = draw(scores, allowed, *settings, uniforms)
    for number in (1, 2, 5, 33):
        for first in range(0, count - number, 7):
            some = slice(first, first + number)
            parts = [setting[some] for setting in settings]
            assert draw(scores[some], allowed[some], *parts, uniforms[some]).tolist() == together[some].tolist()


@pytest.mark.parametrize("sampler", sampling.SAMPLERS)
@pytest.mark.parametrize("size", [22, 129, 193])
def test_one_row_is_drawn_as_among_many(sampler, size):
    rng = np.random.default_rng(size)
    count = 120
    scores, allowed = rng.normal(size=(count, size)) * 3, rng.random((count, size)) < 0.7
    allowed[:, 0] = True
    uniforms = rng.random((count, DRAWS))
    for top_p in (0.1, 0.5, 0.9, 1.0):  # of the first, most tries are refused
        options = SamplingOptions(temperature=0.8, top_p=0.3, top_ps={"pitch": top_p}, sampler=sampler)
        settings = (np.full(count, 0.8), np.full(count, top_p), np.full(count, sampler == "typical"))
        together = draw(scores, allowed, *settings, uniforms)
        rows = zip(scores, allowed, uniforms, strict=True)
        assert [draw_one(row, may, options, "pitch", chance) for row, may, chance in rows] == together.tolist()


def test_guidance_of_one_gives_the_conditional_scores():
    told, null = np.random.default_rng(0).normal(size=(2, 3, 9))
    np.testing.assert_allclose(guide(told, null, np.ones(3)), told)


def test_guidance_moves_away_from_the_null_row_by_hand():
    told, null = np.log([[0.5, 0.5]]), np.log([[0.8, 0.2]])
    np.testing.assert_allclose(guide(told, null, np.array([2.0])), np.log([[0.5 * 0.5 / 0.8, 0.5 * 0.5 / 0.2]]))
    np.testing.assert_allclose(guide(told, null, np.zeros(1)), null)


def test_scores_of_any_size_are_drawn_from():
    assert set(drawn([1e30, 0.0, -1e30], count=20)) == {0}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"temperature": 0}, r"temperature must be in 0\.05\.\.5, got 0"),
        ({"temperature": float("nan")}, "temperature must be in"),
        ({"temperatures": {"gap": 9}}, r"temperature must be in 0\.05\.\.5, got 9"),
        ({"temperatures": {"tempo": 1}}, "unknown field 'tempo'; choose from gap, part, pitch, duration, velocity"),
        ({"top_p": 0}, "top_p must be above 0 and at most 1, got 0"),
        ({"top_p": 1.01}, "top_p must be above 0"),
        ({"top_ps": {"pitch": 0}}, "top_p must be above 0"),
        ({"sampler": "beam"}, "unknown sampler 'beam'; choose from nucleus, typical"),
        ({"guidance_scale": -1}, r"guidance must be in 0\.\.10, got -1"),
        ({"temperature": "hot"}, "temperature must be a number, got 'hot'"),
        ({"temperature": 10**400}, "temperature must be in"),
        ({"top_p": True}, "top_p must be a number, got True"),
        ({"top_ps": {"pitch": None}}, "top_p must be a number, got None"),
        ({"temperatures": 1.1}, "temperatures must be a table of names and numbers, got 1.1"),
        ({"temperatures": {1: 1, "tempo": 1}}, "unknown field 1; choose from gap"),
    ],
)
def test_a_setting_out_of_range_is_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        SamplingOptions(**change)
