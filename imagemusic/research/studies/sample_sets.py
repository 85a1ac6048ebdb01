"""Sets of pieces as arrays, and how near a set lies to real music, with bootstrap intervals.

scores ──► Sample: shares of music/distributions.py, dominated windows, requested and measured dials ─┐
our pieces, and the groups of the real ones, resampled 1,000 times ──► Resampled ─────────────────────┴─► figures
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagemusic.compose.feedback import CONTROLLED
from imagemusic.data.prepared import PreparedPiece, PreparedSet
from imagemusic.evaluation.steering.measures import first_seconds
from imagemusic.events import codec
from imagemusic.files import replace_atomically
from imagemusic.music import metrics
from imagemusic.music.dials import DialNormalizer, measure
from imagemusic.music.distributions import FIGURES, LAGS, mean_shares, share_table
from imagemusic.music.metrics import Distance
from imagemusic.music.score import DURATION, Score

FOLLOWED = (*CONTROLLED, "mode")
COLUMNS = ("worn", "note_beats", "notes", "requested", "measured", "ensembles")
REPEATS = 1000
Table = dict[str, NDArray[np.float64]]


def held_out_pieces(prepared: PreparedSet, split: str) -> list[PreparedPiece]:
    """Return the pieces of a split with beats, without those for drums alone."""
    return [piece for piece in prepared.select(split) if piece.metrical and piece.ensemble != "drums"]


def held_out_scores(prepared: PreparedSet, pieces: Sequence[PreparedPiece], seconds: float) -> list[Score]:
    """Decode the first seconds of pieces."""
    return [first_seconds(codec.decode(prepared.events(piece)), seconds) for piece in pieces]


@dataclass(frozen=True, slots=True)
class Sample:
    """A set of N pieces as arrays."""

    shares: Table  # (N, B) of each figure
    worn: NDArray[np.float64]  # (N, 2): dominated windows and all
    note_beats: NDArray[np.float64]  # (N,): mean length of a note, in beats
    notes: NDArray[np.float64]  # (N,)
    requested: NDArray[np.float64]  # (N, 6) dials of FOLLOWED; nan where none was requested
    measured: NDArray[np.float64]  # (N, 6): the same, measured
    ensembles: NDArray[np.str_]  # (N,): requested

    @classmethod
    def of(cls, scores: Sequence[Score], scale: DialNormalizer, requested: Sequence[Mapping[str, Any]]) -> "Sample":
        """Measure scores; `requested` holds the requested dials and ensemble of each."""
        measured = [scale.dials(measure(score)) for score in scores]
        return cls(
            share_table(scores),
            np.array([metrics.worn_windows(score) for score in scores], float),
            np.array([_note_beats(score) for score in scores]),
            np.array([score.note_count for score in scores], float),
            _dial_columns(requested),
            _dial_columns(measured),
            np.array([str(row["ensemble"]) for row in requested]),
        )

    def save(self, path: Path) -> None:
        """Write it as a whole or not at all."""
        rest = {name: getattr(self, name) for name in COLUMNS}
        shares = {f"shares/{name}": rows for name, rows in self.shares.items()}
        with replace_atomically(path) as temporary, temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **shares, **rest)

    @classmethod
    def load(cls, path: Path) -> "Sample":
        """Read what `save` wrote."""
        with np.load(path) as table:
            return cls({name: table[f"shares/{name}"] for name in FIGURES}, *(table[name] for name in COLUMNS))


def _dial_columns(dials: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
    rows = [[np.nan if (value := row.get(name)) is None else float(value) for name in FOLLOWED] for row in dials]
    return np.array(rows)


def _note_beats(score: Score) -> float:
    notes = metrics.pitched_notes(score)
    return float(notes[:, DURATION].mean() / score.ticks_per_beat) if len(notes) else np.nan


@dataclass(frozen=True, slots=True)
class Resampled:
    """Weights (R + 1, N) of resampled pieces; the first row is the set as it is."""

    ours: NDArray[np.float64]
    real: NDArray[np.float64]

    @classmethod
    def of(cls, ours: int, weights: NDArray[np.float64], groups: Sequence[str]) -> "Resampled":
        """Resample our pieces, and the groups of the real ones."""
        rng = np.random.default_rng(0)
        names, index = np.unique(np.array(groups), return_inverse=True)
        counts = rng.multinomial(ours, np.full(ours, 1 / ours), size=REPEATS)
        again = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=REPEATS)[:, index]
        return cls(np.concatenate([np.ones((1, ours)), counts]), np.concatenate([weights[None], weights * again]))

    def distances(self, ours: Sample, real: Table) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Compute overlap and divergence (R + 1, F) in every figure."""
        found = [
            [Distance.of_shares(p, q) for p, q in zip(mean_shares(ours.shares[name], self.ours), there, strict=True)]
            for name, there in real.items()
        ]
        values = np.array([[(distance.overlap, distance.divergence) for distance in row] for row in found])
        return values[..., 0].T, values[..., 1].T

    def worn(self, ours: Sample) -> NDArray[np.float64]:
        """Compute the share (R + 1,) of windows that one pitch dominates."""
        worn, windows = (self.ours @ ours.worn).T
        return worn / np.maximum(windows, 1)

    def followed(self, ours: Sample) -> NDArray[np.float64]:
        """Compute the mean correlation (R + 1,) of requested with measured dials; a constant dial counts as 0."""
        found = []
        for requested, measured in zip(ours.requested.T, ours.measured.T, strict=True):
            known = ~np.isnan(requested) & ~np.isnan(measured)
            weights = self.ours[:, known] / self.ours[:, known].sum(axis=1, keepdims=True)
            x, y = (values[known] - (weights @ values[known])[:, None] for values in (requested, measured))
            covariance, first, second = ((weights * product).sum(axis=1) for product in (x * y, x * x, y * y))
            found.append(covariance / np.sqrt(np.maximum(first * second, 1e-12)))
        return np.mean(found, axis=0)


