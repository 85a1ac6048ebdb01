import numpy as np
import pytest

from imagemusic.events.quantize import (
    TEMPO_BPM,
    UNKNOWN_VELOCITY,
    canonicalise,
    nearest_tempo,
    role_of,
    without_overlaps,
)
from imagemusic.music.score import Key, Meter, Note, Score, Tempo, Track

C, E, G = 60, 64, 67


def notes_of(score):
    return [list(track) for track in score.tracks]


def test_ticks_move_to_the_nearest_of_the_grid():
    # At 480 ticks a beat a tick of the grid is 20: 29 rounds to 1, 31 to 2.
    score, lost = canonicalise(Score([Track([Note(29, C, 31 * 20), Note(1000, E, 5)])], ticks_per_beat=480))
    assert notes_of(score) == [[Note(1, C, 31), Note(50, E, 1)]]
    assert lost["moved"] == 2


def test_notes_that_met_still_meet():
    score, _ = canonicalise(Score([Track([Note(0, C, 33), Note(33, C, 33)])], ticks_per_beat=100))
    first, second = notes_of(score)[0]
    assert first.offset == second.onset


def test_a_unison_of_two_tracks_keeps_both_notes():
    violins = [Track([Note(0, C, 24)], 40), Track([Note(0, C, 48)], 40)]
    score, lost = canonicalise(Score(violins))
    assert [track.program for track in score.tracks] == [40, 40]
    assert score.note_count == 2
    assert not lost["doubled"]


def test_a_note_that_doubles_another_goes_and_the_longest_stays():
    score, lost = canonicalise(Score([Track([Note(0, C, 24), Note(0, C, 48)])]))
    assert notes_of(score) == [[Note(0, C, 48)]]
    assert lost["doubled"] == 1


def test_a_note_is_cut_where_its_pitch_is_struck_again():
    score, lost = canonicalise(Score([Track([Note(0, C, 48), Note(24, C, 48), Note(24, E, 48)])]))
    assert notes_of(score) == [[Note(0, C, 24), Note(24, C, 48), Note(24, E, 48)]]
    assert lost["cut"] == 1


def test_drums_become_one_part_of_short_strokes():
    drums = [Track([Note(0, 36, 48, 90)], 8, is_drum=True), Track([Note(24, 38, 6, 70)], is_drum=True)]
    score, lost = canonicalise(Score(drums))
    (track,) = score.tracks
    assert (track.is_drum, track.program, track.name) == (True, 0, "drums")
    assert [note.duration for note in track] == [6, 6]
    assert (lost["parts_joined"], lost["drum_lengths"]) == (1, 1)


def test_parts_of_one_program_join_first_when_there_are_too_many():
    tracks = [Track([Note(0, 30 + i, 24), Note(24, 30 + i, 24)], i) for i in range(15)]
    tracks.append(Track([Note(0, 90, 24)], 3))
    score, lost = canonicalise(Score(tracks))
    assert len(score.tracks) == 15
    assert score.note_count == 31
    assert lost["parts_joined"] == 1


def test_the_smallest_parts_go_when_none_can_join():
    tracks = [Track([Note(24 * n, 30 + i, 24) for n in range(2 + i)], i) for i in range(17)]
    score, lost = canonicalise(Score(tracks))
    assert {track.program for track in score.tracks} == set(range(2, 17))
    assert lost["notes_left_out"] == 2 + 3


def test_velocities_are_rounded_to_steps_of_four():
    score, lost = canonicalise(Score([Track([Note(0, C, 6, 1), Note(6, C, 6, 62), Note(12, C, 6, 127)])]))
    assert [note.velocity for note in score.tracks[0]] == [4, 64, 124]
    assert lost["velocities"] == 3


def test_one_velocity_throughout_says_nothing():
    score, _ = canonicalise(Score([Track([Note(0, C, 6, 101), Note(6, C, 6, 100)])]))
    assert {note.velocity for note in score.tracks[0]} == {UNKNOWN_VELOCITY}


def test_parts_stand_from_high_to_low_and_drums_last():
    tracks = [Track([Note(0, 36, 6)], is_drum=True), Track([Note(0, 40, 6)], 32), Track([Note(0, 80, 6)], 73)]
    score, _ = canonicalise(Score(tracks))
    assert [track.name for track in score.tracks] == ["melody", "bass", "drums"]


