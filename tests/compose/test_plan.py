from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.plan import FREE_TEMPO_BPM, plan_length, plan_piece
from imagemusic.compose.ritardando import slowing_beats
from imagemusic.events.codec import DRUMS, METERS
from imagemusic.events.quantize import TICKS_PER_BEAT, nearest_tempo
from imagemusic.music.ensembles import INSTRUMENTATIONS

WALTZ = METERS.index((3, 4)) + 1


@pytest.mark.parametrize("seconds", [4, 5.5, 60, 599])
@pytest.mark.parametrize("bpm", [*FREE_TEMPO_BPM, 30, 61.7, 120, 300])
@pytest.mark.parametrize("bar_beats", [0.25, 1.5, 2, 3, 4, 4.5, 96])
def test_a_planned_length_is_kept(seconds, bpm, bar_beats):
    tempo, beats = plan_length(seconds, bpm, exact=False, bar_beats=bar_beats)
    assert abs(tempo / bpm - 1) <= 0.031
    assert abs(beats * 60 / tempo - seconds) <= 30 / tempo + 1e-9
    tempo, beats = plan_length(seconds, bpm, exact=True, bar_beats=bar_beats)
    assert tempo == bpm
    assert abs(beats * 60 / tempo - seconds) <= 0.9


def test_a_free_tempo_moves_to_fit_whole_bars():
    # 60 s at 101 bpm are 101 beats; 25 bars are 100.
    assert plan_length(60, 101, exact=False) == (100, 100)
    assert plan_length(60, 101, exact=True) == (101, 100)


def test_beats_that_are_very_slow_may_be_halved():
    assert plan_length(5, 30, exact=True) == (30, 2.5)


def test_bars_are_planned_to_the_tick():
    plan = plan_piece(ComposeOptions(bars=5, meter="3/4", tempo_bpm=97), 140, "piano", None)
    assert (plan.end, plan.tempo_bpm, plan.meter, plan.ending_slack) == (5 * 3 * 24, 97, WALTZ, 0)
    assert plan.tempo == nearest_tempo(97)


def test_a_free_tempo_moves_as_far_as_bars_need():
    assert plan_piece(ComposeOptions(bars=2, meter="3/4"), 140, None, None).tempo_bpm == 90  # 6 beats in 4 s
    assert plan_piece(ComposeOptions(bars=2, meter="3/4"), 80, None, None).tempo_bpm == 80


def test_bars_wait_for_the_meter():
    options = ComposeOptions(bars=8)
    assert plan_piece(options, 100, None, None).meter is None
    assert plan_piece(options, 100, None, WALTZ).end == 8 * 3 * 24


def test_instruments_win_over_the_ensemble():
    options = ComposeOptions(instruments="piano,cello,drums", polyphony=3, key="C", pitch_range="C4-E4")
    plan = plan_piece(options, 100, "band", None)
    assert plan.instrumentation.exactly == (0, 42, DRUMS)
    assert (plan.pitches, plan.polyphony) == ({60, 62, 64}, 3)
    assert plan_piece(ComposeOptions(), 100, "band", None).instrumentation is INSTRUMENTATIONS["band"]
    other = plan_piece(ComposeOptions(), 100, "other", None).instrumentation
    assert {24, 75, 107} <= set(other.first)
    assert not {112, 117, 119, 122} & {*other.first, *other.others}  # bells, toms, cymbals and seashores play no tune


@given(st.floats(4, 60), st.floats(40, 160), st.sampled_from([2, 3, 4, 6]), st.booleans())
def test_a_free_tempo_never_misses_the_seconds(seconds, bpm, bar_beats, mild):
    slowing = partial(slowing_beats, bar=bar_beats * TICKS_PER_BEAT, mild=mild)
    tempo, beats = plan_length(seconds, bpm, exact=False, bar_beats=bar_beats, slowing=slowing)
    assert abs((beats + slowing(beats)) * 60 / tempo - seconds) <= 0.9 + 1e-9
