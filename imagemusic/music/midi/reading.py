"""MIDI files to scores, as players read them; docs/midi.md says what is followed.

bytes ── container ──> tracks ── events ──> Events ── channels, notes ──> Score, controls, notices
"""

import itertools
import stat
import warnings
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from imagemusic.errors import ImageMusicWarning, ScoreError
from imagemusic.music.controls import ControlArray, no_controls
from imagemusic.music.midi.channels import NOTES_OFF, SOUND_OFF, Channels
from imagemusic.music.midi.container import Header, read_header, unwrap
from imagemusic.music.midi.events import (
    KEY_SIGNATURE,
    MARK,
    MOST_TICKS,
    PORT,
    SET_TEMPO,
    TIME_SIGNATURE,
    TRACK_NAME,
    Events,
    Integers,
    read_events,
)
from imagemusic.music.midi.names import decode_name
from imagemusic.music.midi.notes import Strokes, cut, hold, pair
from imagemusic.music.score import DEFAULT_BPM, Key, Meter, Score, Tempo, Track

LARGEST_FILE = 2**26  # bytes, ten million notes
MOST_MODES = 127  # the last of the control changes that end all notes: 123 to 127


@dataclass(frozen=True, slots=True)
class MidiReading:
    """What a MIDI file says, and what of it could not be read as it stands."""

    score: Score
    controls: ControlArray  # (M, 4), see controls.py
    notices: tuple[str, ...]  # each a clause in plain words


def load_midi(source: Path | str | bytes, *, fold_pedal: bool = False) -> Score:
    """Read a MIDI file on its own ticks, a track for each (track, channel, program) that has notes.

    A note of no length lasts one tick.  Whatever is not read as it stands is said in an ImageMusicWarning.

    Args:
        fold_pedal: let a note sound on under the sustain pedal, until the pedal or the same key comes up again.

    Raises:
        ScoreError: the file is missing, empty, damaged beyond reading or not MIDI.
    """
    reading = _read(source, fold_pedal=fold_pedal, with_controls=False)
    for notice in reading.notices:
        warnings.warn(f"{_name(source)}: {notice}", ImageMusicWarning, stacklevel=2)
    return reading.score


def read_midi(source: Path | str | bytes, *, fold_pedal: bool = False, controls: bool = True) -> MidiReading:
    """Read a MIDI file as `load_midi`, with its controls if asked for; notices are returned, not given as warnings.

    Raises:
        ScoreError: as `load_midi`.
    """
    return _read(source, fold_pedal=fold_pedal, with_controls=controls)


def _read(source: Path | str | bytes, *, fold_pedal: bool, with_controls: bool) -> MidiReading:
    notices: list[str] = []
    try:
        data = unwrap(source if isinstance(source, bytes) else _bytes_of(Path(source)))
        header, at = read_header(data)
        events = read_events(data, header, at, notices)
        if header.kind == 2 and len(events.ends) > 1:
            notices.append("type 2: its patterns are played one after another")
            events = _in_a_row(events)
        signs = _signs(events)
        channel = (_ports(events, signs[PORT])[events.track] << 4) | (events.status & 15)
        channels = Channels(events, channel)
        tracks, track_channels = _tracks(events, channels, signs[TRACK_NAME], fold_pedal, notices)
        score = Score(
            tracks,
            _tempos(signs[SET_TEMPO], header, events.ends, notices),
            _meters(signs[TIME_SIGNATURE], notices),
            _keys(signs[KEY_SIGNATURE], notices),
            ticks_per_beat=header.ticks_per_beat,
        )
    except OSError as error:
        raise ScoreError(f"{_name(source)}: cannot read it ({error.strerror})") from error
    except ScoreError as error:
        raise ScoreError(f"{_name(source)}: {error}") from error
    controls = _controls(channels, track_channels) if with_controls else no_controls()
    if with_controls and (missing := channels.not_followed()):
        notices.append(f"not followed: {', '.join(missing)}")
    return MidiReading(score, controls, tuple(dict.fromkeys(notices)))


def _name(source: Path | str | bytes) -> str:
    return "MIDI bytes" if isinstance(source, bytes) else str(source)


def _bytes_of(path: Path) -> bytes:
    """Read a file.

    Raises:
        OSError: it cannot be read.
        ScoreError: it is a pipe or a device, or too large.
    """
    status = path.stat()
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise ScoreError("not a regular file")
    if status.st_size > LARGEST_FILE:
        raise ScoreError(f"a MIDI file of {status.st_size >> 20} MB; at most {LARGEST_FILE >> 20} MB are read")
    return path.read_bytes()


def _in_a_row(events: Events) -> Events:
    """Move each track to where the one before it ends.

    Raises:
        ScoreError: together they are longer than a score holds.
    """
    starts = np.concatenate([[0], np.cumsum(events.ends)])
    if starts[-1] > MOST_TICKS:
        raise ScoreError(f"a MIDI file of {starts[-1]} ticks; at most {MOST_TICKS} can be read")
    return replace(events, tick=events.tick + starts[events.track], ends=starts[1:])


Sign: TypeAlias = tuple[int, int, bytes]  # tick, track, bytes of a meta event


def _signs(events: Events) -> dict[int, list[Sign]]:
    """Return the meta events that a score needs by their kind, in the order of the file."""
    signs: dict[int, list[Sign]] = defaultdict(list)
    rows = np.flatnonzero((events.status == MARK) & (events.first == 1))
    places = zip(events.tick[rows].tolist(), events.track[rows].tolist(), events.long, strict=True)
    for tick, track, (kind, content) in places:
        signs[kind].append((tick, track, content))
    return signs


