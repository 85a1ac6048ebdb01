"""Scores to MIDI files: MTrk 0 has tempos, meters and keys, each further MTrk a track.

The writer is ours because channels, names and programs are what a musician sees first in a sequencer, and because
equal scores must give equal bytes.
"""

from collections.abc import Sequence
from pathlib import Path

from imagemusic.errors import ScoreError
from imagemusic.files import write_atomically
from imagemusic.music.score import NoteArray, Score, Track

DRUM_CHANNEL = 9
PITCHED_CHANNELS = tuple(channel for channel in range(16) if channel != DRUM_CHANNEL)
LONGEST_DELTA = 2**28 - 1  # largest number of ticks that one MIDI delta time holds
SLOWEST_BPM = 60e6 / (2**24 - 1)  # a tempo is three bytes of microseconds a beat

NOTE_OFF, NOTE_ON, PROGRAM_CHANGE = 0x80, 0x90, 0xC0
TRACK_NAME, PORT, END_OF_TRACK, SET_TEMPO, TIME_SIGNATURE, KEY_SIGNATURE = 0x03, 0x21, 0x2F, 0x51, 0x58, 0x59


def midi_bytes(score: Score) -> bytes:
    """Spell a score as a type-1 MIDI file; equal scores give equal bytes.

    Every pitched track has a channel of its own as long as there are 15 at most; with more, tracks of one program
    share, and programs beyond 15 go to further MIDI ports.

    Raises:
        ScoreError: a tempo, key or time that MIDI cannot hold.
    """
    if score.ticks_per_beat > 32_767:
        raise ScoreError(f"MIDI holds at most 32767 ticks a beat, got {score.ticks_per_beat}")
    chunks = [_chunk(b"MTrk", _spell(_changes(score)))]
    for track, (port, channel) in zip(score.tracks, _places(score.tracks), strict=True):
        start = [_meta(TRACK_NAME, track.name.encode(errors="replace"))] if track.name else []
        start += [_meta(PORT, bytes([port]))] if port else []
        start += [bytes([PROGRAM_CHANGE | channel, track.program])]
        chunks.append(_chunk(b"MTrk", _spell([(0, event) for event in start] + _note_events(track.notes, channel))))
    numbers = (1, len(chunks), score.ticks_per_beat)
    return _chunk(b"MThd", b"".join(n.to_bytes(2, "big") for n in numbers)) + b"".join(chunks)


def save_midi(score: Score, path: str | Path) -> None:
    """Write a MIDI file, whole or not at all.

    Raises:
        ScoreError: MIDI cannot hold the score.
        OutputError: the file cannot be written.
    """
    write_atomically(Path(path), midi_bytes(score))


def _places(tracks: Sequence[Track]) -> list[tuple[int, int]]:
    """Choose a (port, channel) for each track."""
    pitched = [track.program for track in tracks if not track.is_drum]
    programs, kits = list(dict.fromkeys(pitched)), list(dict.fromkeys(t.program for t in tracks if t.is_drum))
    alone = len(pitched) <= len(PITCHED_CHANNELS)
    places, seen = [], 0
    for track in tracks:
        if track.is_drum:
            places.append((kits.index(track.program), DRUM_CHANNEL))
            continue
        port, channel = divmod(seen if alone else programs.index(track.program), len(PITCHED_CHANNELS))
        places.append((port, PITCHED_CHANNELS[channel]))
        seen += 1
    return places


def _changes(score: Score) -> list[tuple[int, bytes]]:
    """Spell tempos, meters and keys as (tick, event), sorted by tick."""
    events = []
    for tempo in score.tempos:
        if tempo.bpm < SLOWEST_BPM:
            raise ScoreError(f"MIDI holds tempos of {SLOWEST_BPM:.3f} bpm and more, got {tempo.bpm}")
        events.append((tempo.tick, _meta(SET_TEMPO, round(60e6 / tempo.bpm).to_bytes(3, "big"))))
    for meter in score.meters:
        power = meter.denominator.bit_length() - 1
        clicks = 36 if meter.denominator == 8 and meter.numerator % 3 == 0 else 24  # a click of the metronome
        events.append((meter.tick, _meta(TIME_SIGNATURE, bytes([meter.numerator, power, clicks, 8]))))
    for key in score.keys:
        if not -7 <= key.fifths <= 7:
            raise ScoreError(f"MIDI holds keys of 7 flats to 7 sharps, got {key.fifths} sharps")
        events.append((key.tick, _meta(KEY_SIGNATURE, bytes([key.fifths & 0xFF, key.minor]))))
    return sorted(events, key=lambda event: event[0])


def _note_events(notes: NoteArray, channel: int) -> list[tuple[int, bytes]]:
    """Spell notes (N, 4) as (tick, event); on one tick keys are released before others are struck."""
    events = []
    for onset, pitch, duration, velocity in notes.tolist():
        events.append((onset, 1, bytes([NOTE_ON | channel, pitch, velocity])))
        events.append((onset + duration, 0, bytes([NOTE_OFF | channel, pitch, 0])))
    return [(tick, event) for tick, _, event in sorted(events)]


def _spell(events: list[tuple[int, bytes]]) -> bytes:
    """Join (tick, event), sorted by tick, with the time since the event before."""
    out, now = bytearray(), 0
    for tick, event in events:
        out += _number(tick - now) + event
        now = tick
    return bytes(out + _number(0) + _meta(END_OF_TRACK, b""))


def _meta(kind: int, data: bytes) -> bytes:
    return bytes([0xFF, kind]) + _number(len(data)) + data


def _number(value: int) -> bytes:
    """Spell a number of 28 bits, seven to a byte, the first byte highest."""
    if value > LONGEST_DELTA:
        raise ScoreError(f"MIDI holds at most {LONGEST_DELTA} ticks between two events, got {value}")
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(value & 0x7F | 0x80)
    return bytes(reversed(digits))


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + len(data).to_bytes(4, "big") + data
