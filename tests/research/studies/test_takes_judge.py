import math

import numpy as np
import pytest

from imagemusic.compose.judge import ANY, NATS
from imagemusic.music.score import Meter, Note, Score, Tempo, Track
from imagemusic.music.structure import MEASURES
from imagemusic.research.studies.takes_judge import (
    COMPOSED,
    LOOPED,
    REAL,
    SHUFFLED,
    Example,
    describe,
    fit,
    rearranged,
    reordered,
    totals_of,
)  # fmt: skip
from tests.tiny import tune


def example(kind, number, value, nats=math.nan, split="train", ensemble="piano"):
    measures = dict.fromkeys(MEASURES, math.nan) | {"bars_repeated_nearly": value, NATS: nats}
    return Example(kind, f"group {number}", split, ensemble, measures)


def examples():
    """Real pieces repeat 0.4 of their bars, give or take; composed ones none; loops all; shuffles a little less."""
    rng = np.random.default_rng(0)
    usual = {REAL: 0.4, COMPOSED: 0.02, SHUFFLED: 0.25, LOOPED: 1.0}
    made = [
        example(kind, number, value + 0.05 * rng.normal(), 3 + 0.2 * rng.normal())
        for kind, value in usual.items()
        for number in range(30)
    ]
    return made + [example(REAL, 100 + number, 0.4 + 0.05 * rng.normal(), split="test") for number in range(10)]


def test_a_judge_prefers_what_is_usual_to_too_little_and_too_much():
    table = fit(examples())
    probes = [example("", 0, value) for value in (0.02, 0.4, 1.0)]
    little, usual, much = totals_of(table, probes)
    assert usual > max(little, much)
    assert table["auc"][COMPOSED] > 0.95 < table["auc"][LOOPED]
    assert table["auc_held_out"][COMPOSED] > 0.95


def test_the_average_of_real_music_has_a_total_of_nothing():
    made = examples()
    table = fit(made)
    real = totals_of(table, [one for one in made if one.kind == REAL and one.split == "train"])
    assert real.mean() == pytest.approx(0, abs=0.02)


def test_a_measure_that_is_missing_counts_for_nothing():
    table = fit(examples())
    assert totals_of(table, [example("", 0, math.nan)]).tolist() == [0]


def test_an_ensemble_with_few_pieces_has_the_reference_of_all():
    made = [*examples(), example(REAL, 200, 0.9, ensemble="strings"), example(COMPOSED, 201, 0.1, ensemble="strings")]
    reference = fit(made)["reference"]
    assert reference["strings"]["bars_repeated_nearly"] == reference[ANY]["bars_repeated_nearly"]
    assert reference["piano"]["bars_repeated_nearly"][0] == pytest.approx(0.4, abs=0.03)


def test_bars_are_played_in_the_order_asked_for():
    notes = [Note(96 * bar + 24, 60 + bar, 24) for bar in range(3)]
    score = Score([Track(notes)], [Tempo(0, 100)], [Meter(0, 4, 4)])
    again = reordered(score, np.array([2, 0, 0]))
    assert [(note.onset, note.pitch) for note in again.tracks[0]] == [(24, 62), (96 + 24, 60), (192 + 24, 60)]


def test_training_pieces_alone_are_shuffled_and_looped():
    score = tune(bars=16)
    real = [(describe(score, REAL, "a", "train"), score), (describe(score, REAL, "b", "test"), score)]
    made = list(rearranged(real, np.random.default_rng(0)))
    assert [(one.kind, one.group) for one in made] == [(SHUFFLED, "a"), (LOOPED, "a")]
    assert made[1].measures["bars_repeated_exactly"] > 0.9