def _ports(events: Events, signs: list[Sign]) -> Integers:
    """Return the port (T,) of each track; 0 where it has none."""
    ports = np.zeros(len(events.ends), np.int64)
    for _, track, content in signs:
        ports[track] = content[0] if content else 0
    return ports


def _tracks(
    events: Events, channels: Channels, name_signs: list[Sign], fold_pedal: bool, notices: list[str]
) -> tuple[list[Track], list[int]]:
    """Return tracks and the channel of each."""
    strokes = pair(events, channels.channel)
    if strokes.unreleased:
        notices.append(
            f"{strokes.unreleased} note(s) never released: they last to the next release of the key or to the end"
        )
    rows, onset = strokes.event, strokes.onset
    offset = _offsets(strokes, events, channels, fold_pedal)
    program, drums = channels.programs(rows)
    pitch = _pitches(events, channels, rows, drums, notices)
    names: dict[int, str] = {}
    for _, track, content in name_signs:
        names[track] = names.get(track) or decode_name(content)
    channel = channels.channel[rows]
    part = (events.track[rows] << 32) | (channel << 8) | (program << 1) | drums
    columns = np.column_stack([onset, pitch, np.maximum(offset - onset, 1), events.second[rows]])
    order = np.argsort(part, kind="stable")
    order = order[pitch[order] >= 0]
    columns, part = columns[order], part[order]
    borders = np.flatnonzero(np.concatenate([[True], part[1:] != part[:-1], [True]]))
    tracks, track_channels = [], []
    for begin, end in itertools.pairwise(borders.tolist() if len(part) else []):
        first = order[begin]
        name = names.get(int(events.track[rows[first]]), "")
        tracks.append(Track(columns[begin:end], int(program[first]), bool(drums[first]), name))
        track_channels.append(int(channel[first]))
    return tracks, track_channels


def _offsets(strokes: Strokes, events: Events, channels: Channels, fold_pedal: bool) -> Integers:
    """Return the ticks (N,) at which notes end."""
    channel, offset = channels.channel[strokes.event], strokes.offset
    silenced, released = channels.kills(SOUND_OFF, SOUND_OFF), channels.kills(NOTES_OFF, MOST_MODES)
    if len(released[0]):
        offset = cut(channel, strokes.onset, offset, released)
    if fold_pedal and (pedals := channels.pedals()):
        offset = hold((channel << 7) | events.first[strokes.event], strokes.onset, offset, pedals)
    return cut(channel, strokes.onset, offset, silenced) if len(silenced[0]) else offset


def _pitches(events: Events, channels: Channels, rows: Integers, drums: np.ndarray, notices: list[str]) -> Integers:
    """Return the pitches (N,) that sound by coarse tuning; -1 for one out of range."""
    pitch = events.first[rows].copy()
    for channel, changes in channels.transpositions().items():
        own = np.flatnonzero((channels.channel[rows] == channel) & ~drums)
        ticks, semitones = np.array([(-1, 0), *changes]).T
        pitch[own] += semitones[np.searchsorted(ticks, events.tick[rows[own]], side="right") - 1]
    outside = (pitch < 0) | (pitch > 127)
    if outside.any():
        notices.append(f"{outside.sum()} note(s) tuned beyond the range of MIDI are left out")
    return np.where(outside, -1, pitch)


def _tempos(signs: list[Sign], header: Header, ends: Integers, notices: list[str]) -> tuple[Tempo, ...]:
    """Return the tempos; of two on one tick the later in the file wins."""
    if header.bpm:
        return (Tempo(0, header.bpm),)
    found = {}
    for tick, _, content in signs:
        micros = int.from_bytes(content[:3], "big")
        if len(content) < 3 or micros == 0:
            notices.append("a tempo without a value is left out")
        else:
            found[tick] = Tempo(tick, 60e6 / micros)
    if found and header.kind == 2:
        found = {tick: Tempo(tick, DEFAULT_BPM) for tick in (0, *ends[:-1].tolist())} | found
    return tuple(found.values())


def _meters(signs: list[Sign], notices: list[str]) -> tuple[Meter, ...]:
    """Return the meters; the same one again does not begin a bar."""
    found = {}
    for tick, _, content in sorted(signs, key=lambda sign: sign[0]):
        if len(content) < 2 or content[0] == 0 or content[1] > 6:
            notices.append("a meter that is none is left out")
        else:
            found[tick] = Meter(tick, content[0], 1 << content[1])
    meters: list[Meter] = []
    for meter in found.values():
        if not meters or (meter.numerator, meter.denominator) != (meters[-1].numerator, meters[-1].denominator):
            meters.append(meter)
    return tuple(meters)


def _keys(signs: list[Sign], notices: list[str]) -> tuple[Key, ...]:
    """Return the keys that most parts give: transposing instruments give the key as they read it."""
    votes: dict[int, Counter[Key]] = defaultdict(Counter)
    for tick, _, content in signs:
        fifths = (content[0] ^ 0x80) - 0x80 if content else 99
        if len(content) < 2 or not -7 <= fifths <= 7:
            notices.append("a key that is none is left out")
        else:
            votes[tick][Key(tick, fifths, bool(content[1]))] += 1
    return tuple(vote.most_common(1)[0][0] for vote in votes.values())


def _controls(channels: Channels, track_channels: list[int]) -> ControlArray:
    """Return the control array of tracks that are on `track_channels`."""
    changes = channels.changes()
    rows = [(tick, track, kind, value) for track, channel in enumerate(track_channels)
            for tick, kind, value in changes.get(channel, ())]  # fmt: skip
    return np.array(rows, np.int64) if rows else no_controls()
