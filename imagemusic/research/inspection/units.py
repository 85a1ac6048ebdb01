"""Single hidden units that depend on a musical property, and the passages with their strongest activations."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagemusic.events import codec
from imagemusic.music.score import DURATION, ONSET, Score
from imagemusic.research.inspection.excerpts import Excerpt
from imagemusic.research.inspection.probes import Steps

SHOWN = 3  # passages of each unit
TICKS_BEFORE = 384  # of a passage: four bars of 4/4
TICKS_AFTER = 24


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """A hidden unit and its dependence on a label of K classes."""

    layer: int  # from 0
    number: int
    explained: float  # share of its variance that the label explains in the test pieces
    by_class: NDArray[np.float64]  # (K,) mean activation of each class less the overall mean; NaN for an absent class

    @property
    def direction(self) -> float:
        """Sign of the class mean that is farthest from the overall mean: 1 or -1."""
        return float(np.sign(self.by_class[np.nanargmax(np.abs(self.by_class))])) or 1.0


def most_selective(hidden: NDArray[np.float32], labels: NDArray[np.int64], steps: Steps, classes: int) -> Unit | None:
    """Return the unit of hidden states (L, P, T, H) whose variance labels (P, T), -1 for none, explain best.

    It is chosen on the training steps; its explained variance is of the test steps.  None where fewer than two classes
    occur in training or no step is left for the test.
    """
    train, test = steps.train & (labels >= 0), steps.test & (labels >= 0)
    counts = np.bincount(labels[train], minlength=classes).astype(np.float64)
    if (counts > 0).sum() < 2 or not test.any():
        return None
    kinds = np.eye(classes, dtype=np.float32)[labels[train]]
    best, chosen = -1.0, None
    for layer, states in enumerate(hidden):
        values = states[train]  # (N, H)
        with np.errstate(invalid="ignore"):
            means = (kinds.T @ values).astype(np.float64) / counts[:, None]  # (classes, H)
        gaps = means - values.mean(0, dtype=np.float64)
        explained = np.nansum(counts[:, None] * gaps**2, axis=0) / counts.sum() / np.maximum(values.var(0), 1e-12)
        number = int(explained.argmax())
        if explained[number] > best:
            best, chosen = float(explained[number]), (layer, number, gaps[:, number], float(values[:, number].mean()))
    assert chosen is not None
    layer, number, by_class, mean = chosen
    measured = hidden[layer, :, :, number][test].astype(np.float64) - mean
    expected = np.nan_to_num(by_class)[labels[test]]
    explained_in_test = 1 - ((measured - expected) ** 2).sum() / max(float((measured**2).sum()), 1e-12)
    return Unit(layer, number, float(explained_in_test), by_class)


def highest_activations(activation: NDArray[np.float32], counts: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the SHOWN steps (piece, step) at which a unit (P, T) is highest, each in another piece.

    Steps where `counts` (P, T) is false are left out.
    """
    masked = np.where(counts, activation, -np.inf)
    steps = masked.argmax(1)
    order = np.argsort(-masked.max(1), kind="stable")[:SHOWN]
    return [(int(piece), int(steps[piece])) for piece in order if np.isfinite(masked[piece, steps[piece]])]


def passage(excerpt: Excerpt, step: int) -> Score:
    """Return the TICKS_BEFORE ticks of an excerpt up to the event read at a step, and TICKS_AFTER more, from tick 0."""
    score = codec.decode(excerpt.events)
    now = int(excerpt.rows["tick"][max(step - 1, 0)])
    first, last = max(now - TICKS_BEFORE, 0), now + TICKS_AFTER
    tracks = []
    for track in score.tracks:
        notes = track.notes[(track.notes[:, ONSET] >= first) & (track.notes[:, ONSET] < last)].copy()
        notes[:, DURATION] = np.minimum(notes[:, DURATION], last - notes[:, ONSET])
        notes[:, ONSET] -= first
        if len(notes):
            tracks.append(type(track)(notes, program=track.program, is_drum=track.is_drum, name=track.name))
    return Score(tracks, ticks_per_beat=score.ticks_per_beat)
