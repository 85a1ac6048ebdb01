import json

import numpy as np
import pytest

from imagemusic.evaluation.steering.measures import Measured, fault, first_seconds, measured, table, tick_figures
from imagemusic.music.dials import DialNormalizer, measure
from imagemusic.music.score import Meter, Note, Score, Tempo, Track
from tests import tiny


@pytest.fixture(scope="module")
def scale():
    return DialNormalizer.fit([measure(tiny.tune(seed)) for seed in range(8)])


def notes(rows):
    return Score([Track([Note(*row) for row in rows])], [Tempo(0, 120.0)], [Meter(0, 4, 4)])


def test_a_measured_piece_survives_json(scale):
    found = measured(tiny.tune(1), scale)
    assert Measured.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert found.fault == ""
    assert found.ensemble == "band"
    assert -1 <= found.dial("register") <= 1


def test_tick_figures_know_no_tempo(scale):
    tune = tiny.tune(2)
    slow = Score(tune.tracks, [Tempo(0, 40.0)], tune.meters)
    assert tick_figures(slow) == tick_figures(tune)
    assert measured(slow, scale).felt != measured(tune, scale).felt


def test_an_empty_piece_has_no_figures(scale):
    found = measured(Score([Track([])]), scale)
    assert found.fault == "silence"
    assert np.isnan(table([found], "dials")).all()


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(24 * i, 60 + i % 8, 24) for i in range(32)], ""),
        ([(24 * i, 60 if i % 8 else 62, 24) for i in range(32)], "one note repeated"),
        ([(0, 60, 24), (24 * 30, 62, 24), (24 * 60, 64, 24)], "silence"),
        ([(0, pitch, 96 * 8) for pitch in (60, 64, 67)], "endless chord"),
    ],
)
def test_faults_are_named(rows, expected):
    assert fault(notes(rows)) == expected


def test_real_music_is_cut_to_the_length_of_a_composed_piece():
    tune = notes([(0, 60, 24), (48, 62, 480), (240, 64, 24)])  # at 120 bpm a tick is 1/48 s
    short = first_seconds(tune, 2.0)
    assert [(note.onset, note.duration) for note in short.tracks[0]] == [(0, 24), (48, 48)]
    assert short.seconds == pytest.approx(2)
