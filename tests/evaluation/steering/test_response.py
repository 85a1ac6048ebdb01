import numpy as np
import pytest

from imagemusic.compose.options import ComposeOptions
from imagemusic.evaluation.steering.measures import Measured
from imagemusic.evaluation.steering.pairs import read_pairs
from imagemusic.evaluation.steering.response import (
    DialMeter,
    dose_jobs,
    dose_response,
    implied,
    picture_response,
    response,
)
from imagemusic.evaluation.steering.settings import SteeringOptions
from tests.evaluation.steering.conftest import write_pairs


@pytest.fixture(scope="module")
def pairs(tiny_model, tmp_path_factory):
    path = write_pairs(tmp_path_factory.mktemp("pairs") / "a", 12)
    return read_pairs(path, tiny_model.encode, music=False).pairs


class Fake:
    """Gives each job a piece whose dials have the value that `value_of` returns."""

    def __init__(self, value_of):
        self.value_of = value_of

    def measure(self, jobs, what):
        return [
            Measured((float(self.value_of(job)),) * 9, (0.0,) * 15, (0.0,) * 10, (), (), "", "piano", 9) for job in jobs
        ]


@pytest.mark.parametrize("dial", ["arousal", "density"])
def test_pictures_contradict_the_dial_that_is_set(tiny_model, pairs, dial):
    options = SteeringOptions(levels=5, dose_pictures=4)
    jobs, levels, groups = dose_jobs(tiny_model, dial, pairs, options, ComposeOptions(), masked=True)
    says = dict(zip([pair.reading.hash for pair in pairs], implied(tiny_model, dial, pairs), strict=True))
    group_of = {pair.reading.hash: pair.picture_group for pair in pairs}
    assert len(jobs) == 20
    assert [job.options.dials[dial] for job in jobs] == levels.tolist()
    assert groups == [group_of[job.reading.hash] for job in jobs]
    assert len(set(groups)) < len({job.reading.hash for job in jobs})  # two pictures of an album count as one
    high = [says[job.reading.hash] for job, level in zip(jobs, levels, strict=True) if level > 0]
    low = [says[job.reading.hash] for job, level in zip(jobs, levels, strict=True) if level < 0]
    assert max(high) <= min(low)
    assert {job.options.seed for job in jobs} == {0, 1, 2}


def test_music_that_follows_exactly_has_rho_and_slope_of_one():
    levels = np.repeat(np.linspace(-1, 1, 5), 4)
    found = response(levels, levels.copy(), [str(i % 10) for i in range(20)])
    assert found["rho"]["value"] == pytest.approx(1)
    assert found["slope"]["value"] == pytest.approx(1)
    assert found["quartiles"][0] == [-1, -1, -1]


def test_music_that_does_not_follow_says_so():
    rng = np.random.default_rng(0)
    levels = np.repeat(np.linspace(-1, 1, 9), 12)
    found = response(levels, rng.normal(size=len(levels)), [str(i % 24) for i in range(len(levels))])
    assert found["rho"]["verdict"] == "contains zero"


def test_music_that_is_only_quicker_follows_no_more_once_its_tempo_is_given():
    rng = np.random.default_rng(0)
    levels = np.repeat(np.linspace(-1, 1, 9), 12)
    groups = [str(i % 24) for i in range(len(levels))]
    tempos = levels + 0.3 * rng.normal(size=len(levels))
    by_tempo = response(levels, tempos + 0.3 * rng.normal(size=len(levels)), groups, tempos)
    assert by_tempo["rho"]["value"] > 0.7
    assert by_tempo["rho_given_tempo"]["verdict"] == "contains zero"
    of_itself = response(levels, levels + 0.3 * rng.normal(size=len(levels)), groups, tempos)
    assert of_itself["rho_given_tempo"]["verdict"] == "above zero"


def test_a_feeling_alone_is_told_with_the_tempo_given(tiny_model, pairs):
    options = SteeringOptions(levels=3, dose_pictures=4)
    found = dose_response(tiny_model, Fake(lambda job: job.options.seed), pairs, DialMeter(None), options)
    assert {dial for dial, table in found["as_shipped"].items() if "rho_given_tempo" in table} == {"arousal", "valence"}


def test_pieces_that_cannot_be_measured_are_left_out():
    found = response(np.array([-1.0, 0, 1, 1]), np.array([-1.0, 0, 1, np.nan]), list("abcd"), np.arange(4.0))
    assert found["rho_given_tempo"]["rows"] == 3
    assert found["rho"]["rows"] == 3
    assert found["rho"]["value"] == pytest.approx(1)


def test_pictures_are_sorted_by_what_people_rated(pairs):
    rating = {pair.reading.hash: pair.valence for pair in pairs}
    composer = Fake(lambda job: rating[job.reading.hash] + 0.001 * job.options.seed)
    found = picture_response(composer, pairs, DialMeter(None), SteeringOptions())
    assert found["valence"]["rho"]["value"] == pytest.approx(1)
    assert found["arousal"]["rho"]["value"] == pytest.approx(-1)  # the list rates it the other way round
    assert found["valence"]["judged_by"] == "measured in the score"
    assert (found["valence"]["rho"]["rows"], found["valence"]["rho"]["groups"]) == (12, 6)  # two pictures an album


def test_rated_pictures_are_drawn_from_all_of_the_list(pairs):
    heard = []
    composer = Fake(lambda job: heard.append(job.reading.hash) or 0)
    picture_response(composer, pairs, DialMeter(None), SteeringOptions(rated_pictures=4))
    assert len(set(heard)) == 4
    assert set(heard) != {pair.reading.hash for pair in pairs[:4]}


def test_a_list_without_ratings_answers_nothing(tiny_model, tmp_path):
    rows = {f"row_{n}": {"valence": "", "arousal": ""} for n in range(2, 6)}
    pairs = read_pairs(write_pairs(tmp_path / "a", 4, **rows), tiny_model.encode, music=False).pairs
    assert picture_response(Fake(lambda job: 0), pairs, DialMeter(None), SteeringOptions()) == {
        "valence": None,
        "arousal": None,
    }
