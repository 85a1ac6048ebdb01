"""MIDI files to scores, as players read them; docs/midi.md says what is followed.

    bytes ── container ──> tracks ── events ──> Events ── channels, notes ──> Score, controls, notices
"""

import stat
import warnings
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from imagemusic.errors import ImageMusicWarning, ScoreError
from imagemusic.music.controls import ControlArray, no_controls
from imagemusic.music.midi.channels import NOTES_OFF, SOUND_OFF, Channels
from imagemusic.music.midi.container import Header, read_header, unwrap
from imagemusic.music.midi.events import MARK, MOST_TICKS, Events, Integers, read_events
from imagemusic.music.midi.names import decode_name
from imagemusic.music.midi.notes import Strokes, cut, hold, pair
from imagemusic.music.score import DEFAULT_BPM, Key, Meter, Score, Tempo, Track

TRACK_NAME, PORT, SET_TEMPO, TIME_SIGNATURE, KEY_SIGNATURE = 0x03, 0x21, 0x51, 0x58, 0x59
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


def read_midi(source: Path | str | bytes, *, fold_pedal: bool = False) -> MidiReading:
    """Read a MIDI file with its controls; notices are returned, not given as warnings.

    Raises:
        ScoreError: as `load_midi`.
    """
    return _read(source, fold_pedal=fold_pedal, with_controls=True)


def _read(source: Path | str | bytes, *, fold_pedal: bool, with_controls: bool) -> MidiReading:
    notices: list[str] = []
    try:
        data = unwrap(source if isinstance(source, bytes) else _bytes_of(Path(source)))
        header, at = read_header(data)
        events = read_events(data, header, at, notices)
        if header.kind == 2 and len(events.ends) > 1:
            notices.append("type 2: its patterns are played one after another")
            events = _in_a_row(events)
        channel = (_ports(events)[events.track] << 4) | (events.status & 15)
        channels = Channels(events, channel)
        tracks, track_channels = _tracks(events, channels, fold_pedal, notices)
        meta = _Signs(events, header, notices)
        score = Score(tracks, meta.tempos(), meta.meters(), meta.keys(), ticks_per_beat=header.ticks_per_beat)
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
        raise ScoreError(f"lasts {starts[-1]} ticks; at most {MOST_TICKS} can be read")
    return replace(events, tick=events.tick + starts[events.track], ends=starts[1:])


def _long(events: Events, *kinds: int) -> list[tuple[int, int, int, bytes]]:
    """Return (tick, track, kind, bytes) of meta events, in the order of the file."""
    rows = np.flatnonzero(events.status == MARK)
    wanted = [(row, kind, content) for row, (kind, content) in zip(rows.tolist(), events.long, strict=True)
              if kind in kinds]  # fmt: skip
    return [(int(events.tick[row]), int(events.track[row]), kind, content) for row, kind, content in wanted]


def _ports(events: Events) -> Integers:
    """Return the port (T,) of each track; 0 where it has none."""
    ports = np.zeros(len(events.ends), np.int64)
    for _, track, _, content in _long(events, PORT):
        ports[track] = content[0] if content else 0
    return ports


def _tracks(events: Events, channels: Channels, fold_pedal: bool, notices: list[str]) -> tuple[list[Track], list[int]]:
    """Return tracks and the channel of each."""
    strokes = pair(events, channels.channel)
    if strokes.unreleased:
        notices.append(
            f"{strokes.unreleased} notes never released: they last to the next release of their key or to the end"
        )
    rows, onset = strokes.event, strokes.onset
    offset = _offsets(strokes, events, channels, fold_pedal)
    program, drums = channels.programs(rows)
    pitch = _pitches(events, channels, rows, drums, notices)
    names: dict[int, str] = {}
    for _, track, _, content in _long(events, TRACK_NAME):
        names[track] = names.get(track) or decode_name(content)
    channel = channels.channel[rows]
    part = (events.track[rows] << 32) | (channel << 8) | (program << 1) | drums
    columns = np.column_stack([onset, pitch, np.maximum(offset - onset, 1), events.second[rows]])
    order = np.lexsort((*columns.T[::-1], part))
    order = order[pitch[order] >= 0]
    borders = np.flatnonzero(np.diff(part[order], prepend=-1, append=-1)) if len(order) else np.zeros(1, np.int64)
    tracks, track_channels = [], []
    for begin, end in zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True):
        first = order[begin]
        name = names.get(int(events.track[rows[first]]), "")
        tracks.append(Track(columns[order[begin:end]], int(program[first]), bool(drums[first]), name))
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


