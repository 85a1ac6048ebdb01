"""Backends: what runs the LSTM of one step, each row by itself.

    gates (R, 4H or 5H), state ──► backend ──► heads (R, 5K), next state

The numbers of a row must not depend on the rows beside it, or a piece would change with the batch that it is composed
in.  Matrix products differ in their last bits with the number of rows, library by library and processor by processor;
so a backend is tested when it is made.  Some kernels process two or four rows at once and an odd row in another way:
those are given full groups.  Where that does not help either, rows are run one at a time.
"""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from imagemusic.errors import CheckpointError, ConfigError, ImageMusicWarning
from imagemusic.generation.step_shape import STEP, STEP_INT8, StepShape
from imagemusic.graphs.session import UnsupportedGraphError, load_session

Array = NDArray[np.float32]
Weights = Mapping[str, Array]
State: TypeAlias = tuple[Array, ...]  # hidden and cell (R, H) of each layer in turn

TESTED_ROWS = (2, 3, 8, 17)  # numbers of rows that a backend is tested with
GROUPS = (2, 4)  # rows that a kernel may process at once


class Backend(Protocol):
    """Runs the LSTM of one step."""

    name: str

    def run(self, gates: Array, state: State) -> tuple[Array, State]:
        """Return the input of the heads (R, 5K) and the next state, for gates (R, 4H or 5H) and a state."""
        ...


class OnnxBackend:
    """A step graph on ONNX Runtime."""

    def __init__(self, graph: Path, shape: StepShape, kind: str) -> None:
        """Load a graph that takes its weights from the model.safetensors beside it.

        Raises:
            CheckpointError: it cannot be used, or is that of a step of another shape.
        """
        import onnxruntime

        self.session = load_session(graph, "decoder")
        self.name = f"onnxruntime {onnxruntime.__version__} {kind}"
        self._inputs, self._outputs = ["gates", *shape.states], ["heads", *(f"next_{name}" for name in shape.states)]
        hidden = [shape.hidden_size] * len(shape.states)
        sizes = [shape.input_size, *hidden, shape.heads_size, *hidden]
        needed = dict(zip(self._inputs + self._outputs, sizes, strict=True))
        values = [*self.session.get_inputs(), *self.session.get_outputs()]
        if (found := {value.name: value.shape[-1] for value in values if value.shape}) != needed:
            raise CheckpointError(f"{graph}: takes and gives {found}, need {needed}")

    def run(self, gates: Array, state: State) -> tuple[Array, State]:
        heads, *after = self.session.run(self._outputs, dict(zip(self._inputs, (gates, *state), strict=True)))
        return heads, tuple(after)


class TorchBackend:
    """The same step on torch."""

    def __init__(self, weights: Weights, shape: StepShape) -> None:
        import torch

        self.torch = torch
        self.shape = shape
        self.weights = {name: torch.from_numpy(np.ascontiguousarray(weights[name])) for name in shape.weights()}
        self.name = f"torch {torch.__version__} fp32"

    def _times(self, inputs: Any, name: str) -> Any:
        """Multiply rows (R, K) by a matrix (N, K), as R products of one row."""
        matrix = self.weights[name].T
        return self.torch.bmm(inputs[:, None], matrix.expand(len(inputs), *matrix.shape))[:, 0]

    def run(self, gates: Array, state: State) -> tuple[Array, State]:
        torch, weights = self.torch, self.weights
        after = []
        below = torch.from_numpy(gates)
        if self.shape.residual:
            below, stream = below.split([4 * self.shape.hidden_size, self.shape.hidden_size], dim=1)
        with torch.inference_mode():
            for layer in range(self.shape.layers):
                if layer:
                    bias = weights[f"lstm.bias_ih_l{layer}"] + weights[f"lstm.bias_hh_l{layer}"]
                    below = self._times(below, f"lstm.weight_ih_l{layer}") + bias
                hidden, cell = (torch.from_numpy(part) for part in state[2 * layer : 2 * layer + 2])
                total = below + self._times(hidden, f"lstm.weight_hh_l{layer}")
                inward, forget, new, outward = total.chunk(4, dim=-1)
                kept = forget.sigmoid() * cell + inward.sigmoid() * new.tanh()
                below = outward.sigmoid() * kept.tanh()
                after += [below, kept]
                if self.shape.residual:
                    stream = (weights[f"lstm.gains.{layer}"] * stream if layer else stream) + below
                    norm = (weights[f"lstm.norms.{layer}.{what}"] for what in ("weight", "bias"))
                    below = torch.nn.functional.layer_norm(stream, stream.shape[1:], *norm)
            heads = self._times(below, "to_heads.weight") + weights["to_heads.bias"]
        return heads.numpy(), tuple(part.numpy() for part in after)


