"""The step of the LSTM as two ONNX graphs, which are written with a checkpoint: weights in float32, or in int8.

    gates (R, 4H or 5H), hidden_0, cell_0, hidden_1, ... (R, H) ──► heads (R, 5K), next_hidden_0, next_cell_0, ...

Both take their weights from the float16 of model.safetensors.  The int8 graph quantizes its matrices by nodes of its
own, which ONNX Runtime computes once, when it loads the graph.  This module needs the onnx package;
loading a checkpoint does not.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from imagemusic.generation.step_shape import STEP, STEP_INT8, StepShape
from imagemusic.graphs.external_data import WEIGHTS
from imagemusic.graphs.weights import externalize_weights, placeholder

OPSET, IR_VERSION = 21, 10  # QuantizeLinear knows blocks since 21
CONTRIB = "com.microsoft"  # domain of the operators that only ONNX Runtime has
# Weights of a row that share a scale, in the int8 graph.  With 64 the kernels of one row and of many give the same
# bits, with 128 they do not (ONNX Runtime 1.31, AVX-512), and a lone row would need another beside it; see backends.py.
BLOCK = 64
FULL_SCALE, ZERO = 127, 128  # of unsigned bytes that stand for -127..127


class _Graph:
    """Nodes and initializers of a graph that is being built."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def add(self, operator: str, inputs: list[str], *outputs: str, **attributes: Any) -> str:
        """Add a node named after its first output; return that name."""
        self.nodes.append(helper.make_node(operator, inputs, outputs, name=outputs[0], **attributes))
        return outputs[0]

    def constant(self, name: str, value: Any) -> str:
        """Add an initializer that holds its value; return its name."""
        self.initializers.append(numpy_helper.from_array(np.asarray(value), name))
        return name


Multiply = Callable[[str, str, str, str], str]  # (rows, matrix, added, output) -> output


def write_step_graphs(folder: Path, shape: StepShape) -> None:
    """Write step.onnx and step_int8.onnx for the weights `decoder.NAME` of the model.safetensors in `folder`.

    Raises:
        ValueError: a weight is missing or misshapen.
    """
    for name, int8 in ((STEP, False), (STEP_INT8, True)):
        model = externalize_weights(step_graph(shape, int8=int8), folder / WEIGHTS, "decoder")
        (folder / name).write_bytes(model.SerializeToString(deterministic=True))


def step_graph(shape: StepShape, *, int8: bool = False) -> onnx.ModelProto:
    """Build the graph of one step; its weights are placeholders that bear the names of the decoder's."""
    graph = _Graph()
    graph.initializers += [placeholder(name, size) for name, size in shape.weights().items()]
    _add_step(graph, shape, _int8_multiply(graph, shape) if int8 else _multiply(graph))

    def values(prefix: str, sizes: Mapping[str, int]) -> list[onnx.ValueInfoProto]:
        pairs = sizes.items()
        return [helper.make_tensor_value_info(prefix + name, TensorProto.FLOAT, ["R", size]) for name, size in pairs]

    states = dict.fromkeys(shape.states, shape.hidden_size)
    inputs = values("", {"gates": shape.input_size} | states)
    outputs = values("", {"heads": shape.heads_size}) + values("next_", states)
    opsets = [helper.make_opsetid("", OPSET)] + [helper.make_opsetid(CONTRIB, 1)] * int8
    made = helper.make_graph(graph.nodes, "step", inputs, outputs, graph.initializers)
    return helper.make_model(made, opset_imports=opsets, ir_version=IR_VERSION)


def _multiply(graph: _Graph) -> Multiply:
    """Multiply float32 rows (R, K) by a float32 matrix (N, K)."""

    def multiply(rows: str, matrix: str, added: str, output: str) -> str:
        return graph.add("Gemm", [rows, matrix, added], output, transB=1)

    return multiply


def _int8_multiply(graph: _Graph, shape: StepShape) -> Multiply:
    """Multiply float32 rows (R, K) by a matrix (N, K) as bytes, with a scale for every `block_size(K)` of a row.

    ONNX Runtime quantizes the rows too, each by itself, so that no row depends on another.
    """
    smallest = graph.constant("smallest", np.finfo(np.float32).tiny)  # the scale of a block of zeros must not be 0
    full_scale, zero = graph.constant("full_scale", np.float32(FULL_SCALE)), graph.constant("zero", np.uint8(ZERO))
    last, flat = graph.constant("last", np.array([-1])), graph.constant("flat", np.array([-1]))
    sizes, add = shape.weights(), graph.add

    def quantize(name: str) -> list[str]:
        """Round a matrix (N, K) to bytes (N, blocks, block size); the scales (N x blocks,) undo it.

        The largest absolute value of a block sets its scale; to take it from maximum and minimum needs less memory.
        """
        (count, width), block = sizes[name], block_size(sizes[name][1])
        source = name
        if missing := -width % block:
            source = add("Pad", [name, graph.constant(f"{name}.pads", np.array([0, 0, 0, missing]))], f"{name}.padded")
        blocks = add(
            "Reshape", [source, graph.constant(f"{name}.shape", np.array([count, -1, block]))], f"{name}.blocks"
        )
        highest = add("ReduceMax", [blocks, last], f"{name}.highest", keepdims=1)
        lowest = add("ReduceMin", [blocks, last], f"{name}.lowest", keepdims=1)
        largest = add("Max", [highest, add("Neg", [lowest], f"{name}.depth"), smallest], f"{name}.largest")
        scales = add("Div", [largest, full_scale], f"{name}.block_scales")
        zeros = add("Expand", [zero, add("Shape", [scales], f"{name}.scales_shape")], f"{name}.zeros")
        quantized = add("QuantizeLinear", [blocks, scales, zeros], f"{name}.int8", axis=2, block_size=block)
        return [quantized, add("Reshape", [scales, flat], f"{name}.scales")]

    def multiply(rows: str, matrix: str, added: str, output: str) -> str:
        count, width = sizes[matrix]
        product = add(
            "MatMulNBits", [rows, *quantize(matrix)], f"{output}.product", domain=CONTRIB,
            K=width, N=count, bits=8, block_size=block_size(width), accuracy_level=4,
        )  # fmt: skip
        return add("Add", [product, added], output)

    return multiply


def block_size(width: int) -> int:
    """Weights that share a scale, in rows of `width`: a power of two, at least 16, at most BLOCK."""
    return min(BLOCK, max(16, 1 << (width - 1).bit_length()))


def _add_step(graph: _Graph, shape: StepShape, multiply: Multiply) -> None:
    """Add the LSTM and the first layer of the heads."""
    add, below, stream, last = graph.add, "", "", range(shape.layers)
    driven = "gates"
    if shape.residual:
        parts = graph.constant("parts", np.array([4 * shape.hidden_size, shape.hidden_size]))
        driven, stream = "driven", "carried_0"
        add("Split", ["gates", parts], driven, stream, axis=1)
    for layer in last:
        total = driven
        if layer:
            bias = add("Add", [f"lstm.bias_ih_l{layer}", f"lstm.bias_hh_l{layer}"], f"bias_{layer}")
            total = multiply(below, f"lstm.weight_ih_l{layer}", bias, f"inward_{layer}")
        total = multiply(f"hidden_{layer}", f"lstm.weight_hh_l{layer}", total, f"total_{layer}")
        i, f, g, o = (f"{gate}_{layer}" for gate in "ifgo")
        add("Split", [total], *(f"{gate}_raw" for gate in (i, f, g, o)), axis=1, num_outputs=4)
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
    multiply(below, "to_heads.weight", "to_heads.bias", "heads")
