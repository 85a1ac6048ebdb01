"""A score as its corpus gives it, to a piece on the metrical grid with its unknowns named.

file ──> Score, its own ticks ──> make_piece ──> Piece: 24 ticks a beat, whole leading bars of silence cut off,
                                                        tempo, meter and loudness kept only where they are real
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from imagemusic.music.score import DURATION, ONSET, VELOCITY, Key, Meter, Score, Tempo, Track

Change = TypeVar("Change", Tempo, Meter, Key)

TICKS_PER_BEAT = 24  # holds sixteenths, triplets and thirty-seconds
CLEARLY_OFF = 0.25  # of a grid tick; a recording without a grid is off it half of the time


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A piece of a corpus.  What is not known is a missing value, not a fact to learn."""

    id: str  # corpus/path/in/the/corpus, and #number where a file holds several pieces
    corpus: str
    group: str  # pieces of one group never stand in different splits
    title: str
    score: Score  # 24 ticks a beat; no tempos or no meters where they are not known
    licence: str
    velocity_known: bool  # otherwise one value stands for all notes
    metrical: bool  # otherwise beats are half seconds
    off_grid: float  # share of onsets that stood more than 1/96 beat off the grid
    tags: tuple[str, ...] = ()  # style, instrument, and so on, as the corpus calls them

    @property
    def tempo_known(self) -> bool:
        """Tell whether the tempo was marked by whoever wrote the music."""
        return bool(self.score.tempos)

    @property
    def meter_known(self) -> bool:
        """Tell whether bars are known."""
        return bool(self.score.meters)


def make_piece(
    score: Score,
    *,
    corpus: str,
    path: str,
    group: str,
    title: str,
    licence: str,
    tags: tuple[str, ...] = (),
    tempo_known: bool = True,
    meter_known: bool = True,
    metrical: bool = True,
) -> list[Piece]:
    """Put a score on the grid and trim it; return one piece, or none when it has no notes."""
    score, off_grid = on_grid(score)
    if not score.note_count:
        return []
    score = replace(score, tempos=score.tempos if tempo_known else (), meters=score.meters if meter_known else ())
    return [
        Piece(
            id=unicodedata.normalize("NFC", f"{corpus}/{path.removesuffix('.mid')}"),
            corpus=corpus,
            group=unicodedata.normalize("NFC", f"{corpus}/{group}"),
            title=title,
            score=trim(score),
            licence=licence,
            velocity_known=velocity_varies(score),
            metrical=metrical,
            off_grid=off_grid,
            tags=tags,
        )
    ]


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
    return replace(score, meters=_without_repeats(score.meters)), off / max(count, 1)


def _without_repeats(meters: Sequence[Meter]) -> tuple[Meter, ...]:
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
        before = [replace(change, tick=0) for change in changes if change.tick <= start][-1:]
        return (*before, *(replace(c, tick=c.tick - start) for c in changes if start < c.tick < end))

    tracks: list[Track] = []
    for track in score.tracks:
        onset = track.notes[:, ONSET]
        notes = track.notes[(onset >= start) & (onset < end)].copy()
        notes[:, DURATION] = np.minimum(notes[:, DURATION], end - notes[:, ONSET])
        notes[:, ONSET] -= start
        if len(notes):
            tracks.append(replace(track, notes=notes))
    return replace(score, tracks=tracks, tempos=keep(score.tempos), meters=keep(score.meters), keys=keep(score.keys))


def velocity_varies(score: Score) -> bool:
    """Tell real loudness from a default: three values at least, or none that 95 % of the notes share."""
    velocities = np.concatenate([track.notes[:, VELOCITY] for track in score.tracks] or [np.zeros(0, np.int32)])
    counts = np.bincount(velocities, minlength=1)
    kinds = int((counts > 0).sum())
    return kinds >= 3 or (kinds == 2 and counts.max() < 0.95 * counts.sum())


def single_tempo(score: Score, bpm: float) -> bool:
    """Tell whether a score has no other tempo than `bpm`, as a file has that was left at a program's default."""
    return all(abs(tempo.bpm - bpm) < 0.01 for tempo in score.tempos)
