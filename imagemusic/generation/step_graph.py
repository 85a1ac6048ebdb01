"""The LSTM step as an ONNX graph, and graphs whose weights lie in a safetensors file.

A safetensors file is a header and then raw tensors, which is just what ONNX calls external data: a graph names the
file, an offset and a length.  So a checkpoint holds each weight once, in float16, and any ONNX runtime can read it.
The int8 graph is made when it is loaded and holds its weights itself.
"""

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imagemusic.events.vocabulary import FIELDS
from imagemusic.graphs import onnx_format
from imagemusic.graphs.onnx_format import Stored

if TYPE_CHECKING:
    import onnx

OPSET, IR_VERSION = 17, 9
# Weights of a row that share a scale, in the int8 graph.  With 64 the kernels of one row and of many give the same
# bits, with 128 they do not (ONNX Runtime 1.31, AVX-512), and a lone row would need another beside it; see backends.py.
BLOCK = 64
FULL_SCALE, ZERO = 127, 128  # of unsigned bytes that stand for -127..127


@dataclass(frozen=True, slots=True)
class StepShape:
    """What a step is made of."""

    layers: int
    hidden_size: int
    heads_size: int  # length of what all heads together start from, 5K
    residual: bool = False  # see residual.py

    @property
    def fed(self) -> int:
        """Length of what a step is fed: the first layer's gates, and its part in the stream where there is one."""
        return (5 if self.residual else 4) * self.hidden_size

    @classmethod
    def of(cls, decoder: Mapping[str, Any]) -> "StepShape":
        """Read the table `decoder` of a checkpoint's settings."""
        heads_size = len(FIELDS) * decoder["head_size"]
        residual = decoder.get("residual", False)
        return cls(decoder["layers"], decoder["hidden_size"], heads_size, residual)

    def weights(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every weight of a step, as the decoder stores them."""
        gates, hidden = 4 * self.hidden_size, self.hidden_size
        found: dict[str, tuple[int, ...]] = {}
        for layer in range(self.layers):
            found[f"lstm.weight_hh_l{layer}"] = (gates, hidden)
            if layer:
                found[f"lstm.weight_ih_l{layer}"] = (gates, hidden)
                found[f"lstm.bias_ih_l{layer}"] = found[f"lstm.bias_hh_l{layer}"] = (gates,)
            if self.residual:
                found[f"lstm.norms.{layer}.weight"] = found[f"lstm.norms.{layer}.bias"] = (hidden,)
                if layer:  # the first is in what the step is fed
                    found[f"lstm.gains.{layer}"] = (hidden,)
        return found | {"to_heads.weight": (self.heads_size, hidden), "to_heads.bias": (self.heads_size,)}


class _Graph:
    """Nodes and weights of a graph in the making."""

    def __init__(self, **contributed: int) -> None:
        self.opsets = {"": OPSET} | contributed
        self.nodes: list[bytes] = []
        self.initializers: list[bytes] = []

    def add(self, operator: str, inputs: list[str], *outputs: str, **attributes: Any) -> str:
        self.nodes.append(onnx_format.node(operator, inputs, outputs, **attributes))
        return outputs[0]


def step_graph(shape: StepShape, weights: Path, prefix: str = "decoder") -> bytes:
    """Spell the graph of one step, its weights `PREFIX.NAME` of float16 in the safetensors file `weights`.

    gates (R, 4H or 5H), hidden_0, cell_0, hidden_1, ... (R, H) -> heads (R, 5K), next_hidden_0, next_cell_0, ...

    Raises:
        ValueError: a weight is missing or misshapen.
    """
    graph, header, start = _Graph(), *read_header(weights)
    for name, size in shape.weights().items():
        stored = _stored(header, start, f"{prefix}.{name}", size, weights.name)
        graph.initializers.append(onnx_format.pointer(f"{name}.f16", stored))
        graph.add("Cast", [f"{name}.f16"], name, to=onnx_format.FLOAT)

    def times(inputs: str, name: str, added: str, output: str) -> str:
        return graph.add("Gemm", [inputs, name, added], output, transB=1)

    return _step(graph, shape, times)


def int8_step_graph(shape: StepShape, weights: Mapping[str, NDArray[np.float32]]) -> bytes:
    """Spell the same step with its matrices as bytes, a scale for every BLOCK weights of a row.

    The inputs of a product are rounded too, but each row by itself, so that rows know nothing of each other.
    """
    graph = _Graph(**{onnx_format.CONTRIB: 1})
    for name, size in shape.weights().items():
        if len(size) == 1:
            graph.initializers.append(onnx_format.tensor(name, weights[name]))
        else:
            quantized, scales = quantize(weights[name])
            graph.initializers.append(onnx_format.tensor(f"{name}.int8", quantized))
            graph.initializers.append(onnx_format.tensor(f"{name}.scales", scales))

    def times(inputs: str, name: str, added: str, output: str) -> str:
        size, width = weights[name].shape
        product = graph.add(
            "MatMulNBits", [inputs, f"{name}.int8", f"{name}.scales"], f"{output}.product",
            K=width, N=size, bits=8, block_size=block_size(width), accuracy_level=4,
        )  # fmt: skip
        return graph.add("Add", [product, added], output)

    return _step(graph, shape, times)


def block_size(width: int) -> int:
    """Weights that share a scale, in rows of `width`: a power of two, at least 16, and no longer than the row asks."""
    return min(BLOCK, max(16, 1 << (width - 1).bit_length()))


def quantize(weight: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Round a matrix (N, K) to bytes (N, blocks, BLOCK), and the scales (N x blocks,) that undo it."""
    size = block_size(weight.shape[1])
    padded = np.pad(weight, ((0, 0), (0, -weight.shape[1] % size)))
    blocks = padded.reshape(len(weight), -1, size)
    scales = np.maximum(np.abs(blocks).max(axis=-1), np.finfo(np.float32).tiny) / np.float32(FULL_SCALE)
    return (np.rint(blocks / scales[..., None]) + ZERO).astype(np.uint8), scales.astype(np.float32).ravel()


def _step(graph: _Graph, shape: StepShape, times: Callable[[str, str, str, str], str]) -> bytes:
    """Add the LSTM and the heads' first layer; `times(inputs, weight, added, output)` multiplies by a matrix."""
    add, below, stream, last = graph.add, "", "", range(shape.layers)
    driven = "gates"
    if shape.residual:
        graph.initializers.append(onnx_format.tensor("fed", np.array([4 * shape.hidden_size, shape.hidden_size])))
        driven, stream = "driven", "carried_0"
        add("Split", ["gates", "fed"], driven, stream, axis=1)
    for layer in last:
        total = driven
        if layer:
            bias = add("Add", [f"lstm.bias_ih_l{layer}", f"lstm.bias_hh_l{layer}"], f"bias_{layer}")
            total = times(below, f"lstm.weight_ih_l{layer}", bias, f"inward_{layer}")
        total = times(f"hidden_{layer}", f"lstm.weight_hh_l{layer}", total, f"total_{layer}")
        i, f, g, o = (f"{gate}_{layer}" for gate in "ifgo")
        add("Split", [total], *(f"{gate}_raw" for gate in (i, f, g, o)), axis=1)
        for gate in (i, f, o):
            add("Sigmoid", [f"{gate}_raw"], gate)
        add("Tanh", [f"{g}_raw"], g)
        kept = add("Mul", [f, f"cell_{layer}"], f"kept_{layer}")
        new = add("Mul", [i, g], f"new_{layer}")
        cell = add("Add", [kept, new], f"next_cell_{layer}")
        below = add("Mul", [o, add("Tanh", [cell], f"shown_{layer}")], f"next_hidden_{layer}")
        if shape.residual:
            if layer:
                stream = add("Mul", [f"lstm.gains.{layer}", stream], f"carried_{layer}")
            stream = add("Add", [stream, below], f"stream_{layer}")
            norm = [f"lstm.norms.{layer}.{what}" for what in ("weight", "bias")]
            below = add("LayerNormalization", [stream, *norm], f"normed_{layer}")
    times(below, "to_heads.weight", "to_heads.bias", "heads")
    states = [f"{kind}_{layer}" for layer in last for kind in ("hidden", "cell")]
    return onnx_format.model(
        "step", graph.nodes,
        [onnx_format.value("gates", "R", shape.fed),
         *(onnx_format.value(name, "R", shape.hidden_size) for name in states)],
        [onnx_format.value("heads", "R", shape.heads_size),
         *(onnx_format.value(f"next_{name}", "R", shape.hidden_size) for name in states)],
        graph.initializers, opsets=graph.opsets, ir_version=IR_VERSION,
    )  # fmt: skip


def read_header(weights: Path) -> tuple[dict[str, Any], int]:
    """Read what a safetensors file says of its tensors, and at which byte they start."""
    with open(weights, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(length)), 8 + length


def _stored(header: Mapping[str, Any], start: int, name: str, shape: tuple[int, ...], file: str) -> Stored:
    entry = header.get(name)
    if entry is None:
        raise ValueError(f"{name}: no such weight in {file}")
    if entry["shape"] != list(shape) or entry["dtype"] != "F16":
        raise ValueError(f"{name}: stored as {entry['dtype']} {entry['shape']}, need F16 {list(shape)}")
    return Stored(file, start + entry["data_offsets"][0], shape)


def relocate_weights(graph: bytes, weights: Path, prefix: str) -> bytes:
    """Spell a graph that `externalize_weights` made again, for where its weights lie in `weights` now.

    Raises:
        ValueError: it is not a graph.
    """
    header, start = read_header(weights)

    def find(name: str) -> Stored | None:
        entry = header.get(f"{prefix}.{name.removesuffix('.f16')}") if name.endswith(".f16") else None
        return entry and Stored(weights.name, start + entry["data_offsets"][0], tuple(entry["shape"]))

    return onnx_format.repoint(graph, find)


def externalize_weights(model: "onnx.ModelProto", weights: Path, prefix: str) -> "onnx.ModelProto":
    """Replace every initializer NAME for which `weights` has a float16 tensor PREFIX.NAME by a reference to that.

    Raises:
        ValueError: a tensor has another shape.
    """
    import onnx

    header, start = read_header(weights)
    made = onnx.ModelProto()
    made.CopyFrom(model)
    casts = []
    for tensor in made.graph.initializer:
        name = tensor.name
        if f"{prefix}.{name}" not in header:
            continue
        stored = _stored(header, start, f"{prefix}.{name}", tuple(tensor.dims), weights.name)
        tensor.ParseFromString(onnx_format.pointer(f"{name}.f16", stored))
        casts.append(onnx.helper.make_node("Cast", [tensor.name], [name], name=f"{name}.cast", to=onnx_format.FLOAT))
    nodes = list(made.graph.node)
    del made.graph.node[:]
    made.graph.node.extend([*casts, *nodes])
    return made