def _pitches(
    events: Events, channels: Channels, rows: Integers, drums: np.ndarray, notices: list[str]
) -> Integers:
    """Return the pitches (N,) that sound by coarse tuning; -1 for one out of range."""
    pitch = events.first[rows].copy()
    for channel, changes in channels.transpositions().items():
        own = np.flatnonzero((channels.channel[rows] == channel) & ~drums)
        ticks, semitones = np.array([(-1, 0), *changes]).T
        pitch[own] += semitones[np.searchsorted(ticks, events.tick[rows[own]], side="right") - 1]
    outside = (pitch < 0) | (pitch > 127)
    if outside.any():
        notices.append(f"{outside.sum()} notes tuned beyond the range of MIDI are left out")
    return np.where(outside, -1, pitch)


class _Signs:
    """Tempos, meters and keys of a file; of two on one tick the later in the file wins."""

    def __init__(self, events: Events, header: Header, notices: list[str]) -> None:
        self.events, self.header, self.notices = events, header, notices

    def tempos(self) -> tuple[Tempo, ...]:
        if self.header.bpm:
            return (Tempo(0, self.header.bpm),)
        found = {}
        for tick, _, _, content in _long(self.events, SET_TEMPO):
            micros = int.from_bytes(content[:3], "big")
            if len(content) < 3 or micros == 0:
                self.notices.append("a tempo without a value is left out")
            else:
                found[tick] = Tempo(tick, 60e6 / micros)
        if found and self.header.kind == 2:
            found = {tick: Tempo(tick, DEFAULT_BPM) for tick in (0, *self.events.ends[:-1].tolist())} | found
        return tuple(found.values())

    def meters(self) -> tuple[Meter, ...]:
        found = {}
        for tick, _, _, content in sorted(_long(self.events, TIME_SIGNATURE), key=lambda sign: sign[0]):
            if len(content) < 2 or content[0] == 0 or content[1] > 6:
                self.notices.append("a meter that is none is left out")
            else:
                found[tick] = Meter(tick, content[0], 1 << content[1])
        meters: list[Meter] = []
        for meter in found.values():  # the same one again does not begin a bar
            if not meters or (meter.numerator, meter.denominator) != (meters[-1].numerator, meters[-1].denominator):
                meters.append(meter)
        return tuple(meters)

    def keys(self) -> tuple[Key, ...]:
        """Return the keys that most parts give: transposing instruments give the key as they read it."""
        votes: dict[int, Counter[Key]] = defaultdict(Counter)
        for tick, _, _, content in _long(self.events, KEY_SIGNATURE):
            fifths = (content[0] ^ 0x80) - 0x80 if content else 99
            if len(content) < 2 or not -7 <= fifths <= 7:
                self.notices.append("a key that is none is left out")
            else:
                votes[tick][Key(tick, fifths, bool(content[1]))] += 1
        return tuple(vote.most_common(1)[0][0] for vote in votes.values())


def _controls(channels: Channels, track_channels: list[int]) -> ControlArray:
    """Return the control array of tracks that are on `track_channels`."""
    changes = channels.changes()
    rows = [(tick, track, kind, value) for track, channel in enumerate(track_channels)
            for tick, kind, value in changes.get(channel, ())]  # fmt: skip
    return np.array(rows, np.int64) if rows else no_controls()
