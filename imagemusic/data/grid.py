"""Scores on the metrical grid: rounding, bar lines, cutting."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from imagemusic.music.score import DURATION, ONSET, Key, Meter, Score, Tempo, Track

TICKS_PER_BEAT = 24  # holds sixteenths, triplets and thirty-seconds
CLEARLY_OFF = 0.25  # of a grid tick; a recording without a grid is off it half of the time

Change = TypeVar("Change", Tempo, Meter, Key)


def on_grid(score: Score) -> tuple[Score, float]:
    """Round a score to 24 ticks a beat; return it with the share of onsets that were clearly off the grid.

    Onsets and offsets are rounded apart, so that notes that met still meet.  Tracks without notes go.
    """
    scale = TICKS_PER_BEAT / score.ticks_per_beat
    tracks, off, count = [], 0, 0
    for track in score.tracks:
        if not len(track):
            continue
        exact = track.notes[:, ONSET] * scale
        notes = track.notes.copy()
        notes[:, ONSET] = np.floor(exact + 0.5)
        notes[:, DURATION] = np.floor(exact + track.notes[:, DURATION] * scale + 0.5) - notes[:, ONSET]
        notes[:, DURATION] = np.maximum(notes[:, DURATION], 1)
        tracks.append(replace(track, notes=notes))
        off += int((np.abs(exact - notes[:, ONSET]) > CLEARLY_OFF).sum())
        count += len(notes)

    def move(changes: Sequence[Change]) -> tuple[Change, ...]:
        moved = {int(change.tick * scale + 0.5): change for change in changes}
        return tuple(replace(change, tick=tick) for tick, change in moved.items())

    score = Score(tracks, move(score.tempos), move(score.meters), move(score.keys), ticks_per_beat=TICKS_PER_BEAT)
    return replace(score, meters=without_repeats(score.meters)), off / max(count, 1)


def without_repeats(meters: Sequence[Meter]) -> tuple[Meter, ...]:
    """Drop meters that say again, on a bar line, what holds already."""
    kept: list[Meter] = []
    for meter in meters:
        last = kept[-1] if kept else None
        same = last and (last.numerator, last.denominator) == (meter.numerator, meter.denominator)
        if not (last and same and (meter.tick - last.tick) % bar_ticks(last) == 0):
            kept.append(meter)
    return tuple(kept)


def bar_ticks(meter: Meter) -> int:
    """Length of a bar on the grid."""
    return max(1, round(meter.beats * TICKS_PER_BEAT))


def bar_lines(score: Score) -> NDArray[np.int64]:
    """Ticks at which bars start, up to the end of the score, in 4/4 where no meter is known."""
    meters = list(score.meters)
    if not meters or meters[0].tick > 0:
        meters.insert(0, Meter(0))
    ends = [meter.tick for meter in meters[1:]] + [max(score.end, meters[-1].tick + 1)]
    return np.concatenate([np.arange(m.tick, end, bar_ticks(m)) for m, end in zip(meters, ends, strict=True)])


def trim(score: Score) -> Score:
    """Cut off whole bars of silence at the beginning."""
    first = min((int(track.notes[0, ONSET]) for track in score.tracks if len(track)), default=0)
    lines = bar_lines(score)
    start = int(lines[np.searchsorted(lines, first, side="right") - 1])
    return cut(score, start, score.end) if start else score


def cut(score: Score, start: int, end: int) -> Score:
    """Take the notes that begin in [start, end), ending them there, with the tempo, meter and key that hold."""

    def keep(changes: Sequence[Change]) -> tuple[Change, ...]:
        before = sum(change.tick <= start for change in changes)
        held = changes[max(before - 1, 0) :]
        return tuple(replace(change, tick=max(change.tick - start, 0)) for change in held if change.tick < end)

    tracks: list[Track] = []
    for track in score.tracks:
        onset = track.notes[:, ONSET]
        notes = track.notes[(onset >= start) & (onset < end)].copy()
        notes[:, DURATION] = np.minimum(notes[:, DURATION], end - notes[:, ONSET])
        notes[:, ONSET] -= start
        if len(notes):
            tracks.append(replace(track, notes=notes))
    return replace(score, tracks=tracks, tempos=keep(score.tempos), meters=keep(score.meters), keys=keep(score.keys))