class PaddedBackend:
    """A backend that is given only full groups of rows; zeros replace the missing ones."""

    def __init__(self, backend: Backend, group: int) -> None:
        self.backend, self.group, self.name = backend, group, backend.name

    def run(self, gates: Array, state: State) -> tuple[Array, State]:
        rows, missing = len(gates), -len(gates) % self.group
        if not missing:
            return self.backend.run(gates, state)
        gates, *state_parts = (_with_zeros(part, missing) for part in (gates, *state))
        heads, after = self.backend.run(gates, tuple(state_parts))
        return heads[:rows], tuple(part[:rows] for part in after)


def _with_zeros(part: Array, missing: int) -> Array:
    return np.concatenate([part, np.zeros((missing, part.shape[1]), np.float32)])


class RowwiseBackend:
    """A backend that runs one row at a time."""

    def __init__(self, backend: Backend) -> None:
        self.backend, self.name = backend, backend.name

    def run(self, gates: Array, state: State) -> tuple[Array, State]:
        rows = range(len(gates))
        done = [self.backend.run(gates[[row]], tuple(part[[row]] for part in state)) for row in rows]
        heads = np.concatenate([heads for heads, _ in done])
        return heads, tuple(np.concatenate(parts) for parts in zip(*(state for _, state in done), strict=True))


def is_batch_invariant(backend: Backend, shape: StepShape) -> bool:
    """Return whether the numbers of a row are the same, to the bit, whatever rows are run with it."""
    rng, most = np.random.default_rng(0), max(TESTED_ROWS)
    sizes = [shape.input_size] + [shape.hidden_size] * (2 * shape.layers)
    gates, *state = (rng.standard_normal((most, size), np.float32) for size in sizes)

    def run(first: int, last: int) -> list[Array]:
        heads, after = backend.run(gates[first:last], tuple(part[first:last] for part in state))
        return [heads, *after]

    alone = [np.concatenate(parts) for parts in zip(*(run(row, row + 1) for row in range(most)), strict=True)]
    return all(
        np.array_equal(one[most - rows :], together)
        for rows in TESTED_ROWS
        for one, together in zip(alone, run(most - rows, most), strict=True)
    )


def _onnx(folder: Path, weights: Weights, shape: StepShape) -> Backend:
    return OnnxBackend(folder / STEP, shape, "fp32")


def _int8(folder: Path, weights: Weights, shape: StepShape) -> Backend:
    try:
        return OnnxBackend(folder / STEP_INT8, shape, "int8")
    except UnsupportedGraphError as error:  # this onnxruntime has no product of bytes
        warnings.warn(f"composing in fp32, not int8: {error}", ImageMusicWarning, stacklevel=2)
        return _onnx(folder, weights, shape)


def _torch(folder: Path, weights: Weights, shape: StepShape) -> Backend:
    try:
        return TorchBackend(weights, shape)
    except ImportError as error:
        raise ConfigError("engine 'torch' needs torch: pip install -r requirements.txt") from error


_MAKERS: dict[str, Callable[[Path, Weights, StepShape], Backend]] = {"int8": _int8, "onnx": _onnx, "torch": _torch}
BACKENDS = tuple(_MAKERS)
DEFAULT = "int8"


def make_backend(name: str, folder: Path, weights: Weights, shape: StepShape) -> Backend:
    """Make a backend by name for a checkpoint folder, or for the weights that were read from it.

    Raises:
        KeyError, ValueError: a weight is missing or misshapen.
        CheckpointError: a graph is missing or cannot be used.
        ConfigError: the backend is unknown or not installed.
    """
    if name not in _MAKERS:
        raise ConfigError(f"unknown engine {name!r}; choose from {', '.join(BACKENDS)}")
    for weight, size in shape.weights().items():
        if weights[weight].shape != size:
            raise ValueError(f"{weight} is {weights[weight].shape}, need {size}")
    backend = _MAKERS[name](folder, weights, shape)
    variants = (backend, *(PaddedBackend(backend, group) for group in GROUPS))
    return next((one for one in variants if is_batch_invariant(one, shape)), RowwiseBackend(backend))
