import numpy as np
import pytest

from imagemusic.evaluation.steering.copying import copying, line_of, longest_matches, prepared_line
from imagemusic.evaluation.steering.measures import Measured
from imagemusic.evaluation.steering.quality import distances, extremes, fault_share
from imagemusic.music.dials import DIALS
from imagemusic.music.score import Note, Score, Track
from tests import tiny


def piece(fault="", bars=()):
    return Measured((0.0,) * 9, (0.0,) * 15, (0.0,) * 10, (), tuple(bars), fault, "piano", 9)


def test_every_extreme_is_visited():
    named = extremes()
    assert len(named) == 16 + 2 * len(DIALS)
    assert named["polyphony -1"] == {"polyphony": -1}
    assert all(abs(value) == 1 for dials in named.values() for value in dials.values())


def test_faults_are_counted_by_kind():
    found = fault_share([piece(), piece("silence"), piece("silence"), piece("endless chord")])
    assert found["value"] == 0.75
    assert found["kinds"] == {"silence": 2, "endless chord": 1}
    assert found["low"] < 0.75 < found["high"]


def test_like_music_overlaps_and_other_music_does_not():
    rng = np.random.default_rng(0)
    real = [piece(bars=rng.normal(size=(50, 4)).tolist()) for _ in range(8)]
    alike = [piece(bars=rng.normal(size=(50, 4)).tolist()) for _ in range(8)]
    other = [piece(bars=(5 + rng.normal(size=(50, 4))).tolist()) for _ in range(8)]
    assert distances(alike, real)["polyphony"]["overlap"] > 0.8
    assert distances(other, real)["polyphony"]["overlap"] < 0.2
    assert distances([piece()], real) == {}


def test_the_longest_run_is_found_in_any_key():
    rng = np.random.default_rng(0)
    corpus = [rng.integers(-12, 13, 300) for _ in range(5)]
    copied = np.concatenate([rng.integers(-12, 13, 20), corpus[3][40:70], rng.integers(-12, 13, 20)])
    found = longest_matches([copied, rng.integers(30, 40, 50), np.zeros(0, np.int64)], corpus)
    assert 30 <= found[0] <= 32  # a neighbour may agree by chance
    assert found[1:].tolist() == [0, 0]


def test_runs_do_not_reach_over_the_end_of_a_piece():
    one, two = np.arange(1, 9), np.arange(11, 19)
    assert longest_matches([np.concatenate([one, two])], [one, two]).tolist() == [8]
    assert longest_matches([one], []).tolist() == [0]


def test_a_line_is_of_the_highest_notes_and_without_drums():
    notes = [Note(0, 60, 24), Note(0, 72, 24), Note(24, 74, 24), Note(48, 40, 24)]
    score = Score([Track(notes), Track([Note(24, 99, 6)], is_drum=True)])
    assert line_of(score).tolist() == [2, -34]


def test_a_training_piece_is_found_to_be_copied(tmp_path):
    prepared = tiny.write_prepared(tmp_path)
    known = prepared.select("train")[0]
    tune = tiny.tune(0)
    assert line_of(tune).tolist() == prepared_line(prepared, known).tolist()
    found = copying([tune], prepared)
    assert found["composed"]["longest"] == min(len(line_of(tune)), 96)


@pytest.mark.parametrize("count", [0, 1])
def test_few_pieces_give_no_interval(count):
    assert fault_share([piece()] * count)["high"] == pytest.approx([1.0, 0.7935][count], abs=1e-3)
