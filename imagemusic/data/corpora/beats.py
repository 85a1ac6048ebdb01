"""Find the beat of music that a machine played but whose file lost it, as files converted from MUS did.

The tempo is searched at which onsets fall best on sixteenths or eighth triplets.  Such music is off them by the
rounding of the old format alone, 4 ms or so; music without a steady beat fits no tempo.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from imagemusic.data.corpora.grid import TICKS_PER_BEAT, grid_cost
from imagemusic.music.score import DURATION, ONSET, Score, Tempo

SLOWEST_BPM = 80.0  # of one octave of tempos; half and double fit as well
MOST_ONSETS = 400  # looked at
STEPS_OF_DRIFT = 0.3  # ticks that the last onset moves between two tempos tried
GOOD = 0.7  # ticks of the grid, as mean cost of an onset; chance gives 1.1
ALIKE_SECONDS = 0.002  # tempos whose costs differ by less fit the same
FINE_TICKS = 960
AT_ONCE = 500  # tempos tried together, which bounds memory


def find_tempo(seconds: NDArray[np.float64]) -> float | None:
    """Return the bpm on whose sixteenths or triplets onsets (N,) fall, or None when there is none in 80..160."""
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
    # Where 80 fits, so does 120 in triplets: of those that fit alike, take the one with the most onsets on eighths.
    in_seconds = costs * 60 / (TICKS_PER_BEAT * tempos)
    alike = np.flatnonzero((in_seconds <= in_seconds.min() + ALIKE_SECONDS) & (costs <= GOOD))
    if not len(alike):  # what fits best in seconds is too fast to fit in ticks: no beat that can be trusted
        return None
    eighths = seconds * (tempos[alike, None] / 30)
    on_eighths = (np.abs(eighths - np.round(eighths)) < 1 / 12).mean(axis=1)
    best = alike[np.lexsort((costs[alike], -on_eighths.round(2)))[0]]
    return float(tempos[best])


def on_seconds(score: Score, bpm: float | None) -> Score:
    """Put a score on beats of `bpm`, whatever its own were; on half seconds, and without a tempo, when None."""
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
