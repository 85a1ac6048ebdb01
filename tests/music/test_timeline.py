import numpy as np
import pytest

from imagemusic.music.score import Meter, Note, Score, Tempo, Track
from imagemusic.music.timeline import felt_beat, timeline


def score_of(*meters, beats=12, ticks_per_beat=24, tempos=()):
    step = ticks_per_beat
    return Score([Track([Note(step * beat, 60, step) for beat in range(beats)])], tempos, meters,
                 ticks_per_beat=ticks_per_beat)  # fmt: skip


def test_bars_follow_the_meters_and_a_bar_is_cut_by_a_change():
    notes = timeline(score_of(Meter(0, 4, 4), Meter(6 * 24, 3, 4)))
    assert notes.bar_start.tolist() == [0, 4, 6, 9]
    assert notes.bar_length.tolist() == [4, 2, 3, 3]


def test_a_score_without_a_meter_is_in_four_four():
    assert timeline(score_of(beats=8)).bar_start.tolist() == [0, 4]


@pytest.mark.parametrize(
    ("numerator", "denominator", "beat"), [(4, 4, 1), (6, 8, 1.5), (3, 8, 0.5), (2, 2, 2), (12, 8, 1.5)]
)
def test_a_felt_beat_is_a_dotted_quarter_in_compound_meters(numerator, denominator, beat):
    assert felt_beat(Meter(0, numerator, denominator)) == beat


def test_beats_are_felt_beats_and_know_which_begins_a_bar():
    starts, lengths, first = timeline(score_of(Meter(0, 6, 8), beats=6)).beats()
    assert starts.tolist() == [0, 1.5, 3, 4.5]
    assert lengths.tolist() == [1.5] * 4
    assert first.tolist() == [True, False, True, False]


def test_an_excerpt_holds_the_first_seconds_from_the_first_note():
    notes = timeline(score_of(tempos=[Tempo(0, 60), Tempo(4 * 24, 120)]), seconds=5)
    assert notes.onset.tolist() == [0, 1, 2, 3, 4, 5]
    assert notes.seconds == pytest.approx(5)


def test_places_count_twelfths_of_a_beat_from_the_bar_line():
    notes = timeline(score_of(beats=8))
    assert notes.place_of(np.array([4.0, 4.5, 7 + 1 / 3])).tolist() == [0, 6, 40]


def test_onsets_that_are_neither_sixteenths_nor_triplets_have_no_grid():
    rng = np.random.default_rng(0)
    ticks = np.sort(rng.integers(0, 48_000, 200))
    free = Score([Track([Note(int(tick), 60, 100) for tick in ticks])], ticks_per_beat=480)
    assert not timeline(free).is_gridded
    assert timeline(score_of()).is_gridded


def test_a_score_without_notes_has_one_bar():
    notes = timeline(Score([]))
    assert len(notes.onset) == 0
    assert len(notes.bar_start) == 1
    assert not notes.is_gridded
