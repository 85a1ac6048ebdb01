"""The planner as numbers: an LSTM of numpy, one step a bar, with its weights in float16 on disk.

    condition ─► state ─┐
    bar before, place ─►│ LSTM ├─► kind ─► distance ─► first chord ─► second chord
    keys of the bars so far ────────────────┘

A bar is answered by its distance, and found again by its key: what it was like when it was written.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from imagemusic.errors import CheckpointError
from imagemusic.plan.chords import CHORDS
from imagemusic.plan.features import DISTANCES, FARTHEST, NUMBERS, READ

Floats = NDArray[np.float32]

VERSION = 1  # of the weights and what they mean
WEIGHTS_FILE, CONFIG_FILE = "plan.safetensors", "plan.json"
WIDTHS = {"kind": 8, "distance": 24, "chord": 24, "place": 8, "left": 8, "meter": 4, "minor": 4}  # of embeddings
TABLES = {name: "chord" if name in ("first", "second", "next_first", "next_second") else name for name in READ}
IMPOSSIBLE = -1e9  # logit
POINTER = 24  # size of what a bar is found by


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannerConfig:
    """The shape of a planner, and the condition that it reads; saved beside the weights."""

    dials: tuple[str, ...]
    ensembles: tuple[str, ...]
    hidden: int = 160
    head: int = 96
    condition_hidden: int = 16
    version: int = VERSION

    @classmethod
    def from_json(cls, table: Mapping[str, Any]) -> "PlannerConfig":
        """Read what was saved.

        Raises:
            KeyError, TypeError: a value is missing or unknown.
        """
        return cls(**{**table, **{name: tuple(table[name]) for name in ("dials", "ensembles")}})

    @property
    def condition_size(self) -> int:
        """Numbers at the end of a condition vector that are read: dials and ensemble, without the embedding."""
        return 3 * len(self.dials) + len(self.ensembles) + 1

    @property
    def input_size(self) -> int:
        """Numbers that a step reads."""
        return sum(WIDTHS[table] for table in TABLES.values()) + NUMBERS + self.condition_hidden

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every weight."""
        chord, kind = WIDTHS["chord"], WIDTHS["kind"]
        linear = {
            "condition": (self.condition_hidden, self.condition_size), "mode": (1, self.condition_hidden),
            "start": (2 * self.hidden, self.condition_hidden), "kind": (3, self.hidden),
            "distance_in": (self.head, self.hidden + kind), "distance_out": (DISTANCES, self.head),
            "first_in": (self.head, self.hidden + kind + 2 * chord), "first_out": (CHORDS, self.head),
            "query": (POINTER, self.hidden + kind), "key": (POINTER, self.hidden + kind + chord),
            "second_in": (self.head, self.hidden + kind + 3 * chord), "second_out": (CHORDS, self.head),
        }  # fmt: skip
        shapes: dict[str, tuple[int, ...]] = {f"{name}.weight": shape for name, shape in linear.items()}
        shapes |= {f"{name}.bias": shape[:1] for name, shape in linear.items()}
        sizes = READ | {"chord": CHORDS + 1}
        shapes |= {f"embed_{table}": (sizes[table], width) for table, width in WIDTHS.items()}
        gates = 4 * self.hidden
        shapes |= {"cell.weight_ih_l0": (gates, self.input_size), "cell.weight_hh_l0": (gates, self.hidden)}
        shapes |= {"cell.bias_ih_l0": (gates,), "cell.bias_hh_l0": (gates,)}
        return shapes | dict.fromkeys(("same_distance", "copy_first", "copy_second", "stay"), (3,))


@dataclass(frozen=True, slots=True)
class State:
    """What the LSTM remembers."""

    hidden: Floats  # (H,)
    cell: Floats  # (H,)
    code: Floats  # of the condition


