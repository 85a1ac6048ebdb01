"""The bars of a score in another order, as examples of music without form, or with too much of it."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from imagemusic.data.corpora.grid import bar_lines, bar_ticks
from imagemusic.music.score import ONSET, Meter, Score


def reordered(score: Score, order: NDArray[np.integer]) -> Score:
    """Play the bars of a score, those with these numbers (B,), in this order, in the meter of the first of them."""
    lines = all_lines(score)
    starts = np.concatenate([[0], np.cumsum(np.diff(lines)[order])])
    tracks = []
    for track in score.tracks:
        bar = np.searchsorted(lines, track.notes[:, ONSET], side="right") - 1
        parts = []
        for number, source in enumerate(order):
            notes = track.notes[bar == source].copy()
            notes[:, ONSET] += starts[number] - lines[source]
            parts.append(notes)
        tracks.append(replace(track, notes=np.concatenate(parts)))
    before = [meter for meter in score.meters if meter.tick <= lines[order[0]]]
    meters = [replace(meter, tick=0) for meter in before[-1:]]
    return replace(score, tracks=tracks, tempos=score.tempos[:1], meters=meters)


def equal_bars(score: Score) -> NDArray[np.int64]:
    """Return the numbers of the bars that have the most frequent length."""
    sizes = np.diff(all_lines(score))
    return np.flatnonzero(sizes == np.bincount(sizes).argmax())


def all_lines(score: Score) -> NDArray[np.int64]:
    """Return the ticks of all bar lines, the last one at the end of the last bar."""
    lines = bar_lines(score)
    last = score.meters[-1] if score.meters else Meter(0)
    return np.append(lines, lines[-1] + bar_ticks(last, score.ticks_per_beat))
