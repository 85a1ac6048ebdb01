"""The bytes of tracks to one table of events.

    bytes ── runs by a regular expression, other events one by one ──> delta [status] data data ... ── numpy ──> Events

Runs of channel messages with two data bytes, nearly all of a file, are copied whole.  All other events are written in
the same form: a program change with a second data byte of 0, a meta or system exclusive event as MARK 0 0, or, if a
score needs its bytes, as MARK 1 0 with these in a list beside.  Of bytes below 128 in that form, each third ends a
delta time, so numpy reads it without a loop.
"""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagemusic.errors import ScoreError
from imagemusic.music.midi.container import TRACK, Header, track_end

Integers = NDArray[np.int64]

MARK = 0xFF  # status of an event whose bytes are in the list of long events
SYSTEM_EXCLUSIVE, ESCAPE, META, END_OF_TRACK = 0xF0, 0xF7, 0xFF, 0x2F
TRACK_NAME, PORT, SET_TEMPO, TIME_SIGNATURE, KEY_SIGNATURE = 0x03, 0x21, 0x51, 0x58, 0x59
KEPT = {TRACK_NAME, PORT, SET_TEMPO, TIME_SIGNATURE, KEY_SIGNATURE, SYSTEM_EXCLUSIVE}
NOTE_ON = 0x90
NO_STATUS, OF_LAST_RUN = 0, -1  # in place of a running status
LONGEST_DELTA = 2**28 - 1  # largest number of ticks that one MIDI delta time holds
MOST_TICKS = 2**31 - 1

DELTA, STATUS, DATA = rb"[\x80-\xff]{0,3}+[\x00-\x7f]", rb"[\x80-\xbf\xe0-\xef]", rb"[\x00-\x7f]{2}"
CONTINUED = re.compile(rb"(?:%b%b?+%b)++" % (DELTA, STATUS, DATA))
RUN = re.compile(rb"%b%b%b(?:%b%b?+%b)*+" % (DELTA, STATUS, DATA, DELTA, STATUS, DATA))
META_EVENT = re.compile(rb"(%b)\xff([\x00-\x2e\x30-\x7f])([\x00-\x7f])" % DELTA)  # except the end of track
FIRST_DELTA = re.compile(DELTA)


@dataclass(frozen=True, slots=True)
class Events:
    """All events of a file, track by track, in order of the file."""

    tick: Integers  # (N,)
    track: Integers  # (N,)
    status: Integers  # (N,) MARK for long ones
    first: Integers  # (N,) data bytes
    second: Integers  # (N,)
    long: list[tuple[int, bytes]]  # of the rows with MARK and 1: kind of a meta event, or SYSTEM_EXCLUSIVE; bytes
    ends: Integers  # (T,) tick at which each track ends


def read_events(data: bytes, header: Header, at: int, notices: list[str]) -> Events:
    """Read the tracks from `at` on.

    Raises:
        ScoreError: no track is there, or times are beyond what a score holds.
    """
    reader = _Reader(data, notices)
    bounds = [0]
    while (at := data.find(TRACK, at) if data[at : at + 4] != TRACK else at) >= 0 and at + 8 <= len(data):
        end = track_end(data, at + 8, notices)
        stopped = reader.read_track(at + 8, end)
        bounds.append(len(reader.out))
        at = stopped if data[stopped : stopped + 4] == TRACK else end
    found = len(bounds) - 1
    if not found:
        raise ScoreError("damaged MIDI file (no tracks in it)")
    if header.tracks > found:
        notices.append(f"{found} of {header.tracks} tracks are there")
    return _decode(bytes(reader.out), bounds, reader.long)


