import numpy as np
import pytest

from imagemusic.data.corpora.bars import estimate_pickup, full_first_bar, has_places, pickup_cues
from imagemusic.music.score import Meter, Note, Score, Tempo, Track

C = 60


def waltz(pickup, bars=24):
    """Write a waltz: a low note on each first beat, chords on the others, harmony changing with the bar."""
    roots = [48, 53, 55, 48]
    bass, chords = [], [Note(tick, 67, 12) for tick in range(0, pickup, 12)]
    for bar in range(bars):
        start, root = pickup + 72 * bar, roots[bar % 4]
        bass.append(Note(start, root - 12, 72))
        chords += [Note(start, root + 24, 72)]
        chords += [Note(start + beat, root + step, 24) for beat in (24, 48) for step in (4, 7, 12)]
    return Score([Track(chords), Track(bass)], [Tempo(0, 90)], [Meter(0, 3, 4)])


@pytest.mark.parametrize("pickup", [0, 12, 24, 48])
def test_the_pickup_of_a_waltz_is_found(pickup):
    assert estimate_pickup(waltz(pickup)) == pickup


def test_whole_bars_before_another_meter_tell_the_pickup():
    score = waltz(24)
    changed = Score(score.tracks, (), [Meter(0, 3, 4), Meter(24 + 72 * 5, 4, 4)])
    assert estimate_pickup(changed) == 24
    short = Score(score.tracks, (), [Meter(0, 3, 4), Meter(24, 3, 4)])  # the first bar is said to be short
    assert estimate_pickup(short) == 24


@pytest.mark.parametrize(
    "score",
    [
        pytest.param(Score([Track([Note(12, C, 12)])], (), [Meter(0, 3, 4)]), id="too few notes to tell"),
        pytest.param(Score(waltz(24).tracks), id="no meter"),
        pytest.param(Score(waltz(24).tracks, (), [Meter(0, 1, 16)]), id="bars too short"),
        pytest.param(Score([], (), [Meter(0)]), id="no notes"),
    ],
)
def test_without_evidence_there_is_no_pickup(score):
    assert estimate_pickup(score) == 0


def test_a_pickup_becomes_the_end_of_a_full_bar():
    score = Score([Track([Note(0, C, 24), Note(24, C, 72)])], [Tempo(0, 90), Tempo(24, 60)], [Meter(0, 3, 4)])
    full = full_first_bar(score, 24)
    assert list(full.tracks[0]) == [Note(48, C, 24), Note(72, C, 72)]
    assert full.tempos == (Tempo(0, 90), Tempo(72, 60))
    assert full.meters == (Meter(0, 3, 4),)
    assert full_first_bar(score, 0) is score


def test_a_short_first_bar_and_a_full_one_are_read_alike():
    tracks = waltz(24).tracks
    said = Score(tracks, (), [Meter(0, 3, 4), Meter(24, 3, 4)])
    assert full_first_bar(said, estimate_pickup(said)) == full_first_bar(Score(tracks, (), [Meter(0, 3, 4)]), 24)


def test_shares_are_one_where_every_place_is_alike():
    notes = np.array([[12 * step, C, 12, 80] for step in range(60)], np.int32)
    cues = pickup_cues(notes, Meter(0, 3, 4))
    assert cues.shape == (6, 7)
    np.testing.assert_allclose(cues[:, :3], 1)
    assert cues[:, 4:].T.tolist() == [[1, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0], [0, 1, 0, 0, 0, 0]]


def test_a_pickup_is_looked_for_in_usual_meters_only():
    assert [has_places(meter) for meter in (Meter(0, 6, 8), Meter(0, 2, 2), Meter(0, 3, 16), Meter(0, 40, 4))] == [
        True,
        True,
        False,
        False,
    ]
