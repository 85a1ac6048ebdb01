"""Quality of a score, and distance between sets of scores.

None of these is "higher is better": each is compared with the same figure of real music.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagemusic.music.score import DURATION, ONSET, PITCH, NoteArray, Score

WINDOW_BARS = 16
WINDOW_NOTES = 32  # a window of fewer notes says nothing about repetition
WORN_SHARE = 1 / 3
LEAST_SHARE = 1e-4
STACK = 8  # notes that start together; fewer are a chord


def bar_length(score: Score) -> int:
    """Ticks in a bar of the first meter; 4/4 where none is known."""
    beats = score.meters[0].beats if score.meters else 4.0
    return max(1, round(beats * score.ticks_per_beat))


def longest_silence_bars(score: Score) -> float:
    """Longest time inside the piece in which nothing sounds, drums included, in bars."""
    notes = np.concatenate([track.notes for track in score.tracks if len(track)])
    notes = notes[np.argsort(notes[:, ONSET], kind="stable")].astype(np.int64)
    reached = np.maximum.accumulate(notes[:, ONSET] + notes[:, DURATION])
    gaps = notes[1:, ONSET] - reached[:-1]
    return float(max(gaps.max(initial=0), 0) / bar_length(score))


def ends_in_a_stack(score: Score) -> bool:
    """Tell whether more notes start together in the last two beats than in nearly all of the piece: half as many again
    as in 99 % of its chords, and at least STACK."""
    onsets, sizes = np.unique(np.concatenate([track.notes[:, ONSET] for track in score.tracks]), return_counts=True)
    late = onsets >= score.end - 2 * score.ticks_per_beat
    usual = float(np.quantile(sizes[~late], 0.99)) if (~late).any() else 1.0
    return bool(sizes[late].max(initial=0) >= max(STACK, 1.5 * usual))


def top_pitch_shares(score: Score, *, drums: bool = False) -> NDArray[np.float64]:
    """Share (W,) of the notes that the most frequent pitch has, in every 16-bar window of each part.

    Windows lie side by side from the first bar on; those of fewer than 32 notes are left out.
    """
    shares = []
    length = WINDOW_BARS * bar_length(score)
    for track in score.tracks:
        if track.is_drum and not drums or not len(track):
            continue
        windows = track.notes[:, ONSET] // length
        for window in np.unique(windows):
            pitches = track.notes[windows == window, PITCH]
            if len(pitches) >= WINDOW_NOTES:
                shares.append(np.bincount(pitches).max() / len(pitches))
    return np.array(shares)


def worn_windows(score: Score, *, drums: bool = False) -> tuple[int, int]:
    """Count the windows of `top_pitch_shares` in which one pitch has over a third, and all of them."""
    shares = top_pitch_shares(score, drums=drums)
    return int((shares > WORN_SHARE).sum()), len(shares)


def pitched_notes(score: Score) -> NoteArray:
    """Notes (N, 4) of all parts but drums."""
    tracks = [track.notes for track in score.tracks if not track.is_drum and len(track)]
    return np.concatenate(tracks) if tracks else np.empty((0, 4), np.int32)


def pitch_class_entropy(notes: NoteArray) -> float:
    """Entropy of the 12 pitch classes of notes (N, 4), in bits: 0 for one class, 3.58 for all alike."""
    shares = np.bincount(notes[:, PITCH] % 12, minlength=12) / max(len(notes), 1)
    shares = shares[shares > 0]
    return float(-(shares * np.log2(shares)).sum())


def bar_figures(score: Score) -> NDArray[np.float64]:
    """Measure every 4-bar window with pitched notes: (W, 4) of pitch-class entropy, polyphony, onsets a beat, beats a
    note."""
    notes = pitched_notes(score)
    if not len(notes):
        return np.empty((0, 4))
    length = 4 * bar_length(score)
    beats = length / score.ticks_per_beat
    rows = []
    for window in np.unique(notes[:, ONSET] // length):
        inside = notes[notes[:, ONSET] // length == window]
        sounding = inside[:, DURATION].sum() / length
        onsets = len(np.unique(inside[:, ONSET])) / beats
        rows.append((pitch_class_entropy(inside), sounding, onsets, inside[:, DURATION].mean() / score.ticks_per_beat))
    return np.array(rows)


BAR_FIGURES = ("pitch_class_entropy", "polyphony", "onsets_per_beat", "note_beats")


@dataclass(frozen=True, slots=True)
class Distance:
    """How far one sample lies from another."""

    overlap: float  # shared area of the two densities, 0..1
    divergence: float  # Kullback-Leibler, nats, first from second

    @classmethod
    def between(cls, ours: NDArray[np.floating], real: NDArray[np.floating], bins: int = 40) -> "Distance":
        """Compare two samples by histograms over the range of the real one (Yang & Lerch 2020)."""
        low, high = np.quantile(real, [0.001, 0.999])
        edges = np.linspace(low, max(high, low + 1e-9), bins + 1)
        p, q = (
            (np.histogram(np.clip(values, low, high), edges)[0] + 0.5) / (len(values) + 0.5 * bins)
            for values in (ours, real)
        )
        return cls(float(np.minimum(p, q).sum()), float((p * np.log(p / q)).sum()))

    @classmethod
    def of_shares(cls, ours: NDArray[np.floating], real: NDArray[np.floating]) -> "Distance":
        """Compare shares (B,) in the same bins; an empty one counts as LEAST_SHARE, lest a divergence be endless."""
        p, q = ((shares + LEAST_SHARE) / (1 + LEAST_SHARE * len(shares)) for shares in (ours, real))
        return cls(float(np.minimum(p, q).sum()), float((p * np.log(p / q)).sum()))


def summary(values: NDArray[np.floating]) -> dict[str, float]:
    """Quartiles and mean of a sample."""
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return {"mean": float(values.mean()), "q25": float(low), "median": float(middle), "q75": float(high)}


def bootstrap_share(
    worn: Sequence[int], totals: Sequence[int], rng: np.random.Generator, repeats: int = 2000
) -> tuple[float, float, float]:
    """Share of worn windows over pieces, with the 2.5 and 97.5 % points when pieces are drawn again."""
    counts = np.array([worn, totals], float)
    index = rng.integers(counts.shape[1], size=(repeats, counts.shape[1]))
    shares = counts[0][index].sum(axis=1) / np.maximum(counts[1][index].sum(axis=1), 1)
    low, high = np.quantile(shares, [0.025, 0.975])
    return float(counts[0].sum() / max(counts[1].sum(), 1)), float(low), float(high)
