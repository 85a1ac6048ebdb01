import numpy as np
import pytest

from imagemusic.audio.performance import key_presses, restrike, voices
from imagemusic.music.score import Note, Score, Tempo, Track, note_array


def test_key_presses_follow_the_tempo():
    score = Score([Track([Note(0, 60, 24, 90), Note(24, 62, 24, 70)])], [Tempo(0, 60), Tempo(24, 120)])
    assert key_presses(score, 1000).tolist() == [
        [0, 1, 0, 60, 90],
        [1000, 0, 0, 60, 90],
        [1000, 1, 0, 62, 70],
        [1500, 0, 0, 62, 70],
    ]


def test_unisons_of_two_tracks_are_two_keys():
    score = Score([Track([Note(0, 60, 24)]), Track([Note(0, 60, 24)], program=40)])
    assert key_presses(score, 1000)[:, 2].tolist() == [0, 1, 0, 1]


def test_a_note_shorter_than_a_frame_still_ends_after_it_began():
    score = Score([Track([Note(0, 60, 1)])], [Tempo(0, 10_000)], ticks_per_beat=10_000)
    assert key_presses(score, 8000)[:, :2].tolist() == [[0, 1], [1, 0]]


def test_a_score_without_notes_presses_no_key():
    assert key_presses(Score([Track([])]), 1000).shape == (0, 5)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([(0, 10), (10, 10)], [(0, 10), (10, 10)]),  # one after the other: as it was
        ([(0, 10), (5, 10)], [(0, 5), (5, 10)]),  # struck again while it sounds
        ([(0, 30), (5, 10)], [(0, 5), (5, 25)]),  # the key stays down as long as the first would
        ([(0, 10), (0, 20)], [(0, 20)]),  # struck together
        ([(0, 30), (40, 10)], [(0, 30), (40, 10)]),  # a rest between
    ],
)
def test_a_key_sounds_one_note_at_a_time(before, after):
    notes = restrike(note_array([Note(onset, 60, duration) for onset, duration in before]))
    assert [(onset, duration) for onset, _, duration, _ in notes.tolist()] == after


def test_of_two_notes_struck_together_the_louder_stays():
    notes = restrike(note_array([Note(0, 60, 24, 40), Note(0, 60, 12, 100)]))
    assert notes.tolist() == [[0, 60, 24, 100]]


def test_other_keys_are_left_alone():
    notes = note_array([Note(0, 60, 24), Note(6, 61, 24), Note(12, 62, 24)])
    np.testing.assert_array_equal(restrike(notes), notes)


def pans(*tracks):
    return [voice.pan for voice in voices(Score(tracks))]


def test_a_quartet_sits_from_left_to_right():
    left, second, third, right = pans(*(Track([Note(0, 60, 24)], program=program) for program in (40, 40, 41, 42)))
    assert -0.5 < left < second < 0 < third < right < 0.5
    assert left == -right


def test_a_lone_player_drums_and_bass_sit_in_the_middle():
    note = [Note(0, 40, 24)]
    assert pans(Track(note)) == [0]
    assert pans(Track(note), Track(note, is_drum=True), Track(note, program=33), Track([])) == [0, 0, 0, 0]
