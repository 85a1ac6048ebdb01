import numpy as np
import pytest

from imagemusic.audio.performance import CONTROL, PRESS, RELEASE, actions, key_presses, merge_tracks, restrike, voices
from imagemusic.music.controls import DETUNING, EXPRESSION, PAN, VOLUME, no_controls
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


def rows(*controls):
    return np.array(controls, np.int64)


def test_controls_come_before_the_notes_of_their_frame():
    score = Score([Track([Note(0, 60, 24, 90)])])
    assert actions(score, rows((0, 0, EXPRESSION, 80), (12, 0, PAN, 0)), 1000).tolist() == [
        [0, CONTROL, 0, EXPRESSION, 80],
        [0, PRESS, 0, 60, 90],
        [250, CONTROL, 0, PAN, 0],
        [500, RELEASE, 0, 60, 90],
    ]
    assert actions(score, no_controls(), 1000).tolist() == key_presses(score, 1000).tolist()


def test_of_two_values_at_one_frame_the_later_counts():
    score = Score([Track([Note(0, 60, 24)])])
    turned = actions(score, rows((6, 0, PAN, 100), (6, 0, PAN, 20), (6, 0, EXPRESSION, 1)), 1000)
    assert turned[turned[:, 1] == CONTROL].tolist() == [[125, CONTROL, 0, EXPRESSION, 1], [125, CONTROL, 0, PAN, 20]]


def test_with_a_volume_anywhere_all_tracks_begin_at_100():
    score = Score([Track([Note(0, 60, 24)])] * 3)
    turned = actions(score, rows((0, 1, VOLUME, 20), (24, 2, VOLUME, 30)), 1000)
    assert [row[0::2] + [row[4]] for row in turned[turned[:, 1] == CONTROL].tolist()] == [
        [0, 0, 100, 100], [0, 1, 20, 20], [0, 2, 100, 100], [500, 2, 30, 30]
    ]  # fmt: skip


def test_voices_under_pan_begin_in_the_centre_and_bends_widen_the_range():
    score = Score([Track([Note(0, 60, 24)])] * 3)
    assert [voice.pan for voice in voices(score, rows((9, 1, PAN, 0)))] == [0, 0, 0]
    bent = voices(score, rows((0, 0, DETUNING, 200), (0, 1, DETUNING, -4750)))
    assert [voice.bend_range for voice in bent] == [24, 48, 0]
    assert bent[0].pan < bent[1].pan < bent[2].pan


def test_merged_tracks_have_a_program_each_and_the_controls_of_the_first():
    notes = [Track([Note(i, 60 + i, 24)], program=i % 2, is_drum=i == 3) for i in range(4)]
    score, controls = merge_tracks(Score(notes), rows((0, 1, PAN, 1), (0, 2, PAN, 2), (0, 3, PAN, 3)))
    assert [(track.program, track.is_drum, len(track)) for track in score.tracks] == [
        (0, False, 2), (1, False, 1), (1, True, 1)
    ]  # fmt: skip
    assert controls.tolist() == [[0, 1, PAN, 1], [0, 2, PAN, 3]]
