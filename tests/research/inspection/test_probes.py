import numpy as np
import pytest

from imagemusic.errors import DataError
from imagemusic.research.inspection.probes import fit_ridge, predict, probe_classes, probe_numbers, split

PIECES, LENGTH, WIDTH = 30, 20, 6
GROUPS = [f"g{number}" for number in range(PIECES)]


@pytest.fixture
def features():
    return np.random.default_rng(0).normal(size=(PIECES, LENGTH, WIDTH)).astype(np.float32)


def test_a_straight_line_is_found():
    x = np.linspace(-1, 1, 200, dtype=np.float32)[:, None]
    fitted = fit_ridge(x, 3 * x.astype(np.float64) + 1)
    assert predict(fitted, np.array([[0.5]], np.float32))[0, 0] == pytest.approx(2.5, abs=0.03)


def test_what_stands_in_the_features_is_read(features, steps_of):
    labels = features[:, :, 2:5].argmax(-1)
    probe = probe_classes(features, labels, steps_of(PIECES, LENGTH), GROUPS)
    assert probe.score.value > 0.85
    assert probe.score.low > 0.75
    assert 0.2 < probe.chance < 0.5


def test_what_does_not_stand_there_is_not_read(features, steps_of):
    labels = np.random.default_rng(1).integers(3, size=(PIECES, LENGTH))
    probe = probe_classes(features, labels, steps_of(PIECES, LENGTH), GROUPS)
    assert abs(probe.score.value - 1 / 3) < 0.12


def test_steps_without_a_label_do_not_count(features, steps_of):
    labels = features[:, :, 2:5].argmax(-1)
    labels[:, ::2] = -1
    probe = probe_classes(features, labels, steps_of(PIECES, LENGTH), GROUPS)
    assert probe.score.rows == PIECES // 3
    assert probe_classes(features, np.full_like(labels, -1), steps_of(PIECES, LENGTH), GROUPS) is None


def test_a_number_of_a_piece_is_read(features, steps_of):
    values = np.random.default_rng(2).normal(size=PIECES)
    features[:, :, 0] += 3 * values[:, None]
    values[3] = np.nan
    steps = steps_of(PIECES, LENGTH)
    assert probe_numbers(features, values, steps, GROUPS).score.value > 0.8
    assert probe_numbers(features[:, :, 1:], values, steps, GROUPS).score.value < 0.2
    assert probe_numbers(features, np.full(PIECES, np.nan), steps, GROUPS) is None


def test_pieces_of_a_group_stay_together():
    groups = ["a", "a", "b", "b", "c", "d", "e", "f", "g", "h"]
    steps = split(groups, np.ones((10, 4), bool), seed=0)
    assert not (steps.train & steps.test).any()
    sides = [set(np.array(groups)[side.any(1)]) for side in (steps.train, steps.test)]
    assert not sides[0] & sides[1]
    assert len(sides[1]) == 2


def test_one_group_alone_is_refused():
    with pytest.raises(DataError, match="all pieces are of one group, a; a probe needs others"):
        split(["a", "a"], np.ones((2, 3), bool), seed=0)
