"""Score to events and back."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagemusic.errors import CodecError
from imagemusic.events import codec
from imagemusic.events.codec import canonical, decode, encode, meter_index, quantisation_report
from imagemusic.events.quantize import canonicalise, nearest_tempo
from imagemusic.events.vocabulary import END, HOLD, METER, REST, SLOT, TEMPO
from imagemusic.music.score import Meter, Note, Score, Tempo, Track

C, E, G = 60, 64, 67
MELODY, BASS, DRUMS = 0, 4, 5  # roles
FOUR_FOUR = meter_index(Meter(0))

# Few values of each kind, so that unisons, shared programs and equal ticks are common.
onsets = st.one_of(st.integers(0, 40), st.sampled_from([96, 97, 192, 193, 5_000]), st.integers(0, 30_000))
durations = st.one_of(st.integers(1, 30), st.sampled_from([191, 192, 193, 384, 385, 2_000]), st.integers(1, 10_000))
velocities = st.one_of(st.just(80), st.integers(1, 127))
notes = st.builds(Note, onsets, st.one_of(st.integers(58, 62), st.integers(0, 127)), durations, velocities)
tracks = st.builds(
    Track,
    st.lists(notes, max_size=8),
    st.sampled_from([0, 0, 40, 40, 33, 52, 127]),
    st.booleans(),
    st.sampled_from(["", "bass", "Voice", "drums", "melody"]),
)
change_ticks = st.one_of(st.just(0), st.integers(0, 200), st.integers(0, 30_000))
meters = st.builds(Meter, change_ticks, st.integers(1, 30), st.sampled_from([1, 2, 4, 8, 16, 32]))
tempos = st.builds(Tempo, change_ticks, st.floats(1, 10_000))
scores = st.builds(
    Score,
    st.one_of(st.lists(tracks, max_size=4), st.lists(tracks, min_size=16, max_size=20)),
    st.lists(tempos, max_size=4),
    st.lists(meters, max_size=4),
    ticks_per_beat=st.sampled_from([24, 24, 120, 192, 480, 1024]),
)
thorough = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@thorough
@given(scores)
def test_decode_undoes_encode_up_to_the_grid(score):
    assert decode(encode(score)) == canonical(score)


@thorough
@given(scores)
def test_a_canonical_score_stays_as_it_is(score):
    once = canonical(score)
    again, lost = canonicalise(once)
    assert again == once
    assert lost.keys() <= {"drum_lengths"}  # a stroke that was cut short counts each time


@thorough
@given(scores)
def test_every_index_is_in_its_vocabulary(score):
    events = encode(score)
    assert ((events >= 0) & (events < codec.SIZES)).all()
    assert events[-1, codec.PART] == END


@settings(thorough, max_examples=60)
@given(st.lists(notes, max_size=12))
def test_every_note_that_canonical_loses_is_counted(played):
    score = Score([Track(played)])
    assert canonical(score).note_count == len(played) - quantisation_report(score)["doubled"]


def test_a_piece_is_spelled_by_hand():
    bass = Track([Note(0, 36, 200, 80)], 32)
    melody = Track([Note(0, C, 24, 80), Note(24, E, 24, 100)], 73)
    tempo = nearest_tempo(120)
    assert encode(Score([bass, melody], [Tempo(0, 120)], [Meter(0)])).tolist() == [
        [0, METER, FOUR_FOUR, 0, 0],
        [0, TEMPO, tempo, 0, 0],
        [0, SLOT, 73, MELODY, 0],
        [0, SLOT, 32, BASS, 0],
        [0, 0, C, 23, 20],
        [0, 1, 36, HOLD, 20],
        [24, 0, E, 23, 25],
        [96, REST, 0, 0, 0],
        [72, 1, 36, 7, 20],
        [0, END, 0, 0, 0],
    ]


def test_a_gap_of_just_one_step_needs_no_rest():
    onsets = [0, 96, 193]
    parts = encode(Score([Track([Note(onset, C, 6) for onset in onsets])]))[3:, codec.PART]
    assert parts.tolist() == [0, 0, REST, 0, END]


@pytest.mark.parametrize(
    ("duration", "indices"),
    [(192, [191]), (193, [HOLD, 0]), (384, [HOLD, 191]), (385, [HOLD, HOLD, 0])],
)
def test_a_long_note_is_tie_continuation_in_later_rows(duration, indices):
    events = encode(Score([Track([Note(0, C, duration)])]))
    assert events[events[:, codec.PART] == 0][:, codec.DURATION].tolist() == indices


def test_a_note_struck_again_where_a_held_one_stops_stays_apart():
    score = Score([Track([Note(0, C, 192), Note(192, C, 24)])])
    assert decode(encode(score)).note_count == 2


def test_two_violins_keep_their_own_notes():
    first, second = [Note(0, 70, 24), Note(24, 70, 24)], [Note(0, 70, 48)]
    found = decode(encode(Score([Track(first, 40), Track(second, 40)])))
    assert sorted((list(track) for track in found.tracks), key=len) == [second, first]


def test_an_empty_score_is_a_header_and_an_end():
    assert encode(Score([]))[:, codec.PART].tolist() == [METER, TEMPO, END]


def test_what_follows_the_end_is_ignored():
    events = encode(Score([Track([Note(0, C, 24)])]))
    assert decode(np.concatenate([events, events])) == decode(events)


def test_a_meter_that_is_taken_back_leaves_the_bars_running():
    rows = [[0, METER, FOUR_FOUR, 0, 0], [0, TEMPO, 0, 0, 0], [0, SLOT, 0, 0, 0], [0, 0, C, 0, 0], [9, METER, 0, 0, 0]]
    assert list(decode(np.array(rows)).meters) == [Meter(0)]


def test_a_part_that_plays_nothing_is_no_track():
    rows = [[0, METER, 0, 0, 0], [0, TEMPO, 0, 0, 0], [0, SLOT, 0, 0, 0], [0, SLOT, 9, 0, 0], [0, 1, C, 5, 0]]
    assert [track.program for track in decode(np.array(rows)).tracks] == [9]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        pytest.param([], "must begin with a METER row and a TEMPO row", id="nothing"),
        pytest.param([[0, 0, C, 5, 0]] * 2, "must begin with a METER row", id="no header"),
        pytest.param([[0, END, 0, 0, 0]] * 3, "must begin with a METER row", id="over before it begins"),
        pytest.param([[97, METER, 0, 0, 0]], r"event 0: gap must be in 0\.\.96, got 97", id="long gap"),
        pytest.param([[0, METER, -1, 0, 0]], r"event 0: pitch must be in 0\.\.128, got -1", id="negative"),
        pytest.param(
            [[0, METER, 0, 0, 0], [0, TEMPO, 0, 0, 0], [0, SLOT, 0, 0, 0], [0, 1, C, 5, 0]],
            "event 3: part 1 was never declared, the header has 1", id="part without a slot",
        ),
    ],
)  # fmt: skip
def test_events_that_spell_nothing_are_refused(rows, message):
    with pytest.raises(CodecError, match=message):
        decode(np.array(rows, np.int16).reshape(-1, 5))
