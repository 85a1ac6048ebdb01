import math

import numpy as np
import pytest

from imagemusic.events import codec
from imagemusic.events.vocabulary import FIELDS, SIZES
from imagemusic.training.baselines import CONTEXTS, Baseline, with_previous
from tests import tiny


def columns_of(*scores):
    from imagemusic.events.context import CONTEXT, context

    made = []
    for score in scores:
        events = codec.encode(score)
        made.append(with_previous(events, context(events)[:, CONTEXT.index("program")]))
    return {name: np.concatenate([columns[name] for columns in made]) for name in made[0]}


def fitted(markov, columns):
    baseline = Baseline(SIZES, markov=markov)
    baseline.fit(columns)
    return baseline


def test_the_unigram_model_by_hand():
    # Two values in three events: (2 + 2/V) / 5 and (1 + 2/V) / 5, with V = 97 gaps.
    note = {name: np.zeros(3, np.int64) for name in (*FIELDS, *(f"-{name}" for name in FIELDS), "program")}
    baseline = fitted(False, note | {"gap": np.array([0, 0, 24])})
    expected = -2 * math.log((2 + 2 / 97) / 5) - math.log((1 + 2 / 97) / 5)
    assert baseline.nats(note | {"gap": np.array([0, 0, 24])})["gap"] == pytest.approx(expected)


@pytest.mark.parametrize("markov", [False, True])
def test_probabilities_of_every_value_sum_to_one(markov):
    train = columns_of(tiny.tune(0), tiny.tune(1))
    baseline = fitted(markov, train)
    row = {name: np.repeat(values[20:21], SIZES[0]) for name, values in columns_of(tiny.tune(2)).items()}
    row["gap"] = np.arange(SIZES[0])
    shares = [math.exp(-baseline.nats({name: values[i : i + 1] for name, values in row.items()})["gap"])
              for i in range(SIZES[0])]  # fmt: skip
    assert sum(shares) == pytest.approx(1)


def test_the_markov_model_knows_what_comes_next():
    train = columns_of(*(tiny.tune(seed) for seed in range(4)))
    unigram, markov = (fitted(kind, train).nats(train) for kind in (False, True))
    assert sum(markov.values()) < 0.6 * sum(unigram.values())


def test_what_was_never_seen_has_a_cost_that_is_finite():
    baseline = fitted(True, columns_of(tiny.tune(0)))
    assert all(math.isfinite(nats) and nats > 0 for nats in baseline.nats(columns_of(tiny.tune(9))).values())


def test_a_field_looks_only_at_the_fields_before_it():
    for i, (field, levels) in enumerate(CONTEXTS.items()):
        assert field == FIELDS[i]
        here = {name for names in levels for name in names if not name.startswith("-")}
        assert here <= set(FIELDS[:i])


def test_music_without_loudness_costs_nothing_there():
    from imagemusic.music.score import Note, Score, Track

    flat = columns_of(Score([Track([Note(24 * i, 60 + i, 24) for i in range(8)])]))
    baseline = fitted(True, flat)
    assert baseline.nats(flat)["velocity"] == 0
    assert baseline.nats(columns_of(tiny.tune(0)))["velocity"] > 0
