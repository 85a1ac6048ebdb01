"""One event at a time: the decoder's weights as tables, an engine for the LSTM step, and the heads.

    before (indices) ── table rows, summed ──► engine: LSTM ──► heads of the event ──► logits of each field in turn

The input tables are multiplied by the first layer's weights beforehand, so a step reads only the recurrent ones.
Tables and heads are numpy; the LSTM runs on ONNX Runtime, or on torch for comparison.  Rows of a batch are the
guided and the null condition of one piece.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from imagemusic.errors import CheckpointError, ConfigError
from imagemusic.model.fields import CHROMA, FIELDS, HEADER_KINDS, INPUTS, STAGES

PART, PITCH = FIELDS.index("part"), FIELDS.index("pitch")
CONDITION_LAYERS = ("condition", "to_hidden", "to_cell", "to_input", "condition_to_heads")

Array = NDArray[np.float32]
Weights = Mapping[str, Array]


class State(NamedTuple):
    """What the LSTM remembers between two events."""

    hidden: Array  # (L, R, H)
    cell: Array  # (L, R, H)


class Reminder(NamedTuple):
    """What the condition tells every step and every head."""

    gates: Array  # (R, 4H), with the first layer's biases
    heads: Array  # (R, 5K)


class Engine(Protocol):
    """Runs the LSTM of one step."""

    name: str

    def run(self, gates: Array, state: State) -> tuple[Array, State]:
        """Take the first layer's input (R, 4H); return the heads' input (R, 5K) and the next state."""
        ...


class OnnxEngine:
    """The LSTM as `step.onnx` of a checkpoint, on ONNX Runtime."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # fastest for one piece, and the same numbers on every machine size
        options.log_severity_level = 3
        try:
            self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises its own kinds, none of them public
            raise CheckpointError(f"{path}: not a usable step graph ({str(error).splitlines()[0]})") from error
        self.name = f"onnxruntime {onnxruntime.__version__} fp32"

    def run(self, gates: Array, state: State) -> tuple[Array, State]:
        heads, hidden, cell = self.session.run(None, {"gates": gates, "hidden": state.hidden, "cell": state.cell})
        return heads, State(hidden, cell)


class TorchEngine:
    """The same LSTM on torch."""

    def __init__(self, weights: Weights, layers: int) -> None:
        import torch

        self.torch = torch
        self.layers = layers
        self.weights = {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in weights.items()}
        self.name = f"torch {torch.__version__} fp32"

    def run(self, gates: Array, state: State) -> tuple[Array, State]:
        torch, weights = self.torch, self.weights
        hidden, cell = [], []
        below = torch.from_numpy(gates)
        with torch.inference_mode():
            for layer in range(self.layers):
                if layer:
                    bias = weights[f"lstm.bias_ih_l{layer}"] + weights[f"lstm.bias_hh_l{layer}"]
                    below = below @ weights[f"lstm.weight_ih_l{layer}"].T + bias
                before = torch.from_numpy(state.hidden[layer])
                total = below + before @ weights[f"lstm.weight_hh_l{layer}"].T
                inward, forget, new, outward = total.chunk(4, dim=-1)
                kept = forget.sigmoid() * torch.from_numpy(state.cell[layer]) + inward.sigmoid() * new.tanh()
                below = outward.sigmoid() * kept.tanh()
                hidden.append(below)
                cell.append(kept)
            heads = below @ weights["to_heads.weight"].T + weights["to_heads.bias"]
        return heads.numpy(), State(torch.stack(hidden).numpy(), torch.stack(cell).numpy())


ENGINES = ("onnx", "torch")


