"""Engines: what runs the LSTM of one step, each row by itself.

    gates (R, 4H or 5H), state ──► engine ──► heads (R, 5K), next state

A row's numbers must not depend on the rows beside it, or a piece would change with the batch that it is written in.
Matrix products differ in their last bits with the number of rows, library by library and processor by processor; so
an engine is tried when it is made.  Some kernels take two rows or four at once and the odd row by another way: those
are given full groups.  Where that does not help either, rows are run one at a time.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from imagemusic.errors import CheckpointError, ConfigError, ImageMusicWarning
from imagemusic.generation.graph_files import load_step_graph
from imagemusic.generation.step_graph import StepShape, int8_step_graph

Array = NDArray[np.float32]
Weights = Mapping[str, Array]
State: TypeAlias = tuple[Array, ...]  # hidden and cell (R, H) of each layer in turn

TRIED_ROWS = (2, 3, 8, 17)  # how many rows at once an engine is tried with
GROUPS = (2, 4)  # rows that a kernel may take at once


class Backend(Protocol):
    """Runs the LSTM of one step."""

    name: str

    def run(self, gates: Array, state: State) -> tuple[Array, State]:
        """Take what the step is fed (R, 4H or 5H); return the heads' input (R, 5K) and the next state."""
        ...


class OnnxBackend:
    """A step graph on ONNX Runtime."""

    def __init__(self, graph: bytes, shape: StepShape, kind: str, folder: Path | None = None) -> None:
        """Load a graph; `folder` is where the files lie that it points to.

        Raises:
            CheckpointError: ONNX Runtime cannot use it.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # fastest for one piece, and the same numbers on every machine size
        options.log_severity_level = 3
        if folder is not None:
            options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
        try:
            self.session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises its own kinds, none of them public
            raise CheckpointError(f"{kind}: not a usable step graph ({str(error).splitlines()[0]})") from error
        self.name = f"onnxruntime {onnxruntime.__version__} {kind}"
        states = [f"{what}_{layer}" for layer in range(shape.layers) for what in ("hidden", "cell")]
        self._inputs, self._outputs = ["gates", *states], ["heads", *(f"next_{name}" for name in states)]

    def run(self, gates: Array, state: State) -> tuple[Array, State]:
        heads, *after = self.session.run(self._outputs, dict(zip(self._inputs, (gates, *state), strict=True)))
        return heads, tuple(after)


class TorchBackend:
    """The same LSTM on torch."""

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
    """An engine that is only given full groups of rows, zeros standing in for those that are missing."""

    def __init__(self, engine: Backend, group: int) -> None:
        self.engine, self.group, self.name = engine, group, engine.name

    def run(self, gates: Array, state: State) -> tuple[Array, State]:
        rows, missing = len(gates), -len(gates) % self.group
        if not missing:
            return self.engine.run(gates, state)
        gates, *state_parts = (_with_zeros(part, missing) for part in (gates, *state))
        heads, after = self.engine.run(gates, tuple(state_parts))
        return heads[:rows], tuple(part[:rows] for part in after)


def _with_zeros(part: Array, missing: int) -> Array:
    return np.concatenate([part, np.zeros((missing, part.shape[1]), np.float32)])


class RowwiseBackend:
    """An engine that runs one row at a time."""

    def __init__(self, engine: Backend) -> None:
        self.engine, self.name = engine, engine.name

    def run(self, gates: Array, state: State) -> tuple[Array, State]:
        rows = range(len(gates))
        done = [self.engine.run(gates[[row]], tuple(part[[row]] for part in state)) for row in rows]
        heads = np.concatenate([heads for heads, _ in done])
        return heads, tuple(np.concatenate(parts) for parts in zip(*(state for _, state in done), strict=True))


def is_batch_invariant(engine: Backend, shape: StepShape) -> bool:
    """Tell whether the numbers of a row are the same, to the bit, whatever rows are run with it."""
    rng, most = np.random.default_rng(0), max(TRIED_ROWS)
    sizes = [shape.fed] + [shape.hidden_size] * (2 * shape.layers)
    gates, *state = (rng.standard_normal((most, size), np.float32) for size in sizes)

    def run(first: int, last: int) -> list[Array]:
        heads, after = engine.run(gates[first:last], tuple(part[first:last] for part in state))
        return [heads, *after]

    alone = [np.concatenate(parts) for parts in zip(*(run(row, row + 1) for row in range(most)), strict=True)]
    return all(
        np.array_equal(one[most - rows :], together)
        for rows in TRIED_ROWS
        for one, together in zip(alone, run(most - rows, most), strict=True)
    )


def _onnx(folder: Path, graph: bytes, weights: Weights, shape: StepShape) -> Backend:
    return OnnxBackend(graph, shape, "fp32", folder)


def _int8(folder: Path, graph: bytes, weights: Weights, shape: StepShape) -> Backend:
    try:
        return OnnxBackend(int8_step_graph(shape, weights), shape, "int8")
    except CheckpointError as error:
        warnings.warn(f"no bytes on this onnxruntime ({error}); composing in fp32", ImageMusicWarning, stacklevel=2)
        return _onnx(folder, graph, weights, shape)


def _torch(folder: Path, graph: bytes, weights: Weights, shape: StepShape) -> Backend:
    try:
        return TorchBackend(weights, shape)
    except ImportError as error:
        raise ConfigError("engine 'torch' needs torch: pip install -r requirements.txt") from error


_MAKERS = {"int8": _int8, "onnx": _onnx, "torch": _torch}
BACKENDS = tuple(_MAKERS)
DEFAULT = "int8"


def make_backend(name: str, folder: Path, weights: Weights, shape: StepShape) -> Backend:
    """Make an engine by name, of a checkpoint folder or of its weights.

    Raises:
        KeyError, ValueError: a weight is missing or misshapen.
        CheckpointError: ONNX Runtime cannot use them.
        ConfigError: no such engine, or it is not installed.
    """
    if name not in _MAKERS:
        raise ConfigError(f"unknown engine {name!r}; choose from {', '.join(BACKENDS)}")
    for weight, size in shape.weights().items():
        if weights[weight].shape != size:
            raise ValueError(f"{weight} is {weights[weight].shape}, need {size}")
    graph = load_step_graph(folder, shape)  # whichever engine runs: the file is what other runtimes read
    engine = _MAKERS[name](folder, graph, weights, shape)
    ways = (engine, *(PaddedBackend(engine, group) for group in GROUPS))
    return next((way for way in ways if is_batch_invariant(way, shape)), RowwiseBackend(engine))
