import numpy as np
import pytest

from imagemusic.data.corpora.beats import find_tempo, on_seconds
from imagemusic.music.score import Note, Score, Tempo, Track


@pytest.mark.parametrize("bpm", [85.0, 117.3, 151.0])
def test_a_tempo_is_found_in_onsets_that_an_old_format_rounded(bpm):
    sixteenths = np.random.default_rng(0).integers(0, 1200, 500) // 2 * 2
    seconds = np.round(sixteenths * 15 / bpm * 140) / 140
    assert find_tempo(seconds) == pytest.approx(bpm, rel=2e-4)


def test_music_without_a_beat_has_no_tempo():
    assert find_tempo(np.random.default_rng(0).uniform(0, 120, 900)) is None
    assert find_tempo(np.arange(5.0)) is None


def test_onsets_that_fit_best_at_a_tempo_that_is_not_good_have_none():
    onsets = np.cumsum(np.random.default_rng(91).uniform(0.055, 0.165, 16))
    assert find_tempo(onsets) is None


def test_seconds_become_beats_of_a_tempo_or_half_seconds():
    score = Score([Track([Note(0, 60, 100), Note(200, 60, 100)])], [Tempo(0, 60)], ticks_per_beat=100)
    assert list(on_seconds(score, 90).tracks[0]) == [Note(0, 60, 1440), Note(2880, 60, 1440)]
    assert on_seconds(score, 90).tempos == (Tempo(0, 90),)
    assert list(on_seconds(score, None).tracks[0]) == [Note(0, 60, 1920), Note(3840, 60, 1920)]
    assert on_seconds(score, None).tempos == ()
