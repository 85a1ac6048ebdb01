"""Scores to MIDI files and back.

    load_midi   file or bytes ── symusic ──> Score        only what the file says: no default tempo, no default meter
    midi_bytes  Score ── spelled here ──> bytes           MTrk 0: tempos, meters, keys;  MTrk 1..: a track each

The writer is ours because channels, names and programs are what a musician sees first in a sequencer, and because
equal scores must give equal bytes.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagemusic.errors import ScoreError
from imagemusic.files import write_atomically
from imagemusic.music.score import DURATION, ONSET, PITCH, Key, Meter, NoteArray, Score, Tempo, Track

DRUM_CHANNEL = 9
PITCHED_CHANNELS = tuple(channel for channel in range(16) if channel != DRUM_CHANNEL)
LONGEST_DELTA = 2**28 - 1  # largest number of ticks that one MIDI delta time holds
SLOWEST_BPM = 60e6 / (2**24 - 1)  # a tempo is three bytes of microseconds a beat

NOTE_OFF, NOTE_ON, PROGRAM_CHANGE = 0x80, 0x90, 0xC0
TRACK_NAME, PORT, END_OF_TRACK, SET_TEMPO, TIME_SIGNATURE, KEY_SIGNATURE = 0x03, 0x21, 0x2F, 0x51, 0x58, 0x59


def load_midi(source: Path | str | bytes, *, fold_pedal: bool = False) -> Score:
    """Read a MIDI file on its own ticks, a track for each (track, channel, program) that has notes.

    A note of no length lasts one tick; a note that is never released is left out, as no one can say how long it was.

    Args:
        fold_pedal: let a note sound on under the sustain pedal, until the pedal or the same key comes up again.

    Raises:
        ScoreError: the file is missing, empty, damaged or not MIDI.
    """
    import symusic

    where = "MIDI bytes" if isinstance(source, bytes) else str(source)
    try:
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
    except OSError as error:
        raise ScoreError(f"{where}: cannot read it ({error.strerror})") from error
    if data[:4] != b"MThd":
        raise ScoreError(f"{where}: " + ("not a MIDI file, which starts with 'MThd'" if data else "the file is empty"))
    try:
        parsed: Any = symusic.Score.from_midi(data, sanitize_data=True)
    except (RuntimeError, ValueError) as error:  # symusic has no error of its own
        raise ScoreError(f"{where}: damaged MIDI file ({str(error).splitlines()[0]})") from error
    if parsed.tpq < 1:
        raise ScoreError(f"{where}: damaged MIDI file (ticks per beat must be at least 1, got {parsed.tpq})")

    tracks = []
    for part in parsed.tracks:
        columns = part.notes.numpy()
        notes = np.stack([columns[name].astype(np.int32) for name in ("time", "pitch", "duration", "velocity")], axis=1)
        notes = notes[(notes >= 0).all(axis=1) & (notes[:, 3] > 0)]
        if not len(notes):
            continue
        notes[:, DURATION] = np.maximum(notes[:, DURATION], 1)
        if fold_pedal and len(part.pedals):
            pedals = part.pedals.numpy()
            notes = _hold(notes, pedals["time"], pedals["time"] + pedals["duration"])
        tracks.append(Track(notes, int(part.program) & 127, bool(part.is_drum), part.name.strip("\0 \t\r\n")))

    # Of two tempos or meters on one tick the later event wins; values that no Score holds come from damaged files.
    tempos = {t.time: Tempo(t.time, 60e6 / t.mspq) for t in parsed.tempos if 6_000 <= t.mspq <= 60_000_000}
    meters = {
        t.time: Meter(t.time, t.numerator, t.denominator)
        for t in parsed.time_signatures
        if t.numerator >= 1 and 1 <= t.denominator <= 64
    }
    # Transposing instruments give the key as they read it, so the key that most parts give is the one that sounds.
    votes: dict[int, Counter[Key]] = defaultdict(Counter)
    for k in parsed.key_signatures:
        if -7 <= k.key <= 7:
            votes[k.time][Key(k.time, k.key, bool(k.tonality))] += 1
    keys = tuple(vote.most_common(1)[0][0] for vote in votes.values())
    return Score(tracks, tuple(tempos.values()), tuple(meters.values()), keys, ticks_per_beat=parsed.tpq)


def _hold(notes: NoteArray, down: NDArray[np.int32], up: NDArray[np.int32]) -> NoteArray:
    """Lengthen notes (N, 4) released while the pedal is between `down` and `up` (P,), never past the next same key."""
    notes = notes[np.lexsort((notes[:, ONSET], notes[:, PITCH]))]
    order = np.argsort(down, kind="stable")
    down, up = down[order], up[order]
    offset = notes[:, ONSET] + notes[:, DURATION]
    pedal = np.searchsorted(down, offset, side="right") - 1
    held = np.where(pedal >= 0, np.maximum(offset, up[pedal]), offset)
    same_key = notes[1:, PITCH] == notes[:-1, PITCH]
    struck_again = np.append(np.where(same_key, notes[1:, ONSET], np.iinfo(np.int32).max), np.iinfo(np.int32).max)
    held = np.maximum(np.minimum(held, struck_again), offset)
    notes[:, DURATION] = held - notes[:, ONSET]
    return notes


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
        start = [_meta(TRACK_NAME, track.name.encode())] if track.name else []
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
