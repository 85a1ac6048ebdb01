import numpy as np
import pytest

from imagemusic.evaluation.steering.measures import Measured
from imagemusic.evaluation.steering.pairs import read_pairs
from imagemusic.evaluation.steering.retrieval import retrieval, retrieve, scores
from imagemusic.evaluation.steering.sensitivity import Pool, compose_pool, moved, sensitivity, variance_shares
from imagemusic.evaluation.steering.settings import SteeringOptions
from tests.evaluation.steering.conftest import write_pairs

GROUPS = [f"album {i}" for i in range(20)]


class Named:
    def __init__(self, group):
        self.picture_group = group


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


def edits(*columns):
    return np.column_stack([np.broadcast_to(column, 20) for column in columns])


def test_the_ratio_of_movements_by_hand():
    noise = np.linspace(-0.02, 0.02, 20)
    found = moved(1.5 + noise, edits(0.5, 0.6 + noise, 0.7 + noise, 0.8 + noise), GROUPS)
    assert found["another_picture"]["value"] == pytest.approx(1)
    assert found["null_edit"]["value"] == pytest.approx(0.2)
    assert found["ratio"]["value"] == pytest.approx(5)
    assert found["by_edit"] == pytest.approx({"jpeg_70": 0.6, "crop_5_percent": 0.7, "half_size": 0.8}, abs=1e-3)


def test_null_edits_that_move_nothing_leave_the_ratio_without_end():
    noise = np.linspace(-0.3, 0.28, 20)
    found = moved(np.full(20, 1.5), edits(0.5, *[0.5 + noise] * 3), GROUPS)
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


@pytest.fixture(scope="module")
def pairs(tiny_model, tmp_path_factory):
    path = write_pairs(tmp_path_factory.mktemp("pairs") / "a", 12)
    return read_pairs(path, tiny_model.encode, music=False).pairs


class Painted:
    """Composes pieces whose valence and arousal follow the colour of the picture, the other dials its seed alone."""

    def __init__(self):
        self.jobs = []

    def measure(self, jobs, what):
        self.jobs = jobs
        return [self.piece(job) for job in jobs]

    def piece(self, job):
        rng = np.random.default_rng([job.options.seed, int(job.reading.hash[:8], 16)])
        dials = rng.normal(size=9)
        dials[:2] += 30 * job.reading.embedding[0]
        return Measured(tuple(dials.tolist()), (0.0,) * 15, (0.0,) * 10, (), (), "", "piano", 9)


def test_edited_pictures_are_drawn_from_all_of_the_pool_and_the_same_ones_each_time(tiny_model, pairs):
    options = SteeringOptions(pieces=3, edited_pictures=4)
    edited = []
    for _ in range(2):
        composer = Painted()
        pool = compose_pool(composer, pairs, options)
        found = sensitivity(tiny_model, composer, pool, options)
        edited.append({job.reading.hash for job in composer.jobs} & {pair.reading.hash for pair in pairs})
    assert found["pictures"] == len(edited[0]) == 4
    assert edited[0] == edited[1] != {pair.reading.hash for pair in pool.pairs[:4]}


def test_a_picture_that_moves_valence_and_arousal_alone_moves_nothing_without_tempo(tiny_model, pairs):
    composer, options = Painted(), SteeringOptions(pieces=8, edited_pictures=12)
    found = sensitivity(tiny_model, composer, compose_pool(composer, pairs, options), options)
    assert found["another_picture"]["value"] > 0.8
    assert abs(found["without_tempo"]["another_picture"]["value"]) < 0.3
    assert {"value", "low", "high"} <= set(found["without_tempo"]["ratio"])
    assert found["another_picture"]["groups"] == 6  # two pictures an album
