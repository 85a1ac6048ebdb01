import pytest

from imagemusic.errors import ScoreError
from imagemusic.music.midi.container import read_header
from imagemusic.music.midi.events import SYSTEM_EXCLUSIVE, read_events
from tests.midi_bytes import END, body, chunk, meta, midi, number, off, on, program, scale, track

NOTES = [(0, 0x90, 60, 80), (480, 0x80, 60, 0)]


def read(data):
    notices = []
    header, at = read_header(data)
    return read_events(data, header, at, notices), notices


def messages(data):
    """Channel messages as (tick, status, first, second), and notices."""
    events, notices = read(data)
    rows = zip(events.tick.tolist(), events.status.tolist(), events.first.tolist(), events.second.tolist(), strict=True)
    return [row for row in rows if row[1] != 0xFF], notices


def test_each_track_has_times_of_its_own():
    events, notices = read(midi(track((10, on(60)), (200, off(60))), track((20_000, on(61)))))
    assert events.tick.tolist() == [10, 210, 210, 20_000, 20_000]
    assert events.track.tolist() == [0, 0, 0, 1, 1]
    assert events.ends.tolist() == [210, 20_000]
    assert notices == []


def test_a_status_holds_until_the_next():
    assert messages(midi(track((0, on(60)), (480, b"\x3c\x00"), (0, b"\x3e\x50"), (1, off(62)))))[0] == [
        (0, 0x90, 60, 80), (480, 0x90, 60, 0), (480, 0x90, 62, 80), (481, 0x80, 62, 0)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "between",
    [b"\xf0\x05\x7e\x7f\x09\x01\xf7", meta(1, b"la"), meta(1, bytes(200)), b"\xf8", b"\xf7\x01\xf8"],
    ids=["system exclusive", "text", "long text", "clock", "escaped clock"],
)
@pytest.mark.parametrize("times", [1, 3])
def test_a_status_holds_beyond_what_is_no_channel_message(between, times):
    found, _ = messages(midi(track((0, on(60)), (5, b"\x3c\x00"), *[(0, between)] * times, (2, b"\x3e\x50"))))
    assert found == [(0, 0x90, 60, 80), (5, 0x90, 60, 0), (7, 0x90, 62, 80)]


def test_messages_of_one_data_byte_hold_their_status_too():
    found, _ = messages(
        midi(track((0, program(5)), (1, b"\x06"), (0, on(60)), (3, b"\x3c\x00"), (0, b"\xd0\x10"), (1, b"\x11")))
    )
    assert found == [
        (0, 0xC0, 5, 0),
        (1, 0xC0, 6, 0),
        (1, 0x90, 60, 80),
        (4, 0x90, 60, 0),
        (4, 0xD0, 16, 0),
        (5, 0xD0, 17, 0),
    ]


def test_packets_of_one_message_are_passed_over_whole():
    packets = (0, b"\xf0\x03\x43\x12\x00"), (10, b"\xf7\x03\x90\x12\xf7")
    assert messages(midi(track(*packets, (0, on(60)), (480, off(60)))))[0] == [
        (10, 0x90, 60, 80), (490, 0x80, 60, 0)
    ]  # fmt: skip


def test_an_escaped_channel_message_is_one():
    assert messages(midi(track((0, b"\xf7\x03" + on(60)), (480, off(60)))))[0] == NOTES


def test_the_bytes_of_names_tempos_and_system_exclusives_are_kept():
    events, _ = read(midi(track((0, meta(3, b"Flute")), (0, meta(5, b"la")), (0, b"\xf0\x02\x43\xf7"))))
    assert events.long == [(3, b"Flute"), (SYSTEM_EXCLUSIVE, b"\x43\xf7")]


def test_five_bytes_of_time_are_read_where_they_mean_little():
    assert messages(midi(chunk(b"\x80\x80\x80\x80\x00" + on(60) + b"\x80\x80\x80\x83\x60" + off(60) + END)))[0] == NOTES


@pytest.mark.parametrize("promised", [0, 1, 2])
def test_all_tracks_are_read_whatever_the_header_promises(promised):
    assert len(read(midi(track(*scale()), track(*scale()), promised=promised))[0].ends) == 2


@pytest.mark.parametrize(
    ("data", "notice"),
    [
        (midi(track(*scale(1)), promised=9), "1 of 9 tracks are there"),
        (midi(chunk(body(*scale(1))[:-1])), "a track is cut off"),
        (midi(chunk(body(*scale(1)) + END + body(*scale(2)))), "bytes after the end of a track are left out"),
        (midi(chunk(b"\0\x3c\x50" + number(480) + b"\x3c\x00" + END)), "without a status"),
        (midi(chunk(b"\0" + bytes([0x90, 60, 208]) + END)), "above 127"),
        (midi(track((0, b"\xf4"), *scale(1))), "stray system messages"),
    ],
)
def test_what_is_not_read_as_it_stands_is_said(data, notice):
    found, notices = messages(data)
    assert found[0][:3] == (0, 0x90, 60)
    assert any(notice in said for said in notices)


def test_a_file_without_tracks_is_refused():
    with pytest.raises(ScoreError, match="no tracks in it"):
        read(midi())


def test_times_beyond_a_score_are_refused():
    with pytest.raises(ScoreError, match="4026531825 ticks; at most 2147483647"):
        read(midi(track(*[(2**28 - 1, on(60))] * 15)))
