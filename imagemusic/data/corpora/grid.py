"""Scores on the metrical grid of 24 ticks a beat: rounding, bar lines, cutting, snapping."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from imagemusic.music.score import DURATION, ONSET, Key, Meter, Score, Tempo, Track

TICKS_PER_BEAT = 24  # holds sixteenths, triplets and thirty-seconds
CLEARLY_OFF = 0.25  # of a grid tick; a recording without a grid is off it half of the time

STRAIGHT, TRIPLET = 3, 4  # finest steps of the two divisions of a beat: thirty-seconds and sextuplets
FINE_STEP_COST = 1.0  # ticks that a note must be nearer to a step of the finest division than to a coarser one

Change = TypeVar("Change", Tempo, Meter, Key)


def on_grid(score: Score) -> tuple[Score, float]:
    """Round a score to 24 ticks a beat; return it with the share of onsets that were clearly off the grid.

    Onsets and offsets are rounded separately, so that adjacent notes stay adjacent.  Empty tracks are dropped.
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


def without_repeats(meters: Sequence[Meter], ticks_per_beat: int = TICKS_PER_BEAT) -> tuple[Meter, ...]:
    """Return meters without those that repeat the current one on a bar line."""
    kept: list[Meter] = []
    for meter in meters:
        last = kept[-1] if kept else None
        same = last and (last.numerator, last.denominator) == (meter.numerator, meter.denominator)
        if not (last and same and (meter.tick - last.tick) % bar_ticks(last, ticks_per_beat) == 0):
            kept.append(meter)
    return tuple(kept)


def bar_ticks(meter: Meter, ticks_per_beat: int = TICKS_PER_BEAT) -> int:
    """Return the length of a bar in ticks, by default of the grid."""
    return max(1, round(meter.beats * ticks_per_beat))


def bar_lines(score: Score) -> NDArray[np.int64]:
    """Return the ticks (B,) at which bars start, up to the end of the score, in 4/4 where no meter is known."""
    meters = list(score.meters)
    if not meters or meters[0].tick > 0:
        meters.insert(0, Meter(0))
    ends = [meter.tick for meter in meters[1:]] + [max(score.end, meters[-1].tick + 1)]
    return np.concatenate([np.arange(m.tick, end, bar_ticks(m)) for m, end in zip(meters, ends, strict=True)])


def trim(score: Score) -> Score:
    """Return a score without the whole bars of silence at its beginning."""
    first = min((int(track.notes[0, ONSET]) for track in score.tracks if len(track)), default=0)
    lines = bar_lines(score)
    start = int(lines[np.searchsorted(lines, first, side="right") - 1])
    return cut(score, start, score.end) if start else score


def cut(score: Score, start: int, end: int) -> Score:
    """Return the notes with onsets in [start, end), shortened to `end`, with the tempo, meter and key in force."""

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


def delayed(score: Score, ticks: int) -> Score:
    """Return a score that starts later by `ticks`; its first tempo, meter and key hold from the new beginning."""

    def later(changes: Sequence[Change]) -> tuple[Change, ...]:
        return tuple(replace(change, tick=change.tick + ticks if change.tick else 0) for change in changes)

    tracks = []
    for track in score.tracks:
        notes = track.notes.copy()
        notes[:, ONSET] += ticks
        tracks.append(replace(track, notes=notes))
    return replace(
        score,
        tracks=tracks,
        tempos=later(score.tempos),
        meters=without_repeats(later(score.meters), score.ticks_per_beat),
        keys=later(score.keys),
    )


def without_delay(score: Score) -> Score:
    """Align a score whose onsets are off the beat by a constant delay, as after an opening grace note or sixteenth.

    The notes before the first beat become the end of a first bar.
    """
    half = score.ticks_per_beat // 2
    onsets = all_onsets(score).astype(np.int64)
    if not len(onsets) or not half or not score.meters:
        return score
    shares = np.bincount(onsets % half, minlength=half) / len(onsets)
    delay = int(shares.argmax())
    if not delay or shares[delay] < 0.5 or shares[0] > 0.2:
        return score
    bar = bar_ticks(score.meters[0], score.ticks_per_beat)
    return delayed(score, -delay % bar)


def snap(score: Score) -> Score:
    """Move performed onsets to sixteenths or eighth triplets, or to their halves where a note is clearly there.

    One division of the beat is chosen for the whole piece.  Durations are kept.
    """
    if not score.note_count:
        return score
    step = min((STRAIGHT, TRIPLET), key=lambda step: float(_nearest(all_onsets(score), step)[1].mean()))
    tracks = []
    for track in score.tracks:
        notes = track.notes.copy()
        notes[:, ONSET] = _nearest(notes[:, ONSET].astype(np.float64), step)[0]
        tracks.append(replace(track, notes=notes))
    return replace(score, tracks=tracks)


def grid_cost(onsets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean cost (...) of onsets (..., N), in grid ticks, on the better division of the beat."""
    straight, triplet = (_nearest(onsets, step)[1].mean(axis=-1) for step in (STRAIGHT, TRIPLET))
    return np.minimum(straight, triplet)


def all_onsets(score: Score) -> NDArray[np.float64]:
    """Return the onsets (N,) of all tracks, in ticks."""
    return np.concatenate([track.notes[:, ONSET].astype(np.float64) for track in score.tracks] or [np.zeros(0)])


def _nearest(onsets: NDArray[np.float64], step: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the cheapest multiple of `step` for each onset, and its cost, in ticks; odd multiples cost more."""
    coarse, fine = np.floor(onsets / (2 * step) + 0.5) * (2 * step), np.floor(onsets / step + 0.5) * step
    to_coarse, to_fine = np.abs(onsets - coarse), np.abs(onsets - fine) + FINE_STEP_COST
    return np.where(to_fine < to_coarse, fine, coarse), np.minimum(to_fine, to_coarse)
