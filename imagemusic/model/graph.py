"""The LSTM step as an ONNX graph, and graphs whose weights lie in a safetensors file.

A safetensors file is a header and then raw tensors, which is just what ONNX calls external data: a graph names the
file, an offset and a length.  So a checkpoint holds each weight once, in float16, and any ONNX runtime can read it.
"""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17


def step_graph(*, layers: int, hidden_size: int, heads_size: int) -> onnx.ModelProto:
    """Build one LSTM step: gates (R, 4H), hidden and cell (L, R, H) -> heads (R, heads_size), hidden, cell.

    Initializers are the placeholders `lstm.*` and `to_heads.*`, to be filled by `point_into`.
    """
    nodes, weights = [], []

    def add(operator: str, inputs: list[str], outputs: list[str], **attributes: Any) -> str:
        nodes.append(helper.make_node(operator, inputs, outputs, name=outputs[0], **attributes))
        return outputs[0]

    def weight(name: str, *shape: int) -> str:
        weights.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return name

    for kind in ("hidden", "cell"):
        add("Split", [kind], [f"{kind}_{layer}_3d" for layer in range(layers)], axis=0)
        for layer in range(layers):
            add("Squeeze", [f"{kind}_{layer}_3d", "axis_0"], [f"{kind}_{layer}"])
    below = ""
    for layer in range(layers):
        recurrent = weight(f"lstm.weight_hh_l{layer}", 4 * hidden_size, hidden_size)
        if layer == 0:
            from_below = "gates"
        else:
            inward = weight(f"lstm.weight_ih_l{layer}", 4 * hidden_size, hidden_size)
            bias = weight(f"lstm.bias_ih_l{layer}", 4 * hidden_size)
            more_bias = weight(f"lstm.bias_hh_l{layer}", 4 * hidden_size)
            add("Gemm", [below, inward, bias], [f"inward_{layer}"], transB=1)
            from_below = add("Add", [f"inward_{layer}", more_bias], [f"from_below_{layer}"])
        add("Gemm", [f"hidden_{layer}", recurrent], [f"recurrent_{layer}"], transB=1)
        add("Add", [from_below, f"recurrent_{layer}"], [f"total_{layer}"])
        parts = [f"{gate}_{layer}" for gate in ("i", "f", "g", "o")]
        add("Split", [f"total_{layer}"], [f"{part}_raw" for part in parts], axis=1)
        for part in parts:
            add("Tanh" if part.startswith("g") else "Sigmoid", [f"{part}_raw"], [part])
        i, f, g, o = parts
        kept = add("Mul", [f, f"cell_{layer}"], [f"kept_{layer}"])
        new = add("Mul", [i, g], [f"new_{layer}"])
        add("Add", [kept, new], [f"next_cell_{layer}"])
        add("Tanh", [f"next_cell_{layer}"], [f"shown_{layer}"])
        below = add("Mul", [o, f"shown_{layer}"], [f"next_hidden_{layer}"])
    heads = weight("to_heads.weight", heads_size, hidden_size)
    add("Gemm", [below, heads, weight("to_heads.bias", heads_size)], ["heads"], transB=1)
    for kind in ("hidden", "cell"):
        for layer in range(layers):
            add("Unsqueeze", [f"next_{kind}_{layer}", "axis_0"], [f"next_{kind}_{layer}_3d"])
        add("Concat", [f"next_{kind}_{layer}_3d" for layer in range(layers)], [f"next_{kind}"], axis=0)

    def value(name: str, *shape: int | str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    state = [value(name, layers, "R", hidden_size) for name in ("hidden", "cell", "next_hidden", "next_cell")]
    graph = helper.make_graph(
        nodes, "step",
        [value("gates", "R", 4 * hidden_size), *state[:2]],
        [value("heads", "R", heads_size), *state[2:]],
        initializer=[
            numpy_helper.from_array(np.array([0], np.int64), "axis_0"),
            *(_placeholder(info.name, [d.dim_value for d in info.type.tensor_type.shape.dim]) for info in weights),
        ],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)


def _placeholder(name: str, shape: list[int]) -> TensorProto:
    return TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape)


def point_into(model: onnx.ModelProto, weights: Path, prefix: str) -> onnx.ModelProto:
    """Replace every initializer NAME for which `weights` has a float16 tensor PREFIX.NAME by a reference to that.

    Raises:
        ValueError: a placeholder has no tensor, or its shape differs.
    """
    with open(weights, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    made = onnx.ModelProto()
    made.CopyFrom(model)
    casts = []
    for tensor in made.graph.initializer:
        entry = header.get(f"{prefix}.{tensor.name}")
        if entry is None:
            if not (tensor.raw_data or tensor.float_data or tensor.int64_data or tensor.int32_data) and tensor.dims:
                raise ValueError(f"{prefix}.{tensor.name}: no such weight in {weights.name}")
            continue
        if entry["shape"] != list(tensor.dims) or entry["dtype"] != "F16":
            stored = f"{entry['dtype']} {entry['shape']}"
            raise ValueError(f"{tensor.name}: stored as {stored}, need F16 {list(tensor.dims)}")
        name, (begin, end) = tensor.name, entry["data_offsets"]
        tensor.Clear()
        tensor.name, tensor.data_type = f"{name}.f16", TensorProto.FLOAT16
        tensor.dims.extend(entry["shape"])
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", weights.name), ("offset", 8 + length + begin), ("length", end - begin)):
            tensor.external_data.add(key=key, value=str(value))
        casts.append(helper.make_node("Cast", [tensor.name], [name], name=f"{name}.cast", to=TensorProto.FLOAT))
    nodes = list(made.graph.node)
    del made.graph.node[:]
    made.graph.node.extend([*casts, *nodes])
    return made
