"""What a score feels like, as numbers that a person understands and may set.

    score -> cues: measured numbers with units (bpm, notes a beat, mean pitch, ...)
    cues  -> dials: -1..1, where in the music we learned from the piece stands (2 x percentile - 1)

Valence and arousal are weighted sums of standardised cues.  Which cues, their signs and their order of weight follow
Eerola, Friberg & Bresin 2013 (doi:10.3389/fpsyg.2013.00487), who found the effects linear and additive and ranked
them mode, tempo, register, dynamics, articulation; the weights themselves are rank sums (Stillwell, Seaver & Edwards
1981), not fitted to any labelled music.  Tempo enters as onsets a second, so that no beat grid is needed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagemusic.music.score import DURATION, ONSET, PITCH, VELOCITY, NoteArray, Score

Cues = dict[str, float | None]  # None: not known, or not measurable in this score

DIALS = ("valence", "arousal", "tempo", "density", "register", "loudness", "articulation", "mode", "polyphony")

VALENCE_WEIGHTS = {"mode": 0.4, "onset_rate": 0.3, "register": 0.2, "articulation": -0.1}
AROUSAL_WEIGHTS = {"onset_rate": 0.5, "loudness": 1 / 3, "articulation": -1 / 6}

# Krumhansl & Kessler 1982, probe-tone ratings for C major and C minor.
_MAJOR = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
_MINOR = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])



def measure(score: Score, *, tempo_known: bool = True, velocity_known: bool = True) -> Cues:
    """Measure the cues of a score; what cannot be known of it is None.

    Units: tempo bpm; density pitched notes a beat; onset_rate onsets a second; register mean MIDI pitch;
    loudness mean velocity; articulation mean share of the time to the part's next onset for which a note sounds;
    mode the margin of the best major key over the best minor key (-1..1); polyphony mean number of sounding notes.
    """
    tracks = [track.notes for track in score.tracks if not track.is_drum and len(track)]
    everything = [track.notes for track in score.tracks if len(track)]
    cues: Cues = dict.fromkeys(
        ("tempo", "density", "onset_rate", "register", "loudness", "articulation", "mode", "polyphony")
    )
    if not everything:
        return cues
    onsets = np.unique(np.concatenate([notes[:, ONSET] for notes in everything]))
    span = max(score.end - int(onsets[0]), 1)
    seconds = float(np.diff(score.seconds_at(np.array([onsets[0], score.end])))[0])
    beats = span / score.ticks_per_beat
    if tempo_known:
        cues["tempo"] = 60 * beats / seconds
        cues["onset_rate"] = len(onsets) / seconds
    if velocity_known:
        cues["loudness"] = float(np.concatenate(everything)[:, VELOCITY].mean())
    if tracks:
        notes = np.concatenate(tracks)
        cues["density"] = len(notes) / beats
        cues["register"] = float(notes[:, PITCH].mean())
        cues["articulation"] = float(np.concatenate([_held_share(track) for track in tracks]).mean())
        cues["mode"] = major_margin(notes)
        cues["polyphony"] = float(notes[:, DURATION].sum() / _covered(notes))
    return cues


def _held_share(notes: NoteArray) -> NDArray[np.float64]:
    """Share (N,) of the time until the part's next onset for which each note sounds; 1 is legato, at most 1.5."""
    onsets, index = np.unique(notes[:, ONSET], return_inverse=True)
    wait = np.append(np.diff(onsets), notes[-1, DURATION])
    return np.minimum(notes[:, DURATION] / wait[index.reshape(-1)], 1.5)


def _covered(notes: NoteArray) -> int:
    """Ticks in which at least one note sounds."""
    ordered = notes[np.argsort(notes[:, ONSET], kind="stable")].astype(np.int64)
    reached = np.maximum.accumulate(ordered[:, ONSET] + ordered[:, DURATION])
    starts = np.maximum(ordered[1:, ONSET], reached[:-1])
    return int(reached[0] - ordered[0, ONSET] + np.maximum(reached[1:] - starts, 0).sum())


