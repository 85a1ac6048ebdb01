import numpy as np
import pytest

from imagemusic.data.corpora.grid import bar_lines, cut, grid_cost, on_grid, snap, trim, without_delay
from imagemusic.music.score import Key, Meter, Note, Score, Tempo, Track

C = 60


def score_of(*notes, meters=(), tempos=(), keys=(), ticks_per_beat=24):
    return Score([Track([Note(*note) for note in notes])], tempos, meters, keys, ticks_per_beat=ticks_per_beat)


def notes_of(score):
    return [(note.onset, note.duration) for track in score.tracks for note in track]


def test_notes_that_met_still_meet_on_the_grid():
    score, off_grid = on_grid(score_of((0, C, 500), (500, C, 460), (960, C, 5), ticks_per_beat=480))
    assert notes_of(score) == [(0, 25), (25, 23), (48, 1)]
    assert score.ticks_per_beat == 24
    assert off_grid == 0


def test_the_share_of_onsets_off_the_grid_is_counted_over_all_tracks():
    tracks = [Track([Note(0, C, 100), Note(30, C, 10)]), Track([Note(50, C, 100)])]  # at 0, 7.2 and 12 grid ticks
    assert on_grid(Score(tracks, ticks_per_beat=100))[1] == 0
    tracks = [Track([Note(0, C, 100), Note(31, C, 10)]), Track([Note(50, C, 100)])]  # at 0, 7.44 and 12
    assert on_grid(Score(tracks, ticks_per_beat=100))[1] == pytest.approx(1 / 3)


def test_changes_move_to_the_grid_and_the_later_of_two_on_one_tick_wins():
    score = score_of((0, C, 480), tempos=[Tempo(0, 90), Tempo(479, 100), Tempo(480, 110)], ticks_per_beat=480)
    assert on_grid(score)[0].tempos == (Tempo(0, 90), Tempo(24, 110))


def test_a_repeated_meter_on_a_bar_line_goes_and_one_inside_a_bar_stays():
    meters = [Meter(0, 3, 4), Meter(72, 3, 4), Meter(72 + 24, 3, 4)]
    assert on_grid(score_of((0, C, 24), meters=meters))[0].meters == (Meter(0, 3, 4), Meter(96, 3, 4))


def test_a_score_without_notes_stays_empty():
    score, off_grid = on_grid(Score([Track([])]))
    assert (score.note_count, off_grid) == (0, 0)
    assert trim(score) == score


def test_bar_lines_start_afresh_at_every_meter():
    score = score_of((0, C, 200), meters=[Meter(0, 2, 4), Meter(60, 3, 4)])
    assert bar_lines(score).tolist() == [0, 48, 60, 132]
    assert bar_lines(score_of((0, C, 200))).tolist() == [0, 96, 192]  # 4/4 where none is known


def test_silent_bars_are_cut_off_but_not_the_rests_of_the_first_bar():
    score = score_of(
        (200, C, 24), meters=[Meter(0, 4, 4), Meter(96, 3, 4)], tempos=[Tempo(0, 90), Tempo(50, 60)], keys=[Key(0, 2)]
    )
    trimmed = trim(score)  # bars begin at 0, 96, 168
    assert notes_of(trimmed) == [(32, 24)]
    assert (trimmed.meters, trimmed.tempos, trimmed.keys) == ((Meter(0, 3, 4),), (Tempo(0, 60),), (Key(0, 2),))


def test_a_cut_ends_notes_and_carries_over_what_holds():
    score = score_of((0, C, 24), (24, C, 100), (96, C, 24), tempos=[Tempo(0, 60), Tempo(30, 70), Tempo(96, 80)])
    part = cut(score, 24, 96)
    assert notes_of(part) == [(0, 72)]
    assert part.tempos == (Tempo(0, 60), Tempo(6, 70))


def test_a_piece_behind_the_beat_throughout_is_put_on_it():
    delayed = [(0, C, 6), *((6 + 12 * step, C, 12) for step in range(16))]  # a sixteenth, then eighths
    score = without_delay(score_of(*delayed, meters=[Meter(0, 2, 4)]))
    assert notes_of(score)[:3] == [(42, 6), (48, 12), (60, 12)]
    assert score.meters == (Meter(0, 2, 4),)


def test_a_piece_on_the_beat_stays_where_it_is():
    score = score_of(*((24 * beat, C, 12) for beat in range(8)), meters=[Meter(0)])
    assert without_delay(score) is score


@pytest.mark.parametrize(
    ("played", "written"),
    [
        pytest.param([1, 5, 13, 17, 23], [0, 6, 12, 18, 24], id="sixteenths"),
        pytest.param([1, 8, 15, 25, 33, 40], [0, 8, 16, 24, 32, 40], id="triplets"),
        pytest.param([0, 3, 6, 9, 12, 18], [0, 3, 6, 9, 12, 18], id="a roll of thirty-seconds"),
    ],
)
def test_played_onsets_snap_to_the_division_that_fits(played, written):
    snapped = snap(score_of(*((onset, C, 5) for onset in played)))
    assert [onset for onset, _ in notes_of(snapped)] == written
    assert {duration for _, duration in notes_of(snapped)} == {5}


def test_the_cost_of_a_grid_is_nothing_on_it_and_a_tick_or_more_off_any():
    assert grid_cost(np.array([[0.0, 6, 12], [0, 8, 16]])).tolist() == [0, 0]
    assert grid_cost(np.random.default_rng(0).uniform(0, 2400, 4000)) > 1
