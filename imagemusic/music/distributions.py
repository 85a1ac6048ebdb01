"""What scores are like, as shares in fixed bins, and how near two sets of scores lie.

    Score ──► of each of FIGURES, the share of its notes, bars or time in every bin
    scores ──► the mean of their shares, each piece counting alike
    ours and real ──► shared area and Kullback-Leibler divergence (metrics.Distance)

Pitch classes are counted from the tonic that Krumhansl's key-finding names, so that keys do not matter.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imagemusic.music.dials import key_correlations
from imagemusic.music.metrics import BAR_FIGURES, Distance, bar_figures, bar_length, pitched_notes, top_pitch_shares
from imagemusic.music.score import DURATION, ONSET, PITCH, NoteArray, Score

# Ends of bins in beats, between the lengths that notation has: 1/8, 1/6, 1/4, 1/3, 1/2, 2/3, 3/4, 1, 1.5, 2, 3, ...
BEATS = np.array([3.5, 5, 7, 10, 14, 17, 21, 30, 42, 60, 84, 120, 180]) / 24
WIDEST = 13  # semitones; wider intervals count as this
DRUM_FAMILY = 16  # after the 16 families of General MIDI
LAGS = (4, 8, 16)  # bars
SIXTEENTHS = 4  # a beat: how exactly two bars are compared

# Where each figure's bins meet; below the first and above the last there is a bin too.
EDGES: dict[str, NDArray[np.floating]] = {
    "pitch_class": np.arange(1, 12) - 0.5,
    "interval": np.arange(-WIDEST, WIDEST) + 0.5,
    "duration": BEATS,
    "onset_gap": BEATS,
    "notes_at_once": np.arange(0, 12) + 0.5,
    "instrument": np.arange(0, DRUM_FAMILY) + 0.5,
    **dict(zip(BAR_FIGURES, (np.linspace(1, 3.5, 26), np.arange(1, 20) / 2, np.arange(1, 24) / 4, BEATS), strict=True)),
    **{f"similarity_{lag}": np.arange(1, 20) / 20 for lag in LAGS},
    "top_pitch_share": np.arange(1, 20) / 20,
}
FIGURES = tuple(EDGES)

Shares = NDArray[np.float64]


def shares(score: Score) -> dict[str, Shares]:
    """Share (B,) in every bin of each of FIGURES; NaN where a score has nothing to count."""
    values = _values(score)
    return {name: _binned(*values[name], edges) for name, edges in EDGES.items()}


def share_table(scores: Iterable[Score]) -> dict[str, Shares]:
    """Shares (N, B) of scores, for each of FIGURES."""
    rows = [shares(score) for score in scores]
    return {name: np.array([row[name] for row in rows]) for name in FIGURES}


def mean_shares(rows: Shares, weights: ArrayLike | None = None) -> Shares:
    """Mean shares (..., B) of pieces (N, B) with weights (..., N); those with nothing to count are left out."""
    known = ~np.isnan(rows[:, 0])
    chosen = np.ones(len(rows)) if weights is None else np.asarray(weights, float)
    total = chosen[..., known].sum(axis=-1, keepdims=True)
    return chosen[..., known] @ rows[known] / np.maximum(total, 1e-12)


def distances(
    ours: Mapping[str, Shares], real: Mapping[str, Shares], weights: ArrayLike | None = None
) -> dict[str, Distance]:
    """Compare two share tables in every figure; `weights` (N,) are those of the real pieces."""
    return {
        name: Distance.of_shares(mean_shares(ours[name]), mean_shares(real[name], weights))
        for name in FIGURES
        if not np.isnan(ours[name]).all() and not np.isnan(real[name]).all()
    }


def alike_weights(kinds: Sequence[str], wanted: Sequence[str]) -> NDArray[np.float64]:
    """Weights (N,) that make pieces of these kinds as frequent, kind by kind, as they are among those wanted."""
    share = {kind: wanted.count(kind) / len(wanted) for kind in set(wanted)}
    return np.array([share.get(kind, 0.0) / kinds.count(kind) for kind in kinds])


def bar_similarities(score: Score, lag: int) -> NDArray[np.float64]:
    """Jaccard similarity (W,) of every bar with the one `lag` bars before: onsets, to a sixteenth, with pitch classes.

    Pairs of which both are empty are left out.
    """
    notes = pitched_notes(score).astype(np.int64)
    if not len(notes):
        return np.empty(0)
    length = bar_length(score)
    bars, ticks = np.divmod(notes[:, ONSET], length)
    places = ticks * SIXTEENTHS // score.ticks_per_beat
    sounding = np.zeros((bars.max() + 1, (places.max() + 1) * 12), bool)
    sounding[bars, places * 12 + notes[:, PITCH] % 12] = True
    now, before = sounding[lag:], sounding[:-lag]
    either = (now | before).sum(axis=1)
    return (now & before).sum(axis=1)[either > 0] / either[either > 0]


def _values(score: Score) -> dict[str, tuple[ArrayLike, ArrayLike | None]]:
    """Values of each of FIGURES, with the weight of each value."""
    notes = pitched_notes(score).astype(np.int64)
    beats = score.ticks_per_beat
    bars = bar_figures(score)
    families = np.array(
        [[DRUM_FAMILY if track.is_drum else track.program // 8, len(track)] for track in score.tracks], int
    ).reshape(-1, 2)
    return {
        "pitch_class": (_from_tonic(notes), None),
        "interval": (_steps(score), None),
        "duration": (notes[:, DURATION] / beats, None),
        "onset_gap": (np.diff(np.unique(notes[:, ONSET])) / beats, None),
        "notes_at_once": _sounding(notes),
        "instrument": (families[:, 0], families[:, 1]),
        **{name: (bars[:, column], None) for column, name in enumerate(BAR_FIGURES)},
        **{f"similarity_{lag}": (bar_similarities(score, lag), None) for lag in LAGS},
        "top_pitch_share": (top_pitch_shares(score), None),
    }


def _binned(values: ArrayLike, weights: ArrayLike | None, edges: NDArray[np.floating]) -> Shares:
    counts = np.bincount(np.searchsorted(edges, np.asarray(values)), weights, minlength=len(edges) + 1)
    total = counts.sum()
    return counts / total if total else np.full(len(edges) + 1, np.nan)


def _from_tonic(notes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pitch classes (N,) of notes, counted from the tonic of their best key."""
    profile = np.bincount(notes[:, PITCH] % 12, weights=notes[:, DURATION], minlength=12)
    tonic = int(key_correlations(profile[None].astype(np.float64))[0].max(axis=0).argmax())
    return (notes[:, PITCH] - tonic) % 12


def _steps(score: Score) -> NDArray[np.int64]:
    """Semitones (M,) between the highest notes of successive onsets of each part."""
    lines = [np.empty(0, np.int64)]
    for track in score.tracks:
        if not track.is_drum and len(track):
            lines.append(np.diff(_highest(track.notes)))
    return np.concatenate(lines)


def _highest(notes: NoteArray) -> NDArray[np.int64]:
    """Highest pitch (M,) at each onset of notes (N, 4) that are sorted by onset."""
    starts = np.flatnonzero(np.diff(notes[:, ONSET], prepend=-1))
    return np.maximum.reduceat(notes[:, PITCH].astype(np.int64), starts)


def _sounding(notes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers of notes that sound at once, and the ticks for which they do, from the first onset to the last end."""
    times = np.concatenate([notes[:, ONSET], notes[:, ONSET] + notes[:, DURATION]])
    change = np.repeat([1, -1], len(notes))
    order = np.argsort(times, kind="stable")
    return np.cumsum(change[order])[:-1], np.diff(times[order])
