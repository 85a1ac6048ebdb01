import numpy as np
import pytest

from imagemusic.steering.measures import Measured
from imagemusic.steering.retrieval import retrieval, retrieve, scores
from imagemusic.steering.sensitivity import Pool, moved, variance_shares

GROUPS = [f"album {i}" for i in range(20)]


class Named:
    def __init__(self, group):
        self.group = group


def pool(dials, ticks=None):
    """A pool of P pictures and S seeds with dials (P, S, 9) and tick figures (P, S, 15)."""
    ticks = np.zeros((*dials.shape[:2], 15)) if ticks is None else ticks
    pieces = tuple(
        tuple(
            Measured(tuple(dials[p, s]), tuple(ticks[p, s]), (0.0,) * 10, (), (), "", "piano", 9)
            for s in range(dials.shape[1])
        )
        for p in range(len(dials))
    )
    return Pool(tuple(Named(f"album {i}") for i in range(len(dials))), pieces)


def test_variance_is_shared_out_as_it_was_made():
    rng = np.random.default_rng(0)
    dials = np.sqrt(3) * rng.normal(size=(200, 1, 9)) + rng.normal(size=(200, 8, 9))
    share = variance_shares(pool(dials))["density"]
    assert share["value"] == pytest.approx(0.75, abs=0.05)
    assert share["low"] < 0.75 < share["high"]


def test_a_picture_that_decides_nothing_has_no_share():
    share = variance_shares(pool(np.random.default_rng(0).normal(size=(100, 8, 9))))["mode"]
    assert share["verdict"] == "contains zero"


def test_the_ratio_of_movements_by_hand():
    noise = np.linspace(-0.02, 0.02, 20)
    found = moved(1.5 + noise, np.full(20, 0.5), 0.7 + noise, GROUPS)
    assert found["another_picture"]["value"] == pytest.approx(1)
    assert found["null_edit"]["value"] == pytest.approx(0.2)
    assert found["ratio"]["value"] == pytest.approx(5)


def test_null_edits_that_move_nothing_leave_the_ratio_without_end():
    noise = np.linspace(-0.3, 0.28, 20)
    found = moved(np.full(20, 1.5), np.full(20, 0.5), 0.5 + noise, GROUPS)
    assert found["ratio"]["value"] is None
    assert found["ratio"]["low"] > 5


def test_pieces_find_their_pictures_when_these_differ():
    rng = np.random.default_rng(0)
    figures = 3 * rng.normal(size=(20, 1, 5)) + rng.normal(size=(20, 8, 5))
    found = retrieve(figures, GROUPS)
    assert found["recall_at_5"]["value"] > 0.95
    assert found["median_rank"]["value"] == 1


def test_pieces_find_nothing_when_pictures_do_not_matter():
    figures = np.random.default_rng(0).normal(size=(20, 8, 5))
    found = retrieve(figures, GROUPS)
    assert found["recall_at_5"]["value"] == pytest.approx(5 / 20, abs=0.1)


def test_no_piece_helps_to_find_itself():
    # One seed's pieces lie far out, each on its own: only what was learned from that seed could find them.
    rng = np.random.default_rng(0)
    figures = rng.normal(size=(20, 4, 5))
    figures[:, 0] += 50 * rng.normal(size=(20, 5))
    assert retrieve(figures, GROUPS)["recall_at_1"]["value"] < 0.2


def test_a_score_is_the_density_that_was_to_be_expected():
    """Of two pictures with the same spread, the nearer one is likelier."""
    rng = np.random.default_rng(0)
    known = rng.normal(size=(30, 8, 3)) + np.linspace(-9, 9, 30)[:, None, None]
    assert scores(known, known.mean(axis=1)).argmax(axis=1).tolist() == list(range(30))


def test_candidates_are_a_hundred_at_most():
    rng = np.random.default_rng(0)
    found = retrieval(pool(np.zeros((110, 3, 9)), rng.normal(size=(110, 3, 15))))
    assert found["candidates"] == 100
    assert found["chance_at_5"] == 0.05
    assert 1 <= found["notes_alone"]["median_rank"]["value"] <= 100