class Network:
    """Steps and heads of a planner."""

    def __init__(self, config: PlannerConfig, weights: Mapping[str, NDArray[np.floating]]) -> None:
        """Take weights by name.

        Raises:
            CheckpointError: one is missing, unknown, of another shape or not finite.
        """
        shapes = config.shapes()
        if different := sorted(shapes.keys() ^ weights.keys()):
            raise CheckpointError(f"planner: weight {different[0]!r} is missing or unknown")
        for name, shape in shapes.items():
            if weights[name].shape != shape or not np.isfinite(weights[name]).all():
                raise CheckpointError(f"planner: weight {name!r} must be finite and of shape {shape}")
        self.config = config
        self.weights = {name: np.asarray(value, np.float32) for name, value in weights.items()}
        self._recurrent = np.concatenate([self.weights["cell.weight_ih_l0"], self.weights["cell.weight_hh_l0"]], axis=1)
        self._bias = self.weights["cell.bias_ih_l0"] + self.weights["cell.bias_hh_l0"]

    @classmethod
    def load(cls, folder: Path) -> "Network":
        """Read the weights and the config in a folder.

        Raises:
            CheckpointError: they are missing or damaged, or of another version.
        """
        try:
            table: dict[str, Any] = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))["config"]
            if table["version"] != VERSION:
                raise CheckpointError(f"{folder}: planner of version {table['version']}, need {VERSION}")
            return cls(PlannerConfig.from_json(table), load_file(folder / WEIGHTS_FILE))
        except OSError as error:
            raise CheckpointError(f"{folder}: no planner here ({error})") from error
        except (ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
            raise CheckpointError(f"{folder}: damaged planner ({error})") from error

    def save(self, folder: Path, about: Mapping[str, Any]) -> None:
        """Write the weights as float16, and the config with what is known `about` them."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: value.astype(np.float16) for name, value in self.weights.items()}, folder / WEIGHTS_FILE)
        text = json.dumps({"config": asdict(self.config), **about}, indent=2)
        (folder / CONFIG_FILE).write_text(text + "\n", encoding="utf-8")

    def start(self, condition: Floats) -> State:
        """Return the state before the first bar, from the end of a condition vector (C,); zeros: no condition."""
        code = np.tanh(self._linear("condition", condition[len(condition) - self.config.condition_size :]))
        hidden, cell = np.split(np.tanh(self._linear("start", code)), 2)
        return State(hidden, cell, code)

    def minor_logit(self, state: State) -> float:
        """Return the log odds that the piece is in minor."""
        return float(self._linear("mode", state.code)[0])

    def step(self, state: State, read: list[int], numbers: list[float]) -> State:
        """Take in what stands before a bar, see features.read_before."""
        tables = zip(TABLES.values(), read, strict=True)
        embedded = [self.weights[f"embed_{table}"][value] for table, value in tables]
        inputs = np.concatenate([*embedded, np.array(numbers, np.float32), state.code, state.hidden])
        update, keep, new, show = np.split(self._recurrent @ inputs + self._bias, 4)
        cell = _sigmoid(keep) * state.cell + _sigmoid(update) * np.tanh(new)
        return State(_sigmoid(show) * np.tanh(cell), cell, state.code)

    def kind_logits(self, state: State) -> Floats:
        """Return logits (3,) of the kind of the bar."""
        return self._linear("kind", state.hidden)

    def key(self, state: State, kind: int, first: int) -> Floats:
        """Return what a bar is found by (POINTER,): the state in which it was written, its kind and first chord."""
        kinds, chords = self.weights["embed_kind"], self.weights["embed_chord"]
        return self._linear("key", np.concatenate([state.hidden, kinds[kind], chords[first]]))

    def distance_logits(self, state: State, kind: int, distance_before: int, keys: Floats) -> Floats:
        """Return logits (DISTANCES,) of the distance to the answered bar, one of those with `keys` (bars, POINTER)."""
        of_kind, bars = self.weights["embed_kind"][kind], len(keys)
        logits = self._head("distance", state.hidden, of_kind)
        logits[min(distance_before, DISTANCES - 1)] += self.weights["same_distance"][kind]
        near = min(bars, FARTHEST)
        found = keys[bars - near :] @ self._linear("query", np.concatenate([state.hidden, of_kind]))
        logits[1 : near + 1] += found[::-1] / np.float32(POINTER**0.5)
        logits[0] = IMPOSSIBLE
        logits[min(bars, DISTANCES - 1) + 1 :] = IMPOSSIBLE
        return logits

    def first_logits(self, state: State, kind: int, answered: tuple[int, int]) -> Floats:
        """Return logits (CHORDS,) of the first chord, given those of the answered bar, NONE_YET without one."""
        kinds, chords = self.weights["embed_kind"][kind], self.weights["embed_chord"]
        logits = self._head("first", state.hidden, kinds, chords[answered[0]], chords[answered[1]])
        if answered[0] < CHORDS:
            logits[answered[0]] += self.weights["copy_first"][kind]
        return logits

    def second_logits(self, state: State, kind: int, first: int, answered: tuple[int, int]) -> Floats:
        """Return logits (CHORDS,) of the second chord."""
        kinds, chords = self.weights["embed_kind"][kind], self.weights["embed_chord"]
        logits = self._head("second", state.hidden, kinds, chords[first], chords[answered[0]], chords[answered[1]])
        if answered[1] < CHORDS:
            logits[answered[1]] += self.weights["copy_second"][kind]
        logits[first] += self.weights["stay"][kind]
        return logits

    def _linear(self, name: str, values: Floats) -> Floats:
        result: Floats = self.weights[f"{name}.weight"] @ values + self.weights[f"{name}.bias"]
        return result

    def _head(self, name: str, *values: Floats) -> Floats:
        return self._linear(f"{name}_out", np.tanh(self._linear(f"{name}_in", np.concatenate(values))))


def _sigmoid(values: Floats) -> Floats:
    result: Floats = np.float32(0.5) * (1 + np.tanh(values / 2))  # does not overflow
    return result
