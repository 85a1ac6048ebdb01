"""The memory in the heads, in numpy: what model/memory.py computes in torch.

The numbers of a row do not depend on the rows beside it; see stepper.py.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from imagemusic.events.memory.pointers import LEVELS, NOTHING, POINTERS, Proposal
from imagemusic.events.vocabulary import FIELDS, PLAN_SIZES
from imagemusic.generation.backends import Array, Weights

COUNT = len(POINTERS)
GATES = 1 + COUNT  # of a field: its own share, and one for each pointer
STARTS = np.arange(COUNT) * LEVELS  # rows of each pointer in tables of all pointers' levels
TINY = 1e-30  # probability
STEP_TABLES = (*(f"level_{name}" for name in POINTERS), *PLAN_SIZES)  # what a step reads beside its inputs


def shapes_of_memory(sizes: Mapping[str, int], hidden: int, head: int) -> dict[str, tuple[int, ...]]:
    """Name the weights of a memory and a plan, with their shapes."""
    rows = COUNT * LEVELS
    found: dict[str, tuple[int, ...]] = {
        "memory.step.weight": (rows, hidden),
        "memory.strengths": (len(FIELDS), rows),
        "memory.gate_levels": (len(FIELDS), rows),
    }
    for name in FIELDS:
        found[f"memory.proposals.{name}.weight"] = (sizes[name], head)
        found[f"memory.gates.{name}.weight"], found[f"memory.gates.{name}.bias"] = (1 + COUNT, head), (1 + COUNT,)
    for name, size in PLAN_SIZES.items():
        found[f"plan_inputs.{name}.weight"] = (size, hidden)
        found[f"plan_known.{name}.weight"] = (size, (len(FIELDS) - 1) * head)
    return found


def step_tables(weights: Weights) -> list[Array]:
    """Return the tables (rows, H) that STEP_TABLES names."""
    levels = np.split(weights["memory.step.weight"], COUNT)
    return [*levels, *(weights[f"plan_inputs.{name}.weight"] for name in PLAN_SIZES)]


class MemoryHeads:
    """The weights that read proposals."""

    def __init__(self, weights: Weights) -> None:
        self._tables = [weights[f"memory.proposals.{name}.weight"] for name in FIELDS]
        self._strengths = weights["memory.strengths"].copy()
        self._gate_levels = weights["memory.gate_levels"].astype(np.float64)
        self._strengths[:, STARTS], self._gate_levels[:, STARTS] = 0, -np.inf  # level 0: nothing is proposed

    def indices(self, proposals: Sequence[Proposal]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return values and rows of levels (R, K) of a proposal for each row; values are 0 where there is none."""
        both = np.array(proposals)
        values = both[:, 0]
        values[values == NOTHING] = 0
        return values, both[:, 1] + STARTS

    def terms(self, column: int, values: NDArray[np.int64], rows: NDArray[np.int64]) -> Array:
        """Compute what proposals, values and rows of levels (R, K), add to the input (R, head) of a field's head."""
        weights = self._strengths[column].take(rows)
        return np.add.reduce(self._tables[column].take(values, axis=0) * weights[:, :, None], axis=1)

    def mix(
        self, column: int, scores: Array, gates: Array, values: NDArray[np.int64], rows: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Mix the scores (R, V) of a field with its proposals into log-probabilities (R, V); gates (R, 1 + K).

        Only at the values that are proposed does more than the model's own share count.
        """
        shares = gates.astype(np.float64)
        shares[:, 1:] += self._gate_levels[column].take(rows)
        shares -= np.maximum.reduce(shares, axis=1, keepdims=True)
        np.exp(shares, out=shares)
        shares /= np.add.reduce(shares, axis=1, keepdims=True)
        mixed = scores.astype(np.float64)
        mixed -= np.maximum.reduce(mixed, axis=1, keepdims=True)
        mixed += np.log(shares[:, :1] / np.add.reduce(np.exp(mixed), axis=1, keepdims=True))
        places = values + np.arange(0, mixed.size, mixed.shape[1])[:, None]
        copied = np.bincount(places.ravel(), shares[:, 1:].ravel()).take(places)  # pointers to one value add up
        mixed.put(places, np.log(np.exp(mixed.take(places)) + copied + TINY))
        return mixed


def gates_of(weights: Weights, name: str) -> tuple[Array, Array]:
    """Return weight (1 + K, head) and bias (1 + K,) of the gates of a field."""
    return weights[f"memory.gates.{name}.weight"], weights[f"memory.gates.{name}.bias"]
