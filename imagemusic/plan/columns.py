"""What the plan of a piece says at every event, as the decoder reads it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagemusic.events.memory.pointers import BarAnswers
from imagemusic.events.vocabulary import GAP, PLAN_SIZES
from imagemusic.plan.analysis import analyse
from imagemusic.plan.chords import transposed

Columns = dict[str, NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class PlanColumns:
    """The plan of a piece at each of N events."""

    before: Columns  # (N,) by name: at the event before
    now: Columns  # (N,) by name: at the event itself, once its gap is chosen
    answers: BarAnswers | None

    @classmethod
    def of(cls, events: NDArray[np.int64], *, chords: bool, answers: bool) -> "PlanColumns":
        """Analyse a piece, events (N, 5), and tell its chords, its form, or both."""
        found = analyse(events)
        starts = np.append(found.bar_starts, found.bar_starts[-1] + found.bar_lengths[-1]).astype(np.int64)
        answered = found.answers >= 0
        shifts = np.where(answered, found.bar_starts - found.bar_starts[np.maximum(found.answers, 0)], 0)
        form = BarAnswers(starts, shifts.astype(np.int64), (found.kinds + 1).astype(np.uint8))
        ticks = np.cumsum(events[:, GAP])
        earlier = np.concatenate([[0], ticks[:-1]])

        def at(ticks: NDArray[np.int64]) -> Columns:
            bar = form.bar_of(ticks)
            half = (2 * (ticks - starts[bar]) >= found.bar_lengths[bar]).astype(np.int64)
            flat = np.append(found.chords.ravel(), 0).astype(np.int64)
            place = np.minimum(2 * bar + half, len(flat) - 2)
            return {
                "bar_kind": form.kinds[bar].astype(np.int64) * answers,
                "chord": flat[place] * chords,
                "next_chord": flat[place + 1] * chords,
            }

        return cls(at(earlier), at(ticks), form if answers else None)


def plan_window(plan: PlanColumns | None, chosen: slice, length: int, shift: int, *, before: bool) -> Columns:
    """Cut the columns (T,) of a window, chords transposed by `shift` semitones; zeros without a plan."""
    if plan is None:
        return {name: np.zeros(length, np.int64) for name in PLAN_SIZES}
    columns = {name: values[chosen] for name, values in (plan.before if before else plan.now).items()}
    for name in ("chord", "next_chord"):
        columns[name] = transposed(columns[name], shift)
    return columns