class _Reader:
    """Writes the events of tracks in one form to `out`, and long events to `long`."""

    def __init__(self, data: bytes, notices: list[str]) -> None:
        self.data, self.notices = data, notices
        self.out = bytearray()
        self.long: list[tuple[int, bytes]] = []
        self.in_packets = False

    def read_track(self, at: int, end: int) -> int:
        """Read events from `at` until the end of track or `end`; return where reading stopped."""
        data, status = self.data, NO_STATUS
        self.in_packets = False
        while at < end:
            continued = status == OF_LAST_RUN or 0x80 <= status < 0xC0 or 0xE0 <= status < 0xF0
            if run := (CONTINUED if continued else RUN).match(data, at, end):
                self._copy(run, status)
                at, status = run.end(), OF_LAST_RUN
                continue
            if (meta := META_EVENT.match(data, at, end)) and meta.end() + meta[3][0] <= end:  # most of the others
                at = meta.end() + meta[3][0]
                self._write_long(meta[1], meta[2][0], data[meta.end() : at])
                continue
            try:
                at, status = self._read_event(at, end, status)
            except IndexError:
                self._say("a track is cut off: read up to there")
                return end
            if status == END_OF_TRACK:
                if data[at:end].strip(b"\0 \r\n") and data[at : at + 4] != TRACK:
                    self._say(f"{end - at} bytes after the end of a track are left out")
                return at
        return at

    def _copy(self, run: re.Match[bytes], status: int) -> None:
        """Copy a run; where it begins in running status, with that status."""
        delta = FIRST_DELTA.match(self.data, run.start())
        after = delta.end() if delta else run.start()
        if self.data[after] < 0x80:
            status = self._last_status() if status == OF_LAST_RUN else status
            self.out += self.data[run.start() : after] + bytes([status]) + self.data[after : run.end()]
        else:
            self.out += run[0]

    def _last_status(self) -> int:
        """Return the last status written other than MARK; it is followed by two bytes below 128, or six, or nine ..."""
        low = 0
        for byte in reversed(self.out):
            if byte < 0x80:
                low += 1
            elif low % 3 == 2 and byte != MARK:
                return byte
        raise AssertionError("a run has been written, and it begins with a status")

    def _read_event(self, at: int, end: int, status: int) -> tuple[int, int]:
        """Read one event; return where it ends and the running status, or END_OF_TRACK.

        Raises:
            IndexError: it goes on beyond `end`.
        """
        data = self.data
        at, delta = self._number(at, end)
        kind = data[_inside(at, end)]
        if kind >= 0xF0:
            return self._read_system(at, end, delta, kind, status)
        if kind >= 0x80:
            status, at = kind, at + 1
        elif status == OF_LAST_RUN:
            status = self._last_status()
        elif status == NO_STATUS:
            self._say("a message without a status at the start of a track is read as a note of channel 1")
            status = NOTE_ON
        size = 1 if 0xC0 <= status < 0xE0 else 2
        _inside(at + size - 1, end)
        values = data[at : at + size]
        if max(values) > 127:
            self._say("data bytes above 127 are read as 127")
        self._write(delta, status, *(min(value, 127) for value in values))
        return at + size, status

    def _read_system(self, at: int, end: int, delta: int, kind: int, status: int) -> tuple[int, int]:
        """Read a meta, system exclusive, escaped or stray system message; running status goes on after all of them."""
        data = self.data
        if kind == META:
            meta = data[_inside(at + 1, end)]
            at, size = self._number(at + 2, end)
            content = data[at : min(at + size, end)]
            self._write_long(_spell(delta), meta, content)
            if meta == END_OF_TRACK:
                return min(at + size, end), END_OF_TRACK
            _inside(at + size - 1, end) if size else None
            return at + size, status
        if kind in (SYSTEM_EXCLUSIVE, ESCAPE):
            at, size = self._number(at + 1, end)
            content = data[at : min(at + size, end)]
            is_packet = kind == ESCAPE and self.in_packets
            if kind == SYSTEM_EXCLUSIVE or is_packet:
                self.in_packets = content[-1:] != b"\xf7"
            if kind == ESCAPE and not is_packet and len(content) in (2, 3) and 0x80 <= content[0] < 0xF0:
                self._write(delta, content[0], *(value & 127 for value in content[1:]))
            else:
                self._write_long(_spell(delta), SYSTEM_EXCLUSIVE, b"" if is_packet else content)
            _inside(at + size - 1, end) if size else None
            return at + size, status
        self._say("stray system messages are left out")
        self._write_long(_spell(delta), SYSTEM_EXCLUSIVE, b"")
        return at + {0xF1: 2, 0xF2: 3, 0xF3: 2}.get(kind, 1), status

    def _number(self, at: int, end: int) -> tuple[int, int]:
        """Read a number, seven bits a byte; return where it ends and the number."""
        value = 0
        while (byte := self.data[_inside(at, end)]) >= 0x80 and value <= LONGEST_DELTA:
            value, at = value << 7 | byte & 0x7F, at + 1
        value = value << 7 | byte
        if value > LONGEST_DELTA:
            raise IndexError
        return at + 1, value

    def _write(self, delta: int, status: int, first: int, second: int = 0) -> None:
        self.out += _spell(delta) + bytes((status, first, second))

    def _write_long(self, delta: bytes, kind: int, content: bytes) -> None:
        self.out += delta
        if kind in KEPT:
            self.out += b"\xff\x01\0"
            self.long.append((kind, content))
        else:
            self.out += b"\xff\0\0"

    def _say(self, notice: str) -> None:
        if notice not in self.notices:
            self.notices.append(notice)


def _spell(delta: int) -> bytes:
    """Spell a delta time, seven bits a byte."""
    digits = [delta & 0x7F]
    while delta := delta >> 7:
        digits.append(delta & 0x7F | 0x80)
    return bytes(reversed(digits))


def _inside(at: int, end: int) -> int:
    """Return `at`.

    Raises:
        IndexError: it is not before `end`.
    """
    if at >= end:
        raise IndexError
    return at


def _decode(data: bytes, bounds: list[int], long: list[tuple[int, bytes]]) -> Events:
    """Decode bytes in the form of this module; track i is bytes bounds[i] to bounds[i + 1].

    Raises:
        ScoreError: a track is longer than a score holds.
    """
    code = np.frombuffer(data, np.uint8)
    delta_end, first, second = np.flatnonzero(code < 0x80).reshape(-1, 3).T
    begin = np.empty_like(second)
    begin[:1], begin[1:] = 0, second[:-1] + 1
    delta, more = code[delta_end].astype(np.int64), delta_end - begin
    for place in range(1, int(more.max(initial=0)) + 1):
        longer = np.flatnonzero(more >= place)
        delta[longer] += (code[delta_end[longer] - place] & 0x7F).astype(np.int64) << 7 * place
    spelled = np.flatnonzero(first - delta_end == 2)
    status = np.repeat(code[delta_end[spelled] + 1], np.diff(spelled, append=len(first))).astype(np.int64)

    borders = np.searchsorted(begin, bounds)
    sizes = np.diff(borders)
    track = np.repeat(np.arange(len(sizes)), sizes)
    total = np.concatenate([[0], np.cumsum(delta)])
    tick = total[1:] - total[borders[:-1]][track]
    ends = total[borders[1:]] - total[borders[:-1]]
    if ends.max(initial=0) > MOST_TICKS:
        raise ScoreError(f"a MIDI file of {ends.max()} ticks; at most {MOST_TICKS} can be read")
    return Events(tick, track, status, code[first].astype(np.int64), code[second].astype(np.int64), long, ends)
