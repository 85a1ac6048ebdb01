import math

import numpy as np
import pytest

from imagemusic.audio.waveform import Waveform
from imagemusic.music.score import Meter, Note, Score, Tempo, Track
from imagemusic.research.studies.before_after import PAUSE, excerpt, opening_and_return
from imagemusic.research.studies.structure import Row, measure_piece, real_weights, summarize
from imagemusic.research.studies.structure_table import Goal, goal_table


def row(number, value, ensemble="piano"):
    return Row(f"group {number}", ensemble, {"si_mid": value})


def test_a_mean_leaves_out_pieces_without_the_measure():
    found = summarize([row(0, 0.2), row(1, 0.4), row(2, math.nan)])
    assert found["si_mid"] == {"value": 0.3, "low": None, "high": None, "n": 2}


def test_ten_pieces_have_an_interval_around_their_mean():
    found = summarize([row(number, number / 10) for number in range(10)])["si_mid"]
    assert found["value"] == 0.45 and 0.2 < found["low"] < 0.45 < found["high"] < 0.7


def test_real_pieces_are_weighted_to_the_ensembles_of_ours():
    rows = [row(0, 1.0, "piano"), row(1, 0.0, "voice"), row(2, 0.0, "voice"), row(3, 9.0, "drums")]
    weights = real_weights(rows, {"piano": 3, "voice": 1, "band": 2})
    assert weights == {"piano": 3, "voice": 0.5}
    assert summarize(rows, weights)["si_mid"]["value"] == 0.75


def test_a_measure_that_no_piece_has_is_left_out():
    assert summarize([row(0, math.nan)]) == {}
    assert summarize([]) == {}


def test_a_piece_counts_for_its_first_meter_alone():
    score = Score([Track([Note(0, 60, 24)])], [Tempo(0, 120)], [Meter(0, 3, 8), Meter(36, 4, 4)])
    measures = measure_piece(score)
    assert measures["meter_3/8"] == 1 and measures["meter_4/4"] == 0


@pytest.mark.parametrize(("at_most", "value", "met"), [(False, 0.5, True), (False, 0.4, False), (True, 0.6, False)])
def test_a_goal_is_met_by_the_value(at_most, value, met):
    assert Goal("si_mid", 0.5, at_most=at_most).met({"value": value}) == met


def test_a_missed_goal_is_named():
    one = {"si_mid": {"value": 0.1, "low": None, "high": None, "n": 3}}
    figures = {"settings": {"before": {}, "after": {"free": one}}, "real": {}, "dials": {}}
    text, met, goals = goal_table(figures)
    assert "| si_mid, free |  | 0.100 | at least 0.15 |  | **missed** |" in text
    assert (met, goals) == (0, 1)


def test_the_return_of_the_opening_is_found():
    motif = (60, 64, 67, 65)
    bars = [*motif, *(pitch + 1 for pitch in motif), *motif, 70, 71]
    notes = [Note(96 * bar + 24 * beat, pitch + beat, 24) for bar, pitch in enumerate(bars) for beat in range(4)]
    score = Score([Track(notes)], [Tempo(0, 120)], [Meter(0, 4, 4)])
    assert opening_and_return(score) == (0, 16)


def test_a_piece_of_a_few_bars_has_no_return():
    assert opening_and_return(Score([Track([Note(0, 60, 24)])], [Tempo(0, 120)], [Meter(0, 4, 4)])) == (0, 0)


def test_spans_are_joined_with_a_pause_and_faded():
    sound = Waveform(np.ones((2, 4000), np.float32), 1000)
    joined = excerpt(sound, [(0, 1), (2, 3)])
    assert joined.samples.shape == (1, 2000 + round(PAUSE * 1000))
    assert joined.samples[0, 0] == joined.samples[0, 999] == 0 and joined.samples[0, 500] == 1