def figure(values: NDArray[np.float64]) -> dict[str, float]:
    """Return the first of values (R + 1,), and the middle 95 % of the others."""
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return {"value": round(float(values[0]), 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def compared(values: NDArray[np.float64], base: NDArray[np.float64]) -> dict[str, Any]:
    """Return the difference of values (R + 1,) from the base, and whether its interval excludes zero."""
    gap = figure(values - base)
    verdict = "noise" if gap["low"] <= 0 <= gap["high"] else "higher" if gap["value"] > 0 else "lower"
    return gap | {"verdict": verdict}


def compare(sample: Sample, resampled: Resampled, there: Table) -> dict[str, NDArray[np.float64]]:
    """Compare a sample with mean shares (R + 1, B) of real music: figures (R + 1,)."""
    overlap, divergence = resampled.distances(sample, there)
    return {
        "overlap": overlap.mean(axis=1),
        "divergence": divergence.mean(axis=1),
        "worn_windows": resampled.worn(sample),
        "note_beats": mean_shares(sample.note_beats[:, None], resampled.ours)[:, 0],
        "dials_followed": resampled.followed(sample),
        **{f"overlap of {name}": overlap[:, column] for column, name in enumerate(FIGURES)},
    }


def similarities(shares: Table, weights: NDArray[np.float64] | None = None) -> dict[str, float]:
    """Return the mean similarity of bars with those 4, 8 and 16 bars before, from the middles of their bins."""
    middles = (np.arange(20) + 0.5) / 20
    return {str(lag): round(float(mean_shares(shares[f"similarity_{lag}"], weights) @ middles), 4) for lag in LAGS}


def mean_with_interval(values: NDArray[np.float64]) -> dict[str, float]:
    """Return the mean of values (N,), NaN left out, with its interval."""
    rows = np.random.default_rng(0).integers(len(values), size=(REPEATS, len(values)))
    return figure(np.concatenate([[np.nanmean(values)], np.nanmean(values[rows], axis=1)]))
