import numpy as np
import pytest

from imagemusic.errors import ScoreError
from imagemusic.music.score import Key, Meter, Note, Score, Tempo, Track, note_array

C, E, G = 60, 64, 67


def test_offset_is_where_the_note_ends():
    assert Note(onset=12, pitch=C, duration=6).offset == 18


def test_a_track_sorts_its_notes_and_gives_them_back():
    track = Track([Note(24, E, 6), Note(0, G, 6), Note(0, C, 6, 90)])
    assert list(track) == [Note(0, C, 6, 90), Note(0, G, 6), Note(24, E, 6)]
    assert len(track) == 3


def test_the_notes_of_a_track_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        Track([Note(0, C, 6)]).notes[0, 1] = E


def test_a_track_keeps_an_array_of_its_own():
    rows = np.array([[0, C, 6, 80]])
    track = Track(rows)
    rows[0, 1] = E
    assert list(track) == [Note(0, C, 6)]


def test_tracks_are_equal_when_all_of_them_is():
    notes = [Note(0, C, 6)]
    assert Track(notes, 3, name="left") == Track(notes, 3, name="left")
    assert Track(notes) != Track(notes, is_drum=True)
    assert Track(notes) != Track([Note(0, C, 7)])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pitch": 128}, r"pitch 0\.\.127.*pitch=128"),
        ({"velocity": 0}, r"velocity 1\.\.127.*velocity=0"),
        ({"duration": 0}, r"duration >= 1.*duration=0"),
        ({"onset": -1}, r"onset >= 0.*onset=-1"),
    ],
)
def test_an_impossible_note_is_refused(change, message):
    with pytest.raises(ScoreError, match=message):
        note_array([Note(**{"onset": 0, "pitch": C, "duration": 1} | change)])


def test_a_note_beyond_the_range_of_ticks_is_refused_and_does_not_wrap_around():
    with pytest.raises(ScoreError, match="onset=4294967296"):
        note_array(np.array([[2**32, C, 1, 80]]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Track([], program=128), r"program must be in 0\.\.127, got 128"),
        (lambda: Tempo(0, 0.5), r"tempo must be 1\.\.60000000 bpm"),
        (lambda: Tempo(0, float("nan")), r"tempo must be 1\.\.60000000 bpm"),
        (lambda: Meter(0, 4, 3), "meter must be like 4/4 or 6/8"),
        (lambda: Meter(-1), "at tick 0 or later"),
        (lambda: Score([], ticks_per_beat=0), "ticks_per_beat must be at least 1, got 0"),
    ],
)
def test_what_is_no_music_is_refused(make, message):
    with pytest.raises(ScoreError, match=message):
        make()


def test_a_bar_of_six_eight_has_three_beats():
    assert Meter(0, 6, 8).beats == 3


def test_changes_are_sorted():
    score = Score([], [Tempo(9, 60), Tempo(0, 90)], [Meter(5), Meter(0, 3)], [Key(7, 1), Key(0, -2)])
    assert [t.tick for t in score.tempos] == [0, 9]
    assert [m.tick for m in score.meters] == [0, 5]
    assert [k.tick for k in score.keys] == [0, 7]


def test_an_empty_score_ends_where_it_begins():
    assert (Score([]).end, Score([Track([])]).seconds, Score([]).note_count) == (0, 0.0, 0)


def test_seconds_follow_every_tempo():
    # A beat at 120, a beat at 60, a beat at 30 bpm.
    score = Score([Track([Note(0, C, 72)])], [Tempo(24, 60), Tempo(48, 30)])
    assert score.seconds_at(np.array([0, 12, 24, 48, 72])).tolist() == [0, 0.25, 0.5, 1.5, 3.5]
    assert score.seconds == 3.5
