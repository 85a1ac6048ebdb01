import pytest

from imagemusic.errors import ScoreError
from imagemusic.music.midi import load_corpus_midi, load_midi
from imagemusic.music.score import Note
from tests.midi_bytes import control, meta, midi, off, on, program, scale, track

REGULAR = midi(
    track((0, meta(0x51, b"\x07\xa1\x20")), (0, meta(0x58, b"\x03\x02\x18\x08")), (0, meta(0x59, b"\xff\x00"))),
    track((0, meta(3, b"Flute")), (0, program(73)), (0, control(64, 127)), *scale(5), (100, control(64, 0))),
    track((0, meta(3, b"Drums")), *scale(3, 9, 36)),
)


@pytest.mark.parametrize("fold_pedal", [False, True])
def test_a_regular_file_is_read_the_same_by_both_readers(fold_pedal):
    assert load_corpus_midi(REGULAR, fold_pedal=fold_pedal) == load_midi(REGULAR, fold_pedal=fold_pedal)


def test_what_prepared_sets_left_out_stays_out():
    data = midi(track((0, program(9))), track((0, on(60)), (0, on(64)), (10, off(64))))
    (part,) = load_corpus_midi(data).tracks
    assert (part.program, list(part)) == (0, [Note(0, 64, 10)])


def test_a_damaged_file_is_refused():
    with pytest.raises(ScoreError, match="damaged MIDI file"):
        load_corpus_midi(REGULAR[:-6])
