"""Pieces as numbers, and how near sets of them lie to real music, with intervals.

scores ──► Sample: shares of music/distributions.py, worn windows, dials asked for and heard ─┐
our pieces, and the groups of the real ones, drawn again 1,000 times ──► Drawn ───────────────┴─► figures
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagemusic.compose.feedback import CONTROLLED
from imagemusic.music import metrics
from imagemusic.music.dials import DialNormalizer, measure
from imagemusic.music.distributions import FIGURES, LAGS, mean_shares, share_table
from imagemusic.music.metrics import Distance
from imagemusic.music.score import DURATION, Score

FOLLOWED = (*CONTROLLED, "mode")
COLUMNS = ("worn", "note_beats", "notes", "asked", "heard", "ensembles")
REPEATS = 1000
Table = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Sample:
    """Pieces as numbers: a row a piece."""

    shares: Table  # (N, B) of each figure
    worn: NDArray[np.float64]  # (N, 2): worn windows and all
    note_beats: NDArray[np.float64]  # (N,): mean length of a note, in beats
    notes: NDArray[np.float64]  # (N,)
    asked: NDArray[np.float64]  # (N, 6) dials of FOLLOWED; nan where none was asked for
    heard: NDArray[np.float64]  # (N, 6): the same, measured
    ensembles: NDArray[np.str_]  # (N,): that were asked for

    @classmethod
    def of(cls, scores: Sequence[Score], scale: DialNormalizer, asked: Sequence[Mapping[str, Any]]) -> "Sample":
        """Measure scores."""
        heard = [scale.dials(measure(score)) for score in scores]
        return cls(
            share_table(scores),
            np.array([metrics.worn_windows(score) for score in scores], float),
            np.array([_note_beats(score) for score in scores]),
            np.array([score.note_count for score in scores], float),
            _laid_out(asked),
            _laid_out(heard),
            np.array([str(row["ensemble"]) for row in asked]),
        )

    def save(self, path: Path) -> None:
        """Write it, all or nothing."""
        rest = {name: getattr(self, name) for name in COLUMNS}
        waiting = path.with_suffix(".partial.npz")
        np.savez(waiting, allow_pickle=False, **{f"shares/{name}": rows for name, rows in self.shares.items()}, **rest)
        waiting.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Sample":
        """Read what `save` wrote."""
        with np.load(path) as table:
            return cls({name: table[f"shares/{name}"] for name in FIGURES}, *(table[name] for name in COLUMNS))


def _laid_out(dials: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
    rows = [[np.nan if (value := row.get(name)) is None else float(value) for name in FOLLOWED] for row in dials]
    return np.array(rows)


def _note_beats(score: Score) -> float:
    notes = metrics.pitched_notes(score)
    return float(notes[:, DURATION].mean() / score.ticks_per_beat) if len(notes) else np.nan


@dataclass(frozen=True, slots=True)
class Drawn:
    """Weights of pieces drawn again: (R + 1, N), the first row as they are."""

    ours: NDArray[np.float64]
    real: NDArray[np.float64]

    @classmethod
    def of(cls, ours: int, weights: NDArray[np.float64], groups: Sequence[str]) -> "Drawn":
        """Draw our pieces, and the groups of the real ones."""
        rng = np.random.default_rng(0)
        names, index = np.unique(np.array(groups), return_inverse=True)
        counts = rng.multinomial(ours, np.full(ours, 1 / ours), size=REPEATS)
        again = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=REPEATS)[:, index]
        return cls(np.concatenate([np.ones((1, ours)), counts]), np.concatenate([weights[None], weights * again]))

    def distances(self, ours: Sample, real: Table) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Overlap and divergence (R + 1, F) in every figure."""
        found = [
            [Distance.of_shares(p, q) for p, q in zip(mean_shares(ours.shares[name], self.ours), there, strict=True)]
            for name, there in real.items()
        ]
        values = np.array([[(distance.overlap, distance.divergence) for distance in row] for row in found])
        return values[..., 0].T, values[..., 1].T

    def worn(self, ours: Sample) -> NDArray[np.float64]:
        """Share (R + 1,) of windows that are worn."""
        worn, windows = (self.ours @ ours.worn).T
        return worn / np.maximum(windows, 1)

    def followed(self, ours: Sample) -> NDArray[np.float64]:
        """Mean correlation (R + 1,) of the dials asked for with those measured; one that never changes counts as 0."""
        found = []
        for asked, heard in zip(ours.asked.T, ours.heard.T, strict=True):
            known = ~np.isnan(asked) & ~np.isnan(heard)
            weights = self.ours[:, known] / self.ours[:, known].sum(axis=1, keepdims=True)
            x, y = (values[known] - (weights @ values[known])[:, None] for values in (asked, heard))
            covariance, first, second = ((weights * product).sum(axis=1) for product in (x * y, x * x, y * y))
            found.append(covariance / np.sqrt(np.maximum(first * second, 1e-12)))
        return np.mean(found, axis=0)


def figure(values: NDArray[np.float64]) -> dict[str, float]:
    """The first of values (R + 1,), and the middle 95 % of the others."""
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return {"value": round(float(values[0]), 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def compared(values: NDArray[np.float64], base: NDArray[np.float64]) -> dict[str, Any]:
    """How far values (R + 1,) lie from the base's, and whether that can be told from chance."""
    gap = figure(values - base)
    verdict = "noise" if gap["low"] <= 0 <= gap["high"] else "higher" if gap["value"] > 0 else "lower"
    return gap | {"verdict": verdict}


def compare(sample: Sample, drawn: Drawn, there: Table) -> dict[str, NDArray[np.float64]]:
    """Hold a setting against mean shares (R + 1, B) of real music: figures (R + 1,)."""
    overlap, divergence = drawn.distances(sample, there)
    return {
        "overlap": overlap.mean(axis=1),
        "divergence": divergence.mean(axis=1),
        "worn_windows": drawn.worn(sample),
        "note_beats": mean_shares(sample.note_beats[:, None], drawn.ours)[:, 0],
        "dials_followed": drawn.followed(sample),
        **{f"overlap of {name}": overlap[:, column] for column, name in enumerate(FIGURES)},
    }


def similarities(shares: Table, weights: NDArray[np.float64] | None = None) -> dict[str, float]:
    """Mean similarity of bars with those 4, 8 and 16 bars before, from the middles of their bins."""
    middles = (np.arange(20) + 0.5) / 20
    return {str(lag): round(float(mean_shares(shares[f"similarity_{lag}"], weights) @ middles), 4) for lag in LAGS}


def mean_with_interval(values: NDArray[np.float64]) -> dict[str, float]:
    """Mean of values (N,), those that are not known left out, with its interval."""
    drawn = np.random.default_rng(0).integers(len(values), size=(REPEATS, len(values)))
    return figure(np.concatenate([[np.nanmean(values)], np.nanmean(values[drawn], axis=1)]))