@pytest.mark.parametrize(
    ("track", "role"),
    [
        (Track([Note(0, 70, 6)], name="inner"), "inner"),
        (Track([Note(0, 70, 6)], name="Soprano 2"), "voice"),
        (Track([Note(0, 70, 6)], 52), "voice"),
        (Track([Note(0, 70, 6)], 33), "bass"),
        (Track([Note(0, 70, 6), Note(0, 74, 6), Note(0, 77, 6)]), "chords"),
        (Track([Note(0, 90, 6)]), "melody"),
        (Track([Note(0, 50, 6)]), "bass"),
        (Track([Note(0, 58, 6)]), "inner"),
    ],
)
def test_a_role_is_read_from_name_program_and_place(track, role):
    others = [Track([Note(0, 60, 6)]), Track([Note(0, 80, 6)])]
    assert role_of(track, [track, *others]) == role


def test_a_meter_that_only_repeats_the_bars_goes():
    meters = [Meter(0, 3, 4), Meter(72, 3, 4), Meter(100, 3, 4), Meter(172, 2, 4)]
    score, _ = canonicalise(Score([Track([Note(0, C, 480)])], meters=meters))
    assert list(score.meters) == [Meter(0, 3, 4), Meter(100, 3, 4), Meter(172, 2, 4)]


def test_a_pickup_is_a_bar_of_its_own_meter():
    meters = [Meter(0, 1, 4), Meter(24, 3, 4)]
    score, lost = canonicalise(Score([Track([Note(0, C, 96)])], meters=meters))
    assert list(score.meters) == meters
    assert not lost


def test_a_piece_whose_first_meter_comes_late_starts_in_four():
    score, _ = canonicalise(Score([Track([Note(0, C, 480)])], meters=[Meter(50, 3, 4)]))
    assert list(score.meters) == [Meter(0), Meter(50, 3, 4)]


def test_a_meter_outside_the_vocabulary_is_rounded_and_counted():
    score, lost = canonicalise(Score([Track([Note(0, C, 480)])], meters=[Meter(0, 33, 32)]))
    assert list(score.meters) == [Meter(0, 4, 4)]
    assert lost["meters"] == 1


def test_of_changes_at_one_tick_the_last_counts():
    score, _ = canonicalise(
        Score([Track([Note(0, C, 960)])], [Tempo(480, 100), Tempo(481, 60)], [Meter(480, 3), Meter(481, 5)],
              ticks_per_beat=480)
    )  # fmt: skip
    assert [tempo.bpm for tempo in score.tempos] == pytest.approx([120, 60], rel=0.012)
    assert list(score.meters) == [Meter(0), Meter(24, 5)]


def test_changes_after_the_last_note_go():
    score, _ = canonicalise(Score([Track([Note(0, C, 24)])], [Tempo(0, 90), Tempo(24, 60)], [Meter(0, 3), Meter(48)]))
    assert len(score.tempos) == len(score.meters) == 1


def test_keys_are_counted_as_lost():
    assert canonicalise(Score([Track([Note(0, C, 24)])], keys=[Key(0, 2)]))[1] == {"keys": 1}


def test_nothing_is_lost_of_nothing():
    score, lost = canonicalise(Score([Track([])]))
    assert (score.tracks, dict(lost)) == ((), {})


@pytest.mark.parametrize(("bpm", "nearest"), [(20, 20), (5, 20), (320, 320), (5000, 320), (120, 120)])
def test_a_tempo_rounds_to_the_vocabulary(bpm, nearest):
    index = nearest_tempo(bpm)
    assert 1 <= index < len(TEMPO_BPM)
    assert TEMPO_BPM[index] == pytest.approx(nearest, rel=0.012)


def test_tempo_steps_are_finer_than_a_listener_hears():
    assert (np.diff(np.log(TEMPO_BPM[1:])) < 0.023).all()


def test_no_notes_have_no_overlaps():
    notes, doubled, cut = without_overlaps(np.empty((0, 4), np.int64))
    assert (notes.shape, doubled, cut) == ((0, 4), 0, 0)
