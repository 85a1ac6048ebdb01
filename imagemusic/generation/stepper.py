"""One event at a time, for many pieces at once: tables of inputs, a backend for the LSTM step, and the heads.

    before (indices) ── table rows, summed ──► backend: LSTM ──► heads of the event ──► logits of each field in turn

The input tables are multiplied by the first layer's weights beforehand, so a step reads only the recurrent ones.
Tables and heads are numpy; the LSTM runs on a backend (backends.py).  A row is one condition of one piece, and its
numbers do not depend on the other rows: each is multiplied by itself, and sums run along a row.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imagemusic.events.memory.pointers import Proposal
from imagemusic.events.vocabulary import (
    FIELDS,
    GAP,
    HEADER_KINDS,
    INPUTS,
    INTERVALS,
    PART,
    PITCH,
    PITCH_CLASSES,
    PLAN_SIZES,
    STAGES,
)
from imagemusic.generation.backends import Array, State, Weights, make_backend
from imagemusic.generation.memory_heads import GATES, STEP_TABLES, MemoryHeads, gates_of, shapes_of_memory, step_tables
from imagemusic.generation.step_shape import StepShape

HALF = PITCH_CLASSES // 2  # bits of a set whose sums are tabled together
HALF_SET = (1 << HALF) - 1
OTHERS = len(INPUTS) - 4  # inputs between the pitch and the set of pitch classes
Indices = NDArray[np.int64]


class StepConditioning(NamedTuple):
    """Terms of the condition in every step and every head (FiLM: Perez et al. 2018, arXiv:1709.07871)."""

    gates: Array  # (R, 4H or 5H), with the first layer's biases
    heads: Array  # (R, 5K): what is added to ...
    scales: Array  # (R, 5K): ... so many times what the heads start from; (R, 0) for once


class _Tables:
    """Rows of several tables, looked up and summed at once; a set of bits is looked up as two halves."""

    def __init__(self, names: Sequence[str], tables: Sequence[Array]) -> None:
        parts: list[Array] = []
        for name, table in zip(names, tables, strict=True):
            parts += [_sums(table[:HALF]), _sums(table[HALF:])] if name == "chroma" else [table]
        self._rows = np.concatenate(parts, dtype=np.float32)
        self._starts = np.cumsum([0, *(len(part) for part in parts[:-1])])
        self._first_rows = self._starts.tolist()

    def look_up(self, indices: Sequence[Sequence[int]]) -> Array:
        """Sum the rows that indices (R, tables) name: (R, width)."""
        if len(indices) == 1:
            rows = [index + start for index, start in zip(indices[0], self._first_rows, strict=True)]
            return np.add.reduce(self._rows.take(rows, axis=0), axis=0, keepdims=True)
        return np.add.reduce(self._rows.take(np.array(indices) + self._starts, axis=0), axis=1)


def _sums(table: Array) -> Array:
    """Sum the rows (bits, width) of every set of bits: (2 ** bits, width)."""
    sets = np.arange(1 << len(table))[:, None] >> np.arange(len(table)) & 1
    return (sets[:, :, None] * table).sum(axis=1)


def shapes_of(decoder: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Name the weights that a stepper reads itself, with their shapes; those of the step are `StepShape.weights`."""
    step, head, seen = StepShape.of(decoder), decoder["head_size"], decoder["condition_hidden"]
    hidden, states = step.hidden_size, step.layers * step.hidden_size
    pitches = decoder["sizes"]["pitch"] * (1 + HEADER_KINDS)
    sizes = decoder["sizes"] | {"interval": INTERVALS, "pitch": pitches}
    terms = 2 if decoder.get("condition_scales", False) else 1
    linear = {
        "condition": (seen, decoder["condition_size"]), "to_hidden": (states, seen), "to_cell": (states, seen),
        "to_input": (hidden, seen), "condition_to_heads": (terms * step.heads_size, seen),
    } | {f"heads.{name}": (sizes[name], head) for name in FIELDS}  # fmt: skip
    tables = {f"inputs.{name}": (name, hidden) for name in INPUTS}
    for stage, names in enumerate(STAGES):
        tables |= {f"known.{name}": (name, (len(FIELDS) - 1 - stage) * head) for name in names}
    found: dict[str, tuple[int, ...]] = {"lstm.weight_ih_l0": (4 * hidden, hidden)}
    found |= {f"lstm.bias_{kind}_l0": (4 * hidden,) for kind in ("ih", "hh")}
    if step.residual:
        found["lstm.gains.0"] = (hidden,)
    for name, size in linear.items():
        found |= {f"{name}.weight": size, f"{name}.bias": size[:1]}
    for name, (column, width) in tables.items():
        found[f"{name}.weight"] = (width, PITCH_CLASSES) if column == "chroma" else (sizes[column], width)
    return found | (shapes_of_memory(decoder["sizes"], hidden, head) if decoder.get("memory", False) else {})


