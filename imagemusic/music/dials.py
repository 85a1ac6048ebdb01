"""What a score feels like, as numbers that a person understands and may set.

    score -> cues: measured numbers with units (bpm, notes a beat, mean pitch, ...)
    cues  -> dials: -1..1, where in the music we learned from the piece stands (2 x percentile - 1)

Valence and arousal are weighted sums of standardised cues.  Which cues, their signs and their order of weight follow
Eerola, Friberg & Bresin 2013 (doi:10.3389/fpsyg.2013.00487), who found the effects linear and additive and ranked
them mode, tempo, register, dynamics, articulation; the weights themselves are rank sums (Stillwell, Seaver & Edwards
1981), not fitted to any labelled music.  Tempo enters as onsets a second, so that no beat grid is needed.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagemusic.music.score import DURATION, ONSET, PITCH, VELOCITY, NoteArray, Score

Cues = dict[str, float | None]  # None: not known, or not measurable in this score

AFFECT_DIALS = ("valence", "arousal")  # weighted sums of cues
IMAGE_DIALS = (*AFFECT_DIALS, "tempo")  # what the image encoder predicts, in the order of its outputs
DIALS = (*IMAGE_DIALS, "density", "register", "loudness", "articulation", "mode", "polyphony")

VALENCE_WEIGHTS = {"mode": 0.4, "onset_rate": 0.3, "register": 0.2, "articulation": -0.1}
AROUSAL_WEIGHTS = {"onset_rate": 0.5, "loudness": 1 / 3, "articulation": -1 / 6}

# Krumhansl & Kessler 1982, probe-tone ratings for C major and C minor.
_MAJOR = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
_MINOR = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])
# (2, 12, 12): of the 12 major and 12 minor keys, with zero mean and length 1
KEYS = np.array([[np.roll(kind - kind.mean(), tonic) for tonic in range(12)] for kind in (_MAJOR, _MINOR)])
KEYS /= np.linalg.norm(KEYS, axis=-1, keepdims=True)

MAX_HELD = 1.5  # times the wait for the next onset that a note counts as held

CUES = ("tempo", "density", "onset_rate", "register", "loudness", "articulation", "mode", "polyphony")


def measure(score: Score, *, tempo_known: bool = True, velocity_known: bool = True) -> Cues:
    """Measure the cues of a score; what cannot be known of it is None.

    Units: tempo bpm; density pitched notes a beat; onset_rate onsets a second; register mean MIDI pitch;
    loudness mean velocity; articulation mean share of the time to the part's next onset for which a note sounds;
    mode the margin of the best major key over the best minor key (-1..1, Krumhansl's key-finding, 1990); polyphony
    mean number of sounding notes, where any sounds.
    """
    first = min((int(track.notes[0, ONSET]) for track in score.tracks if len(track)), default=0)
    spans = np.array([first, max(score.end, first + 1)])
    (row,) = measure_spans(score, spans, tempo_known=tempo_known, velocity_known=velocity_known).tolist()
    return {cue: None if np.isnan(value) else value for cue, value in zip(CUES, row, strict=True)}


def measure_spans(
    score: Score,
    ticks: NDArray[np.integer],
    *,
    tempo_known: bool = True,
    velocity_known: bool = True,
    spans_of_mode: int = 1,
) -> NDArray[np.float64]:
    """Measure the cues (S, 8) of the spans between S + 1 ascending ticks; NaN for what cannot be known.

    A note belongs to the span in which it starts; for polyphony it counts wherever it sounds.  The mode is measured
    over a span and those after it, `spans_of_mode` in all, because a few notes have no key.
    """
    ticks = np.asarray(ticks, np.int64)
    count, length = len(ticks) - 1, np.diff(ticks)
    result = np.full((count, len(CUES)), np.nan)
    everything = [track.notes for track in score.tracks if len(track)]
    if not everything or not count:
        return result
    column = {cue: result[:, number] for number, cue in enumerate(CUES)}
    joined = np.concatenate(everything).astype(np.int64)
    with np.errstate(invalid="ignore", divide="ignore"):  # a span without notes or without length has no cues
        beats = length / score.ticks_per_beat
        if tempo_known:
            seconds = np.diff(score.seconds_at(ticks))
            column["tempo"][:] = 60 * beats / seconds
            onsets = np.unique(joined[:, ONSET])
            column["onset_rate"][:] = _totals(onsets, np.ones(len(onsets)), ticks) / seconds
        if velocity_known:
            column["loudness"][:] = _means(joined[:, ONSET], joined[:, VELOCITY], ticks)
        tracks = [track.notes for track in score.tracks if not track.is_drum and len(track)]
        if tracks:
            notes = np.concatenate(tracks).astype(np.int64)
            onset = notes[:, ONSET]
            column["density"][:] = _totals(onset, np.ones(len(onset)), ticks) / beats
            column["register"][:] = _means(onset, notes[:, PITCH], ticks)
            held = np.concatenate([_held_share(track) for track in tracks])
            column["articulation"][:] = _means(onset, held, ticks)
            column["mode"][:] = _major_margins(notes, ticks, spans_of_mode)
            column["polyphony"][:] = _sounding(notes, ticks)
    result[~np.isfinite(result)] = np.nan
    silent = _totals(joined[:, ONSET], np.ones(len(joined)), ticks) == 0
    result[silent] = np.nan
    return result


def _totals(onset: NDArray[np.integer], values: NDArray[Any], ticks: NDArray[np.integer]) -> NDArray[np.float64]:
    """Sum values (N,) over the spans in which they start: (S,)."""
    span = np.searchsorted(ticks, onset, side="right")  # 0 is before the first span, S + 1 after the last
    totals = np.bincount(span, weights=values.astype(np.float64), minlength=len(ticks) + 1)
    return totals[1 : len(ticks)].astype(np.float64)


def _means(onset: NDArray[np.integer], values: NDArray[Any], ticks: NDArray[np.integer]) -> NDArray[np.float64]:
    return _totals(onset, values, ticks) / _totals(onset, np.ones(len(onset)), ticks)


def _held_share(notes: NoteArray) -> NDArray[np.float64]:
    """Share (N,) of the time until the part's next onset for which each note sounds; 1 is legato, at most 1.5."""
    onsets, index = np.unique(notes[:, ONSET], return_inverse=True)
    wait = np.append(np.diff(onsets), notes[-1, DURATION])
    return np.minimum(notes[:, DURATION] / wait[index.reshape(-1)], MAX_HELD)


def _sounding(notes: NDArray[np.integer], ticks: NDArray[np.integer]) -> NDArray[np.float64]:
    """Mean number of sounding notes (S,) over the ticks in which any sounds."""
    offsets = notes[:, ONSET] + notes[:, DURATION]
    length = int(max(offsets.max(), ticks[-1])) + 1
    now = np.cumsum(np.bincount(notes[:, ONSET], minlength=length) - np.bincount(offsets, minlength=length))
    sums = np.concatenate([[0], np.cumsum(now)])[ticks]
    covered = np.concatenate([[0], np.cumsum(now > 0)])[ticks]
    return np.diff(sums) / np.diff(covered)


def key_correlations(profiles: NDArray[np.floating]) -> NDArray[np.float64]:
    """Correlate pitch-class profiles (S, 12) with the 12 major and 12 minor keys: (S, 2, 12); 0 where flat."""
    centred = profiles - profiles.mean(axis=-1, keepdims=True)
    norm = np.linalg.norm(centred, axis=-1)
    centred = centred / np.where(norm > 1e-9, norm, np.inf)[:, None]
    return np.einsum("sp,ktp->skt", centred, KEYS)


def _major_margins(notes: NDArray[np.integer], ticks: NDArray[np.integer], ahead: int) -> NDArray[np.float64]:
    """Best correlation with a major key less the best with a minor key (S,), pitch classes weighted by length."""
    span = np.searchsorted(ticks, notes[:, ONSET], side="right")
    weights = notes[:, DURATION].astype(np.float64)
    cells = np.bincount(span * 12 + notes[:, PITCH] % 12, weights=weights, minlength=12 * (len(ticks) + 1))
    profiles = cells.reshape(-1, 12)[1 : len(ticks)].astype(np.float64)
    sums = np.concatenate([np.zeros((1, 12)), profiles.cumsum(axis=0)])
    first = np.arange(len(profiles))
    profiles = sums[np.minimum(first + ahead, len(profiles))] - sums[first]
    best = key_correlations(profiles).max(axis=-1)
    return np.where(profiles.any(axis=1), best[:, 0] - best[:, 1], np.nan)


def as_row(cues: Cues) -> NDArray[np.float64]:
    """Lay out cues as a row (8,), NaN for what is not known."""
    values = [cues[cue] for cue in CUES]
    return np.array([np.nan if value is None else value for value in values])


@dataclass(frozen=True, slots=True)
class DialNormalizer:
    """How cues become dials: the standard scores and percentiles of the music the model learned from."""

    mean: Mapping[str, float]  # of each cue
    deviation: Mapping[str, float]
    quantiles: Mapping[str, Sequence[float]]  # of each dial's raw value, evenly spaced from minimum to maximum
    segment_rms: Mapping[str, float] = field(
        default_factory=dict
    )  # RMS distance of a segment's dial from that of its piece

    @classmethod
    def fit(cls, pieces: Sequence[Cues], steps: int = 101) -> "DialNormalizer":
        """Fit to the cues of many pieces, each counting once."""
        table = np.array([as_row(piece) for piece in pieces])
        known = {cue: column[~np.isnan(column)] for cue, column in zip(CUES, table.T, strict=True)}
        mean = {cue: float(np.mean(values)) for cue, values in known.items() if len(values)}
        deviation = {cue: float(np.std(values)) or 1.0 for cue, values in known.items() if len(values)}
        raw = cls(mean, deviation, {}).raw(table)
        grid = np.linspace(0, 1, steps)
        values = {dial: column[~np.isnan(column)] for dial, column in zip(DIALS, raw.T, strict=True)}
        return cls(mean, deviation, {dial: np.quantile(v, grid).tolist() for dial, v in values.items() if len(v)})

    def raw(self, cues: NDArray[np.floating]) -> NDArray[np.float64]:
        """Turn cues (..., 8) into the unscaled value of each dial (..., 9): valence and arousal as weighted standard
        scores, the others as they are."""
        weighted = [self._weighted(cues, VALENCE_WEIGHTS), self._weighted(cues, AROUSAL_WEIGHTS)]
        return np.stack([*weighted, *(cues[..., CUES.index(dial)] for dial in DIALS[2:])], axis=-1)

    def _weighted(self, cues: NDArray[np.floating], weights: Mapping[str, float]) -> NDArray[np.float64]:
        total, known = np.zeros(cues.shape[:-1]), np.zeros(cues.shape[:-1])
        for cue, weight in weights.items():
            if cue in self.mean:
                score = (cues[..., CUES.index(cue)] - self.mean[cue]) / self.deviation[cue]
                total += np.where(np.isnan(score), 0, weight * score)
                # A cue that is not known is left out, and the others count for more.
                known += np.where(np.isnan(score), 0, abs(weight))
        needed = cues[..., CUES.index("onset_rate")] + cues[..., CUES.index("register")]
        return np.where(np.isnan(needed), np.nan, total / np.where(known > 0, known, 1))

    def table(self, cues: NDArray[np.floating]) -> NDArray[np.float64]:
        """Turn cues (..., 8) into dials (..., 9) in -1..1; NaN stays NaN."""
        raw = self.raw(cues)
        return np.stack([self._ranks(dial, raw[..., number]) for number, dial in enumerate(DIALS)], axis=-1)

    def _ranks(self, dial: str, raw: NDArray[np.floating]) -> NDArray[np.float64]:
        """Turn raw values into 2 x percentile - 1; NaN where no piece that was fitted knew the dial."""
        if dial not in self.quantiles:
            return np.full(raw.shape, np.nan)
        table = np.asarray(self.quantiles[dial])
        grid = np.linspace(-1, 1, len(table))
        # Ties in the table (many pieces at 120 bpm) take the middle of their run.
        low, high = np.searchsorted(table, raw, "left"), np.searchsorted(table, raw, "right")
        last = len(table) - 1
        tied = (grid[np.minimum(low, last)] + grid[np.clip(high - 1, 0, last)]) / 2
        return np.where(np.isnan(raw), np.nan, np.where(high > low, tied, np.interp(raw, table, grid)))

    def dials(self, cues: Cues) -> Cues:
        """Turn the cues of a score into dials in -1..1; None stays None."""
        row = self.table(as_row(cues)).tolist()
        return {dial: None if np.isnan(value) else value for dial, value in zip(DIALS, row, strict=True)}

    def to_percentile(self, dial: str, raw: float | None) -> float | None:
        """Turn a dial's raw value into 2 x percentile - 1; None where no piece that was fitted knew the dial."""
        if raw is None or math.isnan(raw) or dial not in self.quantiles:
            return None
        table = self.quantiles[dial]
        low, high, last = bisect_left(table, raw), bisect_right(table, raw), len(table) - 1
        if high > low:  # as in _ranks, the middle of a run
            place = (low + high - 1) / 2
        elif 0 < low <= last:
            place = low - (table[low] - raw) / (table[low] - table[low - 1])
        else:
            place = min(low, last)
        return 2 * place / last - 1

    def from_percentile(self, dial: str, to_percentile: float) -> float:
        """Turn a dial in -1..1 back into its raw value."""
        table = self.quantiles[dial]
        return float(np.interp(to_percentile, np.linspace(-1, 1, len(table)), table))

    def to_json(self) -> dict[str, Any]:
        """Plain tables for a checkpoint."""
        return {name: dict(getattr(self, name)) for name in ("mean", "deviation", "quantiles", "segment_rms")}

    @classmethod
    def from_json(cls, table: Mapping[str, Any]) -> "DialNormalizer":
        """Read the tables of a checkpoint; `within` is what `segment_rms` was called in those of format 2.

        Raises:
            TypeError: a table is missing or not known.
        """
        current = dict(table)
        if "within" in current:
            current["segment_rms"] = current.pop("within")
        return cls(**current)
