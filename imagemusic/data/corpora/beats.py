"""Estimate the tempo of sequenced music whose file has none, as files converted from MUS.

The tempo is searched at which onsets are nearest to sixteenths or eighth triplets.  Such onsets differ from them only
by the rounding of the old format, about 4 ms; music without a steady beat fits no tempo.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from imagemusic.data.corpora.grid import TICKS_PER_BEAT, grid_cost
from imagemusic.music.score import DURATION, ONSET, Score, Tempo

SLOWEST_BPM = 80.0  # of one octave of tempos; half and double fit as well
MOST_ONSETS = 400  # used
STEPS_OF_DRIFT = 0.3  # ticks that the last onset moves between two tempos tried
GOOD = 0.7  # ticks of the grid, as mean cost of an onset; chance gives 1.1
EQUAL_SECONDS = 0.002  # tempos whose costs differ by less fit equally well
FINE_TICKS = 960
AT_ONCE = 500  # tempos per batch, which bounds memory


def find_tempo(seconds: NDArray[np.float64]) -> float | None:
    """Return the tempo in 80..160 bpm whose sixteenths or triplets fit onsets (N,) in seconds; None if none does."""
    seconds = np.unique(seconds)
    if len(seconds) < 16:
        return None
    seconds = seconds[np.linspace(0, len(seconds) - 1, min(len(seconds), MOST_ONSETS)).astype(int)] - seconds[0]
    drift = seconds[-1] * 2 * SLOWEST_BPM / 60 * TICKS_PER_BEAT
    count = int(np.log(2) * drift / STEPS_OF_DRIFT) + 1
    tempos = SLOWEST_BPM * 2 ** (np.arange(count) / count)
    parts = np.array_split(tempos, -(-count // AT_ONCE))
    costs = np.concatenate([grid_cost(seconds * (part[:, None] / 60 * TICKS_PER_BEAT)) for part in parts])
    if costs.min() > GOOD:
        return None
    # Where 80 fits, so does 120 in triplets: of equally good ones take the one with the most onsets on eighths.
    in_seconds = costs * 60 / (TICKS_PER_BEAT * tempos)
    equal = np.flatnonzero((in_seconds <= in_seconds.min() + EQUAL_SECONDS) & (costs <= GOOD))
    if not len(equal):  # the best fit in seconds is too fast to fit in ticks: no reliable beat
        return None
    eighths = seconds * (tempos[equal, None] / 30)
    on_eighths = (np.abs(eighths - np.round(eighths)) < 1 / 12).mean(axis=1)
    best = equal[np.lexsort((costs[equal], -on_eighths.round(2)))[0]]
    return float(tempos[best])


def on_seconds(score: Score, bpm: float | None) -> Score:
    """Return a score with beats of `bpm` instead of its own; beats of half a second, and no tempo, when None."""
    beats_per_second = (bpm or 120) / 60
    tracks = []
    for track in score.tracks:
        onset, offset = (
            np.round(score.seconds_at(ticks) * beats_per_second * FINE_TICKS).astype(np.int32)
            for ticks in (track.notes[:, ONSET], track.notes[:, ONSET] + track.notes[:, DURATION])
        )
        notes = track.notes.copy()
        notes[:, ONSET], notes[:, DURATION] = onset, np.maximum(offset - onset, 1)
        tracks.append(replace(track, notes=notes))
    return Score(tracks, [Tempo(0, bpm)] if bpm else (), ticks_per_beat=FINE_TICKS)
