import io

import mido
import numpy as np
import pretty_midi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagemusic.errors import OutputError, ScoreError
from imagemusic.music.midi import load_midi, midi_bytes, save_midi
from imagemusic.music.score import Key, Meter, Note, Score, Tempo, Track

C, G = 60, 67


@st.composite
def tracks(draw):
    notes = []
    for pitch in draw(st.lists(st.integers(0, 127), min_size=1, max_size=4, unique=True)):
        now = 0
        for gap, duration in draw(st.lists(st.tuples(st.integers(0, 90), st.integers(1, 300)), min_size=1, max_size=5)):
            notes.append(Note(now + gap, pitch, duration, draw(st.integers(1, 127))))
            now += gap + duration
    name = draw(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=8))
    return Track(notes, draw(st.integers(0, 127)), draw(st.booleans()), name)


ticks = st.integers(0, 10_000)
scores = st.builds(
    Score,
    st.lists(tracks(), max_size=20),
    st.lists(
        st.builds(lambda tick, micro: Tempo(tick, 60e6 / micro), ticks, st.integers(6_000, 2**24 - 1)),
        max_size=3,
        unique_by=lambda tempo: tempo.tick,
    ),
    st.lists(
        st.builds(Meter, ticks, st.integers(1, 255), st.sampled_from([1, 2, 4, 8, 16, 32, 64])),
        max_size=3,
        unique_by=(lambda meter: meter.tick, lambda meter: (meter.numerator, meter.denominator)),
    ),
    st.lists(st.builds(Key, ticks, st.integers(-7, 7), st.booleans()), max_size=3, unique_by=lambda key: key.tick),
    ticks_per_beat=st.sampled_from([1, 24, 480, 32_767]),
)


@settings(max_examples=150, deadline=None)
@given(scores)
def test_reading_undoes_writing(score):
    data = midi_bytes(score)
    assert load_midi(data) == score
    assert midi_bytes(load_midi(data)) == data


def test_a_small_file_is_spelled_by_hand():
    score = Score([Track([Note(0, C, 24, 80)], 40, name="Vl")], [Tempo(0, 120)], [Meter(0, 3, 4)], [Key(0, -1)])
    assert midi_bytes(score) == (
        b"MThd\0\0\0\x06\0\x01\0\x02\0\x18"
        b"MTrk\0\0\0\x19\0\xff\x51\x03\x07\xa1\x20\0\xff\x58\x04\x03\x02\x18\x08\0\xff\x59\x02\xff\0\0\xff\x2f\0"
        b"MTrk\0\0\0\x15\0\xff\x03\x02Vl\0\xc0\x28\0\x90\x3c\x50\x18\x80\x3c\0\0\xff\x2f\0"
    )


def test_other_readers_see_the_same_notes_names_and_programs():
    violin = Track([Note(24 * i, G, 24, 90) for i in range(4)], 40, name="Violin")
    score = Score([violin, Track([Note(0, 36, 24, 99)], 0, True, "Drums")], [Tempo(0, 60)], [Meter(0, 3, 4)])
    data = midi_bytes(score)

    pretty = pretty_midi.PrettyMIDI(io.BytesIO(data))
    assert [(i.name, i.program, i.is_drum) for i in pretty.instruments] == [("Violin", 40, False), ("Drums", 0, True)]
    assert [(n.start, n.end, n.pitch, n.velocity) for n in pretty.instruments[0].notes][3] == (3.0, 4.0, G, 90)
    plain = mido.MidiFile(file=io.BytesIO(data))
    assert [track.name for track in plain.tracks] == ["", "Violin", "Drums"]
    assert plain.length == pytest.approx(4.0)


def channels_and_ports(score):
    places = []
    for track in mido.MidiFile(file=io.BytesIO(midi_bytes(score))).tracks[1:]:
        port = next((m.port for m in track if m.type == "midi_port"), 0)
        places.append((port, next(m.channel for m in track if m.type == "note_on")))
    return places


def test_fifteen_pitched_tracks_have_a_channel_each_and_drums_have_the_tenth():
    same = [Track([Note(0, C, 1)], 40) for _ in range(15)]
    places = channels_and_ports(Score([*same, Track([Note(0, 36, 1)], 0, True)]))
    assert places == [(0, channel) for channel in (*range(9), *range(10, 16), 9)]


def test_of_more_tracks_those_of_one_program_share_a_channel():
    orchestra = Score([Track([Note(0, C, 1)], program) for program in (*range(10), *range(10))])
    assert channels_and_ports(orchestra) == [(0, channel) for channel in (*range(9), 10)] * 2
    assert load_midi(midi_bytes(orchestra)) == orchestra


def test_more_than_fifteen_programs_go_to_a_second_port():
    score = Score([Track([Note(0, C, 1)], program) for program in range(17)])
    assert channels_and_ports(score)[-3:] == [(0, 15), (1, 0), (1, 1)]
    assert load_midi(midi_bytes(score)) == score


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (Score([], ticks_per_beat=40_000), "at most 32767 ticks a beat, got 40000"),
        (Score([], [Tempo(0, 2)]), r"tempos of 3\.576 bpm and more, got 2"),
        (Score([], keys=[Key(0, 8)]), "7 flats to 7 sharps, got 8"),
        (Score([Track([Note(2**29, C, 1)])]), "ticks between two events"),
    ],
)
def test_what_midi_cannot_hold_is_refused(score, message):
    with pytest.raises(ScoreError, match=message):
        midi_bytes(score)


def test_writing_is_whole_or_not_at_all(tmp_path):
    score = Score([Track(np.array([[0, C, 24, 80]]))])
    save_midi(score, tmp_path / "a.mid")
    assert load_midi(tmp_path / "a.mid") == score
    assert [path.name for path in tmp_path.iterdir()] == ["a.mid"]
    with pytest.raises(OutputError, match=r"a\.mid: cannot be written \(No such file or directory\)"):
        save_midi(score, tmp_path / "missing" / "a.mid")


def test_a_name_that_is_no_text_is_written_as_far_as_it_goes():
    score = Score([Track([Note(0, C, 1)], name="a\udcffb")])
    assert load_midi(midi_bytes(score)).tracks[0].name == "a?b"
