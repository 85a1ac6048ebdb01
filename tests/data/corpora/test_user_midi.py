import pytest

from imagemusic.data.corpora import user_midi
from imagemusic.data.corpora.user_midi import read_user_midi
from imagemusic.errors import ScoreError
from tests.midi_bytes import control, meta, midi, off, on, scale, track

PEDAL, LIFT = (0, control(64, 127)), (480, control(64, 0))
PLAYED = [event for i in range(6) for event in ((37, on(60 + i)), (74, off(60 + i)))]  # on no grid of 480 ticks


def lengths(data):
    return [note.duration for part in read_user_midi(data).tracks for note in part]


def test_the_pedal_lengthens_what_was_played_and_not_what_was_written():
    assert lengths(midi(track(PEDAL, *scale(3), LIFT))) == [480, 480, 480]
    assert lengths(midi(track(PEDAL, *PLAYED, LIFT))) == [1109 - 111 * i for i in range(6)]


def test_without_notes_nothing_is_played():
    assert read_user_midi(midi(track())).note_count == 0


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ([(0, on(60)), (480 * 2 * 7201, off(60))], "of 7201 seconds; at most 7200"),
        ([(0, meta(0x51, b"\0\0\1")), (0, on(60)), (480 * 100_001, off(60))], "of 100001 beats; at most 100000"),
        (scale(9), "of 9 notes; at most 8"),
    ],
)
def test_what_is_too_much_is_refused_before_it_is_prepared(events, message, monkeypatch):
    monkeypatch.setattr(user_midi, "MOST_NOTES", 8)
    with pytest.raises(ScoreError, match=f"a MIDI file {message} are prepared"):
        read_user_midi(midi(track(*events)))
