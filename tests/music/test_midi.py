import io
import random

import mido
import numpy as np
import pretty_midi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagemusic.errors import OutputError, ScoreError
from imagemusic.music.midi import load_midi, midi_bytes, save_midi
from imagemusic.music.score import Key, Meter, Note, Score, Tempo, Track

C, E, G = 60, 64, 67


def file_of(*tracks, ticks_per_beat=480):
    """Spell lists of mido messages as a MIDI file."""
    midi = mido.MidiFile(ticks_per_beat=ticks_per_beat)
    midi.tracks.extend(mido.MidiTrack(track) for track in tracks)
    buffer = io.BytesIO()
    midi.save(file=buffer)
    return buffer.getvalue()


def on(pitch, time=0, velocity=80, channel=0):
    return mido.Message("note_on", note=pitch, velocity=velocity, time=time, channel=channel)


def off(pitch, time=0, channel=0):
    return mido.Message("note_off", note=pitch, time=time, channel=channel)


def pedal(value, time=0):
    return mido.Message("control_change", control=64, value=value, time=time)


def notes_of(data, **options):
    return [note for track in load_midi(data, **options).tracks for note in track]


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
        unique_by=lambda meter: meter.tick,
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


def test_what_the_file_does_not_say_stays_unknown():
    score = load_midi(file_of([on(C), off(C, 480)]))
    assert (score.tempos, score.meters, score.keys, score.ticks_per_beat) == ((), (), (), 480)


def test_a_note_of_no_length_lasts_a_tick_and_one_never_released_is_left_out():
    assert notes_of(file_of([on(C), off(C), on(E), on(G), off(G, 10)])) == [Note(0, C, 1), Note(0, G, 10)]


def test_velocity_zero_releases_a_key():
    assert notes_of(file_of([on(C), on(C, 30, velocity=0)])) == [Note(0, C, 30)]


def test_two_notes_on_one_key_end_in_the_order_in_which_they_began():
    assert notes_of(file_of([on(C), on(C, 10), off(C, 10), off(C, 10)])) == [Note(0, C, 20), Note(10, C, 20)]


def test_a_data_byte_above_127_is_read_as_127():
    data = file_of([on(C, velocity=100), off(C, 30)]).replace(b"\x3c\x64", b"\x3c\xe4")
    assert notes_of(data) == [Note(0, C, 30, 127)]


def test_a_program_change_inside_a_track_begins_another_track():
    change = mido.Message("program_change", program=9)
    score = load_midi(file_of([on(C), off(C, 10), change, on(E), off(E, 10)]))
    assert [(track.program, list(track)) for track in score.tracks] == [(0, [Note(0, C, 10)]), (9, [Note(10, E, 10)])]


def test_the_key_most_parts_give_is_kept_and_the_later_tempo_wins():
    keys = [[mido.MetaMessage("key_signature", key=key)] for key in ("C", "D", "D", "F")]
    tempos = [mido.MetaMessage("set_tempo", tempo=micro) for micro in (500_000, 400_000)]
    score = load_midi(file_of(tempos, *keys, [on(C), off(C, 1)]))
    assert score.keys == (Key(0, 2),)
    assert score.tempos == (Tempo(0, 150),)


def test_the_pedal_holds_notes_until_it_is_lifted_or_the_key_is_struck_again():
    under_the_pedal = [on(C), off(C, 10), on(E), off(E, 10), on(C, 10), off(C, 10)]
    data = file_of([pedal(127), *under_the_pedal, pedal(0, 60), on(G), off(G, 5)])
    assert notes_of(data, fold_pedal=True) == [Note(0, C, 30), Note(10, E, 90), Note(30, C, 70), Note(100, G, 5)]
    assert notes_of(data) == [Note(0, C, 10), Note(10, E, 10), Note(30, C, 10), Note(100, G, 5)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "bad.mid: the file is empty"),
        (b"Twinkle, twinkle\n", "bad.mid: not a MIDI file"),
        (b"MThd", "bad.mid: damaged MIDI file"),
        (file_of([on(C), off(C, 10)])[:-6], "bad.mid: damaged MIDI file"),
        (file_of([on(C), off(C, 10)]).replace(b"\x01\xe0", b"\xe7\x28"), "bad.mid: damaged MIDI file"),  # SMPTE time
        (file_of([on(C), off(C, 10)]).replace(b"\x01\xe0", b"\0\0"), "bad.mid: damaged MIDI file"),
    ],
    ids=["empty", "text", "header only", "truncated", "frames instead of beats", "no ticks"],
)
def test_an_unreadable_file_is_named_in_one_line(tmp_path, content, message):
    path = tmp_path / "bad.mid"
    path.write_bytes(content)
    with pytest.raises(ScoreError, match=message) as caught:
        load_midi(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(ScoreError, match=r"gone\.mid: cannot read it \(No such file"):
        load_midi(tmp_path / "gone.mid")
    with pytest.raises(ScoreError, match="cannot read it"):
        load_midi(tmp_path)


def test_damaged_bytes_are_read_or_refused_and_nothing_else():
    whole = midi_bytes(Score([Track([Note(i, C + i, 5) for i in range(9)], name="x")], [Tempo(0, 90)], [Meter(0)]))
    chance = random.Random(0)
    for _ in range(400):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            load_midi(bytes(damaged))
        except ScoreError as error:
            assert "MIDI" in str(error)


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
