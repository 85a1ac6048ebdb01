"""A score as one table of notes on a time axis in beats, with its bars: what measures of structure are taken on.

Times are quarter-note beats from the start of the score; bars follow the meters, 4/4 where none is known.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagemusic.music.score import DURATION, ONSET, PITCH, Meter, Score

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

EPSILON = 1e-6  # beats
PLACES = 12  # places a beat at which onsets are distinguished
SHORTEST = 1 / 48  # beats, of a note
LONGEST_TAIL = 8  # beats after the last onset that still count, in an excerpt
ON_GRID = 1 / 40  # beats from a sixteenth or a triplet eighth


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """Notes sorted by onset and pitch, and bars."""

    onset: Floats  # (N,) beats
    length: Floats  # (N,) beats
    pitch: Integers  # (N,)
    track: Integers  # (N,) index into programs
    drum: NDArray[np.bool_]  # (N,)
    programs: tuple[int, ...]
    bar_start: Floats  # (B,) beats
    bar_length: Floats  # (B,) beats
    bar_beat: Floats  # (B,) beats: length of a felt beat
    seconds: float

    @property
    def offset(self) -> Floats:
        """Times (N,) at which notes end, in beats."""
        return self.onset + self.length

    @property
    def is_gridded(self) -> bool:
        """Whether over half of the onsets are sixteenths or triplet eighths, so that bars mean something."""
        near = np.zeros(len(self.onset), bool)
        for parts in (4, 3):
            steps = self.onset * parts
            near |= np.abs(steps - np.round(steps)) < ON_GRID * parts
        return bool(near.mean() > 0.5) if len(near) else False

    def bar_of(self, onset: Floats) -> Integers:
        """Return the index (N,) of the bar in which each onset (N,) is."""
        bar = np.searchsorted(self.bar_start, onset + EPSILON, side="right") - 1
        return np.clip(bar, 0, len(self.bar_start) - 1)

    def place_of(self, onset: Floats) -> Integers:
        """Return the place (N,) of each onset (N,) in its bar, in 1/PLACES beat."""
        return np.round((onset - self.bar_start[self.bar_of(onset)]) * PLACES).astype(np.int64)

    def beats(self) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        """Return starts and lengths (M,) of all felt beats, and whether each begins a bar (M,)."""
        counts = np.maximum(np.round(self.bar_length / self.bar_beat).astype(np.int64), 1)
        bar = np.repeat(np.arange(len(counts)), counts)
        number = np.arange(len(bar)) - np.repeat(np.cumsum(counts) - counts, counts)
        before = number * self.bar_beat[bar]
        length = np.minimum(self.bar_beat[bar], self.bar_length[bar] - before)
        return self.bar_start[bar] + before, np.where(length > 0, length, self.bar_beat[bar]), number == 0


def timeline(score: Score, seconds: float | None = None) -> Timeline:
    """Put the notes of a score on a time axis; with `seconds`, those of the first seconds from the first note on."""
    playing = [track for track in score.tracks if len(track)]
    notes = np.concatenate([track.notes for track in playing] or [np.zeros((0, 4), np.int32)]).astype(np.int64)
    track = np.repeat(np.arange(len(playing)), [len(one) for one in playing])
    drum = np.repeat(np.array([one.is_drum for one in playing], bool), [len(one) for one in playing])
    order = np.lexsort((notes[:, PITCH], notes[:, ONSET]))
    notes, track, drum = notes[order], track[order], drum[order]
    times = score.seconds_at(notes[:, ONSET])
    if seconds is not None and len(notes):
        kept = times < times[0] + seconds
        notes, track, drum = notes[kept], track[kept], drum[kept]
    onset = notes[:, ONSET] / score.ticks_per_beat
    length = notes[:, DURATION] / score.ticks_per_beat
    end = float((onset + length).max(initial=0.0))
    if seconds is not None and len(notes):
        end = min(end, float(onset[-1]) + LONGEST_TAIL)
    starts, lengths, felt = _bars(score, end)
    first = max(int(np.searchsorted(starts, (onset[0] if len(onset) else 0.0) + EPSILON)) - 1, 0)
    last_tick = np.array([round(end * score.ticks_per_beat)])
    return Timeline(
        onset,
        np.maximum(length, SHORTEST),
        notes[:, PITCH],
        track,
        drum,
        tuple(one.program for one in playing),
        starts[first:],
        lengths[first:],
        felt[first:],
        float(score.seconds_at(last_tick)[0] - times[0]) if len(times) else 0.0,
    )


def felt_beat(meter: Meter) -> float:
    """Return the length of a felt beat in quarter notes: a dotted quarter in 6/8, 9/8 and 12/8."""
    if meter.denominator == 8 and meter.numerator % 3 == 0 and meter.numerator > 3:
        return 1.5
    return 4 / meter.denominator


def _bars(score: Score, end: float) -> tuple[Floats, Floats, Floats]:
    """Return starts, lengths and felt beats (B,) of the bars up to `end`, in beats."""
    meters = list(score.meters)
    if not meters or meters[0].tick > 0:
        meters.insert(0, Meter(0))
    changes = [meter.tick / score.ticks_per_beat for meter in meters]
    starts, lengths, felt = [], [], []
    for number, (meter, change) in enumerate(zip(meters, changes, strict=True)):
        is_last = number + 1 == len(meters)
        stop = end + EPSILON if is_last else min(changes[number + 1], end + EPSILON)
        own = np.arange(change, stop - EPSILON, meter.beats)
        sizes = np.full(len(own), meter.beats)
        if not is_last:
            sizes = np.minimum(sizes, changes[number + 1] - own)
        starts.append(own)
        lengths.append(sizes)
        felt.append(np.full(len(own), felt_beat(meter)))
    if not sum(map(len, starts)):
        return np.zeros(1), np.full(1, meters[-1].beats), np.full(1, felt_beat(meters[-1]))
    return np.concatenate(starts), np.concatenate(lengths), np.concatenate(felt)