class Stepper:
    """A decoder that is ready to write, one event at a time."""

    def __init__(self, backend: str, folder: Path, weights: Weights, decoder: Mapping[str, Any]) -> None:
        """Make a decoder ready, from the folder of a checkpoint, its weights and the table `decoder` of its settings.

        Raises:
            KeyError, ValueError: a weight is missing or misshapen.
            CheckpointError: the graph of the step is missing or cannot be used.
            ConfigError: the backend is unknown or not installed.
        """
        self.weights, self.shape = weights, StepShape.of(decoder)
        self.head_size, self.pitches = decoder["head_size"], decoder["sizes"]["pitch"]
        self.condition_every_step = decoder["condition_every_step"]
        self.condition_scales = decoder.get("condition_scales", False)
        for name, size in shapes_of(decoder).items():
            if weights[name].shape != size:
                raise ValueError(f"{name} is {weights[name].shape}, need {size}")
        first = [weights["lstm.weight_ih_l0"].T]
        if self.shape.residual:  # what is read goes into the stream, too
            first.append(np.diag(weights["lstm.gains.0"]))
        self._first = np.ascontiguousarray(np.concatenate(first, axis=1))  # (H, 4H or 5H)
        self._bias = weights["lstm.bias_ih_l0"] + weights["lstm.bias_hh_l0"]
        self._condition, self._to_hidden, self._to_cell = (
            (np.ascontiguousarray(weights[f"{name}.weight"].T), weights[f"{name}.bias"])
            for name in ("condition", "to_hidden", "to_cell")
        )
        # where heads and scales start in the conditioning terms
        self._parts = self.shape.input_size, self.shape.input_size + self.shape.heads_size
        self._to_reminders = self._reminders()
        self.has_memory = bool(decoder.get("memory", False))
        self.memory = MemoryHeads(weights) if self.has_memory else None
        inputs = {name: _rows(weights[f"inputs.{name}.weight"], name) for name in INPUTS}
        known = [{name: _rows(weights[f"known.{name}.weight"], name) for name in names} for names in STAGES]
        if self.has_memory:
            inputs |= dict(zip(STEP_TABLES, step_tables(weights), strict=True))
            known[GAP] |= {name: weights[f"plan_known.{name}.weight"] for name in PLAN_SIZES}
        self._inputs = _Tables(list(inputs), [table @ self._first for table in inputs.values()])
        self.known = [_Tables(list(tables), list(tables.values())) for tables in known]
        # Of each field, a head (weight (K, V), bias (V,)) for every kind of row: 0 for notes and what has no value, and
        # for `pitch` 1 to HEADER_KINDS for rows of the header; see decoder.py.
        self.heads = [
            [(np.ascontiguousarray(weight.T), bias) for weight, bias in zip(
                np.split(weights[f"heads.{name}.weight"], kinds), np.split(weights[f"heads.{name}.bias"], kinds),
                strict=True)]
            for name in FIELDS for kinds in [1 + HEADER_KINDS if name == FIELDS[PITCH] else 1]
        ]  # fmt: skip
        if self.has_memory:  # the gates of a field stand beside its scores
            for name, heads in zip(FIELDS, self.heads, strict=True):
                gate, gate_bias = gates_of(weights, name)
                weight, bias = heads[0]
                heads[0] = np.concatenate([weight, gate.T], axis=1), np.concatenate([bias, gate_bias])
        kinds = np.arange(decoder["sizes"]["part"]) - (decoder["first_header"] - 1)
        self.kinds = np.where((kinds >= 1) & (kinds <= HEADER_KINDS), kinds, 0).tolist()  # of every part
        self.backend = make_backend(backend, folder, weights, self.shape)

    def _reminders(self) -> tuple[Array, Array]:
        """Return weight and bias that turn a hidden condition into its terms: gates, heads and scales side by side."""
        names = ("to_input", "condition_to_heads")
        (to_input, input_bias), (to_heads, heads_bias) = (
            (self.weights[f"{name}.weight"].T, self.weights[f"{name}.bias"]) for name in names
        )
        weight = np.concatenate([to_input @ self._first, to_heads], axis=1)
        bias = np.concatenate([input_bias @ self._first, heads_bias])
        if not self.condition_every_step:
            weight, bias = np.zeros_like(weight), np.zeros_like(bias)
        bias[: len(self._bias)] += self._bias
        bias[self._parts[1] :] += 1
        return weight, bias

    def start(self, conditions: Array) -> tuple[State, StepConditioning]:
        """Return the first state and the conditioning of every step, for conditions (R, C)."""
        seen = self._read(conditions)
        hidden, cell = (times(seen, weight) + bias for weight, bias in (self._to_hidden, self._to_cell))
        layers = zip(*(np.split(part, self.shape.layers, axis=1) for part in (np.tanh(hidden), cell)), strict=True)
        state = tuple(np.ascontiguousarray(part) for layer in layers for part in layer)
        return state, self.condition_terms(conditions)

    def condition_terms(self, conditions: Array) -> StepConditioning:
        """Return the terms that condition every step, for conditions (R, C)."""
        gates, bias = self._to_reminders
        terms = times(self._read(conditions), gates) + bias
        return StepConditioning(*np.split(terms, self._parts, axis=1))

    def _read(self, conditions: Array) -> Array:
        """Return what the first state and the conditioning terms are computed from, for conditions (R, C)."""
        weight, bias = self._condition
        seen = times(conditions, weight) + bias
        return seen / (1 + np.exp(-np.clip(seen, -60, None)))  # SiLU

    def step(
        self, state: State, conditioning: StepConditioning, before: Sequence[Sequence[int]]
    ) -> tuple["EventHeads", State]:
        """Read the events before, indices (R, inputs) in the order of INPUTS; return the heads of the next events.

        With a memory they are followed by the levels of its proposals and what the plan says of the bar.
        One sequence of indices stands for all rows, where those belong to one piece.
        """
        # Plain numbers: for a few rows they are quicker to sort out than arrays.
        indices = [
            (
                gap, part, pitch + self.pitches * self.kinds[part], *others[:OTHERS], others[OTHERS] & HALF_SET,
                others[OTHERS] >> HALF, *others[OTHERS + 1 :],
            )
            for gap, part, pitch, *others in before
        ]  # fmt: skip
        heads, state = self.backend.run(conditioning.gates + self._inputs.look_up(indices), state)
        if self.condition_scales:
            heads = heads * conditioning.scales
        return EventHeads(self, heads + conditioning.heads), state