class Stepper:
    """A decoder that is ready to write, one event at a time."""

    def __init__(self, weights: Weights, engine: Engine, *, hidden_size: int, layers: int, head_size: int,
                 condition_every_step: bool, pitches: int, first_header: int) -> None:  # fmt: skip
        self.engine, self.weights = engine, weights
        self.pitches, self.first_header = pitches, first_header
        self.hidden_size, self.layers, self.head_size = hidden_size, layers, head_size
        self.condition_every_step = condition_every_step
        missing = [name for name in CONDITION_LAYERS for end in ("weight", "bias") if f"{name}.{end}" not in weights]
        if missing:
            raise KeyError(missing[0])
        self._first = np.ascontiguousarray(weights["lstm.weight_ih_l0"].T)  # (H, 4H)
        self._bias = weights["lstm.bias_ih_l0"] + weights["lstm.bias_hh_l0"]
        tables = [_rows(weights[f"inputs.{name}.weight"], name) for name in INPUTS]
        self._offsets = np.cumsum([0, *(len(table) for table in tables)]).tolist()
        self._inputs = np.concatenate(tables) @ self._first  # (all rows, 4H)
        self._known = {name: _rows(weights[f"known.{name}.weight"], name) for stage in STAGES for name in stage}
        self._heads = [
            (np.ascontiguousarray(weights[f"heads.{name}.weight"].T), weights[f"heads.{name}.bias"]) for name in FIELDS
        ]

    def start(self, conditions: Array) -> tuple[State, Reminder]:
        """Turn conditions (R, C) into the first state and what every step is reminded of."""
        weights = self.weights
        seen = np.maximum(_linear(conditions, weights, "condition"), 0)
        shape = (len(conditions), self.layers, self.hidden_size)
        hidden = np.tanh(_linear(seen, weights, "to_hidden")).reshape(shape).swapaxes(0, 1)  # (R, L, H) -> (L, R, H)
        cell = _linear(seen, weights, "to_cell").reshape(shape).swapaxes(0, 1)
        inputs = np.zeros((len(conditions), self.hidden_size), np.float32)
        heads = np.zeros((len(conditions), len(FIELDS) * self.head_size), np.float32)
        if self.condition_every_step:
            inputs, heads = _linear(seen, weights, "to_input"), _linear(seen, weights, "condition_to_heads")
        state = State(np.ascontiguousarray(hidden), np.ascontiguousarray(cell))
        return state, Reminder(inputs @ self._first + self._bias, heads)

    def header_kind(self, part: int) -> int:
        """0 for notes and what has no value, 1 to HEADER_KINDS for rows of the header; see decoder.py."""
        kind = part - self.first_header + 1
        return kind if 1 <= kind <= HEADER_KINDS else 0

    def step(self, state: State, reminder: Reminder, before: Sequence[int]) -> tuple["EventHeads", State]:
        """Read the event before, its indices in the order of INPUTS; return the heads of the next event."""
        offsets = self._offsets
        rows = [offset + index for offset, index in zip(offsets[:-2], before[:-1], strict=True)]
        rows[PITCH] += self.pitches * self.header_kind(before[PART])
        rows += [offsets[-2] + bit for bit in range(CHROMA) if before[-1] >> bit & 1]
        heads, state = self.engine.run(reminder.gates + self._inputs[rows].sum(axis=0), state)
        return EventHeads(self, heads + reminder.heads), state


class EventHeads:
    """The fields of one event, scored in turn."""

    def __init__(self, stepper: Stepper, heads: Array) -> None:
        self._stepper, self._left = stepper, heads  # (R, K x fields still to come)
        self._kind = 0  # of header row, once the part is known

    def logits(self, column: int) -> Array:
        """Score the next field, number `column`: (R, V)."""
        weight, bias = self._stepper._heads[column]
        if column == PITCH:
            first = self._stepper.pitches * self._kind
            chosen = slice(first, first + self._stepper.pitches)
            weight, bias = weight[:, chosen], bias[chosen]
        return np.maximum(self._left[:, : self._stepper.head_size], 0) @ weight + bias

    def tell(self, column: int, known: Sequence[int]) -> None:
        """Take in what has become known with field number `column`."""
        self._left = self._left[:, self._stepper.head_size :]
        if column == PART:
            self._kind = self._stepper.header_kind(known[0])
        elif column == PITCH:
            known = (known[0] + self._stepper.pitches * self._kind, *known[1:])
        total = np.zeros(self._left.shape[1], np.float32)
        for name, index in zip(STAGES[column], known, strict=True):
            table = self._stepper._known[name]
            if name == "chroma":
                for bit in range(CHROMA):
                    if index >> bit & 1:
                        total += table[bit]
            else:
                total += table[index]
        self._left = self._left + total


def _rows(weight: Array, name: str) -> Array:
    """A table with a row an index; linear layers over sets of bits are stored the other way round."""
    return np.ascontiguousarray(weight.T if name == "chroma" else weight)


def _linear(inputs: Array, weights: Weights, name: str) -> Array:
    return inputs @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def make_engine(name: str, folder: Path, weights: Weights, layers: int) -> Engine:
    """Make an engine by name.

    Raises:
        ConfigError: no such engine, or torch is not installed.
    """
    if name == "onnx":
        return OnnxEngine(folder / "step.onnx")
    if name == "torch":
        try:
            return TorchEngine(weights, layers)
        except ImportError as error:
            raise ConfigError("engine 'torch' needs torch: pip install -r requirements.txt") from error
    raise ConfigError(f"unknown engine {name!r}; choose from {', '.join(ENGINES)}")
