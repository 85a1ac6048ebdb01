"""Notes, tracks and scores: symbolic music as checked, immutable values.

    Score ── tempos, meters, keys: lists of changes, each at a tick
      └── Track ── program, is_drum, name
            └── notes: int32 array (N, 4), a row a note: onset, pitch, duration, velocity

Notes live in arrays because corpora hold millions of them; iterating a track gives `Note` values.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imagemusic.errors import ScoreError

NoteArray: TypeAlias = NDArray[np.int32]
ONSET, PITCH, DURATION, VELOCITY = range(4)  # columns of a note array

DEFAULT_BPM = 120.0  # what a MIDI file without tempo means
FASTEST_BPM = 60_000_000  # a microsecond a beat; files pass over what is not to be played in this way


@dataclass(frozen=True, slots=True, order=True)
class Note:
    """One key press.  Times are in ticks; see `Score.ticks_per_beat`."""

    onset: int
    pitch: int  # MIDI note number, 60 is middle C
    duration: int
    velocity: int = 80  # loudness, 1..127

    @property
    def offset(self) -> int:
        """Tick at which the key is released."""
        return self.onset + self.duration


@dataclass(frozen=True, slots=True, order=True)
class Tempo:
    """Speed from `tick` on."""

    tick: int
    bpm: float  # quarter-note beats a minute

    def __post_init__(self) -> None:
        if self.tick < 0 or not 1 <= self.bpm <= FASTEST_BPM:
            raise ScoreError(f"tempo must be 1..{FASTEST_BPM} bpm at tick 0 or later, got {self}")


@dataclass(frozen=True, slots=True, order=True)
class Meter:
    """Time signature from `tick` on; a bar starts at `tick`."""

    tick: int
    numerator: int = 4
    denominator: int = 4  # a power of two

    def __post_init__(self) -> None:
        power_of_two = self.denominator > 0 and self.denominator & (self.denominator - 1) == 0
        if self.tick < 0 or not 1 <= self.numerator <= 255 or not power_of_two:
            raise ScoreError(f"meter must be like 4/4 or 6/8 at tick 0 or later, got {self}")

    @property
    def beats(self) -> float:
        """Length of a bar in quarter-note beats."""
        return self.numerator * 4 / self.denominator


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Key signature from `tick` on."""

    tick: int
    fifths: int  # sharps, or flats when negative
    minor: bool = False


def note_array(notes: Iterable[Note] | ArrayLike) -> NoteArray:
    """Check notes and sort them by onset, pitch, duration and velocity; return a read-only (N, 4) array.

    Raises:
        ScoreError: a pitch, duration, velocity or onset out of range.
    """
    if isinstance(notes, np.ndarray):
        array = notes.astype(np.int64).reshape(-1, 4)
    else:
        rows = [(n.onset, n.pitch, n.duration, n.velocity) for n in notes]  # type: ignore[union-attr]
        array = np.array(rows, np.int64).reshape(-1, 4)
    limits = ((ONSET, 0, 2**31), (PITCH, 0, 128), (DURATION, 1, 2**31), (VELOCITY, 1, 128))
    for column, low, high in limits:
        bad = (array[:, column] < low) | (array[:, column] >= high)
        if bad.any():
            raise ScoreError(
                "note must have onset >= 0, pitch 0..127, duration >= 1, velocity 1..127, "
                f"got {Note(*map(int, array[bad.argmax()]))}"
            )
    place = array[:, ONSET] << 7 | array[:, PITCH]
    order = np.argsort(place, kind="stable")
    place = place[order]
    if (place[1:] == place[:-1]).any():  # which is rare, and sorting by four columns is slow
        order = np.lexsort(array.T[::-1])
    ordered: NoteArray = array[order].astype(np.int32)
    ordered.setflags(write=False)
    return ordered


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """The notes of one player."""

    notes: NoteArray  # (N, 4), sorted and read-only; any iterable of `Note` is accepted
    program: int = 0  # General MIDI, 0..127; for drums the kit
    is_drum: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.program <= 127:
            raise ScoreError(f"program must be in 0..127, got {self.program}")
        object.__setattr__(self, "notes", note_array(self.notes))

    def __iter__(self) -> Iterator[Note]:
        return (Note(*row) for row in self.notes.tolist())

    def __len__(self) -> int:
        return len(self.notes)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Track):
            return NotImplemented
        same = (self.program, self.is_drum, self.name) == (other.program, other.is_drum, other.name)
        return same and np.array_equal(self.notes, other.notes)

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Score:
    """A piece of music.  Bars are counted afresh from every meter change."""

    tracks: Sequence[Track]
    tempos: Sequence[Tempo] = ()  # empty: not known
    meters: Sequence[Meter] = ()  # empty: not known
    keys: Sequence[Key] = ()
    ticks_per_beat: int = field(default=24, kw_only=True)

    def __post_init__(self) -> None:
        if self.ticks_per_beat < 1:
            raise ScoreError(f"ticks_per_beat must be at least 1, got {self.ticks_per_beat}")
        for name in ("tracks", "tempos", "meters", "keys"):
            values = tuple(getattr(self, name))
            object.__setattr__(self, name, values if name == "tracks" else tuple(sorted(values)))

    @property
    def end(self) -> int:
        """Tick at which the last note ends; 0 when there is none."""
        return max((int((t.notes[:, ONSET] + t.notes[:, DURATION]).max()) for t in self.tracks if len(t)), default=0)

    @property
    def note_count(self) -> int:
        """Notes in all tracks."""
        return sum(len(track) for track in self.tracks)

    @property
    def seconds(self) -> float:
        """Length up to the end of the last note."""
        return float(self.seconds_at(np.array([self.end]))[0])

    def seconds_at(self, ticks: NDArray[np.integer]) -> NDArray[np.float64]:
        """Turn ticks (N,) into seconds (N,), following every tempo change; 120 bpm where none is known."""
        changes = {0: DEFAULT_BPM} | {tempo.tick: tempo.bpm for tempo in self.tempos}
        starts = np.array(list(changes), np.int64)
        seconds_per_tick = 60 / (np.array(list(changes.values())) * self.ticks_per_beat)
        elapsed = np.concatenate([[0.0], np.cumsum(np.diff(starts) * seconds_per_tick[:-1])])
        segment = np.searchsorted(starts, ticks, side="right") - 1
        return elapsed[segment] + (ticks - starts[segment]) * seconds_per_tick[segment]