class EventHeads:
    """The fields of an event of each row, scored in turn."""

    def __init__(self, stepper: Stepper, heads: Array) -> None:
        self._stepper, self._left = stepper, heads  # (R, K x fields still to come)
        self._kinds: list[int] = []  # of header row, once the part is known
        self._proposed: tuple[Indices, Indices] | None = None  # values and levels (R, K) of the next field

    def propose(self, proposals: Sequence[Proposal]) -> None:
        """Take in what the memory of each row proposes for the next field; one proposal may stand for all rows."""
        assert self._stepper.memory is not None
        self._proposed = self._stepper.memory.indices(proposals)

    def logits(self, column: int, rows: Indices | None = None) -> NDArray[np.floating]:
        """Score the next field, number `column`, of all rows or some of them: (R, V)."""
        left = self._left[:, : self._stepper.head_size]
        memory, proposed = self._stepper.memory, self._proposed
        if memory is not None and proposed is not None:
            left = left + memory.terms(column, *proposed)
        hidden = np.maximum(left if rows is None else left[rows], 0)
        heads = self._stepper.heads[column]
        weight, bias = heads[0]
        scores = times(hidden, weight)
        scores += bias
        if memory is not None:
            scores, gates = scores[:, :-GATES], scores[:, -GATES:]
        if column == PITCH and any(self._kinds):
            kinds = np.broadcast_to(self._kinds, len(self._left))
            kinds = kinds if rows is None else kinds[rows]
            for kind in set(kinds[kinds > 0].tolist()):
                weight, bias = heads[kind]
                scores[kinds == kind] = times(hidden[kinds == kind], weight) + bias
        if memory is not None and proposed is not None:
            values, levels = proposed
            if len(values) < len(self._left):
                values, levels = (part.repeat(len(self._left), axis=0) for part in proposed)
            if rows is not None:
                values, levels = values[rows], levels[rows]
            return memory.mix(column, scores, gates, values, levels)
        return scores

    def part_logits_given(
        self, rows: Indices, known: Sequence[Sequence[int]], proposal: Proposal | None = None
    ) -> NDArray[np.floating]:
        """Score the parts (R, V) of some rows as if a gap were chosen; `known` is what `condition_on` would take.

        proposal: what the memory of those rows would then propose.
        """
        size = self._stepper.head_size
        known_term = self._stepper.known[GAP].look_up(_halves(known))
        weight, bias = self._stepper.heads[PART][0]
        left, memory = (self._left[rows, size:] + known_term)[:, :size], self._stepper.memory
        if memory is None:
            return times(np.maximum(left, 0), weight) + bias
        if proposal is None:
            return (times(np.maximum(left, 0), weight) + bias)[:, :-GATES]
        values, levels = memory.indices([proposal] * len(rows))
        scores = times(np.maximum(left + memory.terms(PART, values, levels), 0), weight) + bias
        return memory.mix(PART, scores[:, :-GATES], scores[:, -GATES:], values, levels)

    def condition_on(self, column: int, known: Sequence[Sequence[int]]) -> None:
        """Take in what has become known with field number `column`, indices (R, names); see `Stepper.step`."""
        stepper = self._stepper
        if column == GAP:
            known = _halves(known)
        elif column == PART:
            self._kinds = [stepper.kinds[part] for part, *_ in known]
        elif column == PITCH:
            kinds = zip(known, self._kinds, strict=True)
            known = [(pitch + stepper.pitches * kind, *others) for (pitch, *others), kind in kinds]
        self._left = self._left[:, stepper.head_size :] + stepper.known[column].look_up(known)
        self._proposed = None


def _halves(known: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    """Part the set of pitch classes, third of what is known with a gap, in two."""
    return [(gap, place, chroma & HALF_SET, chroma >> HALF, *plan) for gap, place, chroma, *plan in known]


def times(rows: Array, weight: Array) -> Array:
    """Multiply rows (R, K) by a matrix (K, V), each by itself: a product of many rows rounds in other ways."""
    if len(rows) == 1:
        return rows @ weight
    return np.matmul(rows[:, None, :], weight)[:, 0]


def _rows(weight: Array, name: str) -> Array:
    """A table with a row an index; linear layers over sets of bits are stored the other way round."""
    return np.ascontiguousarray(weight.T if name == "chroma" else weight)
