"""The bytes of a MIDI file to its header and the bounds of its tracks.

    RIFF-RMID, MacBinary ──> MThd: kind, ticks ──> MTrk: where each track begins and may end

Lengths that do not fit are put right where the next `MTrk` shows what was meant; each such repair is a notice.
"""

from dataclasses import dataclass

from imagemusic.errors import ScoreError

HEADER, TRACK = b"MThd", b"MTrk"
MACBINARY = 128  # bytes of its header
NTSC = 29  # frames a second, by which MIDI means 30000 / 1001
FRAME_RATES = (24, 25, NTSC, 30)


@dataclass(frozen=True, slots=True)
class Header:
    """What the header chunk says."""

    kind: int  # 0 one track, 1 tracks at once, 2 patterns one after another
    tracks: int  # promised
    ticks_per_beat: int
    bpm: float | None = None  # of files timed in frames, whose beats are seconds; tempos do not count there


def unwrap(data: bytes) -> bytes:
    """Return the MIDI file inside of an RMID file or behind a MacBinary header; other bytes as they are.

    Raises:
        ScoreError: there is none.
    """
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        start = data.find(HEADER)
        if start < 0:
            raise ScoreError("an RMID file without a MIDI file in it")
        size = int.from_bytes(data[start - 4 : start], "little")
        return data[start : start + size] if data[start - 8 : start - 4] == b"data" else data[start:]
    if data[:4] != HEADER and data[MACBINARY : MACBINARY + 4] == HEADER:
        return data[MACBINARY:]
    if data[:4] != HEADER:
        raise ScoreError("not a MIDI file, which starts with 'MThd'" if data else "the file is empty")
    return data


def read_header(data: bytes) -> tuple[Header, int]:
    """Read the header chunk; return it and where it ends.

    Raises:
        ScoreError: it is cut off, or its division of time means nothing.
    """
    length = int.from_bytes(data[4:8], "big")
    if length < 6 or len(data) < 14:
        raise ScoreError("damaged MIDI file (its header is cut off)")
    kind, tracks, division = (int.from_bytes(data[at : at + 2], "big") for at in (8, 10, 12))
    end = 8 + length if data[8 + length : 12 + length] == TRACK else max(data.find(TRACK, 14), 14)
    if division < 0x8000:
        if division == 0:
            raise ScoreError("damaged MIDI file (ticks per beat must be at least 1, got 0)")
        return Header(kind, tracks, division), end
    frames, ticks = 256 - (division >> 8), division & 0xFF
    if frames not in FRAME_RATES or ticks == 0:
        raise ScoreError(f"damaged MIDI file ({frames} frames a second of {ticks} ticks; known are 24, 25, 29 and 30)")
    if frames == NTSC:
        return Header(kind, tracks, 30 * ticks, 60_000 / 1001), end
    return Header(kind, tracks, frames * ticks, 60.0), end


def track_end(data: bytes, start: int, notices: list[str]) -> int:
    """Return where the track whose events begin at `start` ends at the latest."""
    end = start + int.from_bytes(data[start - 4 : start], "big")
    if end == len(data) or data[end : end + 4] == TRACK or _is_chunk(data, end) or _is_padding(data, end):
        return end
    following = data.find(TRACK, start)
    if end > len(data) and following < 0:
        notices.append("the file is cut off or a length in it is wrong: read up to its last byte")
    else:
        notices.append("a track has a wrong length: read up to the next track")
    return following if following >= 0 else len(data)


def _is_chunk(data: bytes, at: int) -> bool:
    """Return whether a chunk of another program begins at `at`."""
    length = int.from_bytes(data[at + 4 : at + 8], "big")
    return at + 8 + length <= len(data) and at + 8 <= len(data) and data[at : at + 4].isalnum()


def _is_padding(data: bytes, at: int) -> bool:
    """Return whether only zeros and white space follow."""
    return at <= len(data) and not data[at:].strip(b"\0 \t\r\n\x1a")
