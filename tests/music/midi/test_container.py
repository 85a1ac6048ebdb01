import pytest

from imagemusic.errors import ScoreError
from imagemusic.music.midi.container import read_header, track_end, unwrap
from tests.midi_bytes import END, chunk, midi, scale, track

FILE = midi(track(*scale()))


def test_a_plain_file_is_left_as_it_is():
    assert unwrap(FILE) is FILE


@pytest.mark.parametrize("size", [len(FILE), 0xFFFF])
def test_a_file_in_an_rmid_file_is_found_whatever_length_it_says(size):
    data = b"RIFF" + (len(FILE) + 12).to_bytes(4, "little") + b"RMIDdata" + size.to_bytes(4, "little") + FILE
    assert unwrap(data) == FILE


def test_what_follows_the_midi_in_an_rmid_file_is_no_part_of_it():
    data = b"RIFF\0\0\0\0RMIDdata" + len(FILE).to_bytes(4, "little") + FILE + b"LIST\4\0\0\0INFO"
    assert unwrap(data) == FILE


def test_a_macbinary_header_is_passed_over():
    assert unwrap(b"\0\x05a.mid" + bytes(121) + FILE) == FILE


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"", "the file is empty"), (b"<html>", "not a MIDI file"), (b"RIFF\0\0\0\0RMIDdata", "without a MIDI file")],
)
def test_bytes_without_a_midi_file_are_refused(data, message):
    with pytest.raises(ScoreError, match=message):
        unwrap(data)


def test_the_header_says_kind_tracks_and_ticks():
    header, end = read_header(midi(track(), track(), kind=1, division=96))
    assert (header.kind, header.tracks, header.ticks_per_beat, header.bpm, end) == (1, 2, 96, None, 14)


def test_a_longer_header_is_passed_over_whole():
    assert read_header(midi(track(), extra=b"\0\0"))[1] == 16


@pytest.mark.parametrize(
    ("division", "ticks", "bpm"),
    [(0xE728, 1000, 60), (0xE804, 96, 60), (0xE350, 2400, 60_000 / 1001), (0xE2FF, 7650, 60)],
)
def test_frames_a_second_become_beats_of_a_second(division, ticks, bpm):
    header, _ = read_header(midi(track(), division=division))
    assert (header.ticks_per_beat, header.bpm) == (ticks, pytest.approx(bpm))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"MThd", "header is cut off"),
        (midi(track(), division=0), "ticks per beat must be at least 1, got 0"),
        (midi(track(), division=0xC028), "64 frames a second"),
        (midi(track(), division=0xE700), "of 0 ticks"),
    ],
)
def test_a_header_that_means_nothing_is_refused(data, message):
    with pytest.raises(ScoreError, match=f"damaged MIDI file .*{message}"):
        read_header(data)


def end_of_first(data):
    notices = []
    return track_end(data, data.find(b"MTrk") + 8, notices) - data.find(b"MTrk") - 8, notices


def test_the_length_of_a_track_counts_where_something_fits_behind_it():
    assert end_of_first(midi(chunk(END))) == (4, [])
    assert end_of_first(midi(chunk(END), track())) == (4, [])
    assert end_of_first(midi(chunk(END), chunk(b"x", b"XFIH"))) == (4, [])
    assert end_of_first(midi(chunk(END)) + bytes(100)) == (4, [])


def test_a_wrong_length_is_put_right_with_a_notice():
    assert end_of_first(midi(chunk(END, length=12), track())) == (
        4,
        ["a track has a wrong length: read up to the next track"],
    )
    assert end_of_first(midi(chunk(END, length=0))) == (4, ["a track has a wrong length: read up to the next track"])
    length, notices = end_of_first(midi(chunk(END, length=0xFFFFFFFF)))
    assert length == 4 and "cut off" in notices[0]