def key_correlations(notes: NoteArray) -> NDArray[np.float64]:
    """Correlate the pitch classes of notes (N, 4), weighted by length, with the 12 major and 12 minor keys: (2, 12)."""
    profile = np.bincount(notes[:, PITCH] % 12, weights=notes[:, DURATION], minlength=12)
    if profile.std() == 0:
        return np.zeros((2, 12))
    kinds = [[np.corrcoef(profile, np.roll(kind, tonic))[0, 1] for tonic in range(12)] for kind in (_MAJOR, _MINOR)]
    return np.array(kinds)


def major_margin(notes: NoteArray) -> float:
    """Best correlation with a major key less the best with a minor key (Krumhansl's key-finding, 1990)."""
    major, minor = key_correlations(notes).max(axis=1)
    return float(major - minor)


@dataclass(frozen=True, slots=True)
class DialScale:
    """How cues become dials: the standard scores and percentiles of the music the model learned from."""

    mean: Mapping[str, float]  # of each cue
    deviation: Mapping[str, float]
    quantiles: Mapping[str, Sequence[float]]  # of each dial's raw value, evenly spaced from minimum to maximum

    @classmethod
    def fit(cls, pieces: Sequence[Cues], steps: int = 101) -> "DialScale":
        """Fit to the cues of many pieces, each counting once."""
        known = {cue: [value for p in pieces if (value := p[cue]) is not None] for cue in pieces[0]}
        mean = {cue: float(np.mean(values)) for cue, values in known.items() if values}
        deviation = {cue: float(np.std(values)) or 1.0 for cue, values in known.items() if values}
        scale = cls(mean, deviation, {})
        raw = [scale.raw(p) for p in pieces]
        grid = np.linspace(0, 1, steps)
        values = {dial: [value for r in raw if (value := r[dial]) is not None] for dial in DIALS}
        return cls(mean, deviation, {dial: np.quantile(v, grid).tolist() for dial, v in values.items() if v})

    def raw(self, cues: Cues) -> Cues:
        """Turn cues into the unscaled value of each dial: valence and arousal as weighted standard scores."""
        result: Cues = {dial: cues.get(dial) for dial in DIALS}
        result["valence"] = self._weighted(cues, VALENCE_WEIGHTS)
        result["arousal"] = self._weighted(cues, AROUSAL_WEIGHTS)
        return result

    def _weighted(self, cues: Cues, weights: Mapping[str, float]) -> float | None:
        if cues["onset_rate"] is None or cues["register"] is None:
            return None
        known = {cue: value for cue in weights if cue in self.mean and (value := cues[cue]) is not None}
        scores = {cue: (value - self.mean[cue]) / self.deviation[cue] for cue, value in known.items()}
        # A cue that is not known is left out, and the others count for more.
        return sum(weights[cue] * scores[cue] for cue in known) / sum(abs(weights[cue]) for cue in known)

    def dials(self, cues: Cues) -> Cues:
        """Turn cues into dials in -1..1; None stays None."""
        return {dial: self.signed(dial, value) for dial, value in self.raw(cues).items()}

    def signed(self, dial: str, raw: float | None) -> float | None:
        """Turn a dial's raw value into 2 x percentile - 1; None where no piece that was fitted knew the dial."""
        if raw is None or dial not in self.quantiles:
            return None
        table = np.asarray(self.quantiles[dial])
        grid = np.linspace(-1, 1, len(table))
        # Ties in the table (many pieces at 120 bpm) take the middle of their run.
        low, high = np.searchsorted(table, raw, "left"), np.searchsorted(table, raw, "right")
        if high > low:
            return float((grid[low] + grid[high - 1]) / 2)
        return float(np.interp(raw, table, grid))

    def unsigned(self, dial: str, signed: float) -> float:
        """Turn a dial in -1..1 back into its raw value."""
        table = self.quantiles[dial]
        return float(np.interp(signed, np.linspace(-1, 1, len(table)), table))

    def to_json(self) -> dict[str, Any]:
        """Plain tables for a checkpoint."""
        return {"mean": dict(self.mean), "deviation": dict(self.deviation), "quantiles": dict(self.quantiles)}
