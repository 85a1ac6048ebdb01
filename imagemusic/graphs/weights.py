"""Move the weights of an ONNX graph into the safetensors file of a checkpoint, and back; this needs the onnx package.

initializer NAME (float32)  <──>  initializer NAME.f16 (float16, external) ──► Cast ──► NAME
"""

from pathlib import Path

import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

from imagemusic.graphs.external_data import STORED, WEIGHTS, open_weights, read_spans

CAST = ".cast"  # end of the name of the node that makes float32 of a stored weight


def placeholder(name: str, shape: tuple[int, ...]) -> TensorProto:
    """Make an initializer without data, which `externalize_weights` must find a weight for."""
    return TensorProto(name=name, dims=shape, data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)


def externalize_weights(model: onnx.ModelProto, weights: Path, prefix: str) -> onnx.ModelProto:
    """Return the graph with every initializer NAME stored as float16 `PREFIX.NAME` in `weights` taken from there.

    Other initializers stay as they are.

    Raises:
        ValueError: a weight has another shape, or a placeholder has no weight.
    """
    spans = read_spans(open_weights(weights))
    made = onnx.ModelProto()
    made.CopyFrom(model)
    casts = []
    for tensor in made.graph.initializer:
        name, shape = tensor.name, tuple(tensor.dims)
        span = spans.get(f"{prefix}.{name}")
        if span is None:
            if tensor.data_location == TensorProto.EXTERNAL:
                raise ValueError(f"{prefix}.{name}: no such float16 weight in {weights.name}")
            continue
        if span.shape != shape:
            raise ValueError(f"{prefix}.{name}: stored as {list(span.shape)}, need {list(shape)}")
        tensor.CopyFrom(
            TensorProto(
                name=name + STORED, dims=shape, data_type=TensorProto.FLOAT16, data_location=TensorProto.EXTERNAL
            )
        )
        for key, value in (("location", WEIGHTS), ("offset", span.offset), ("length", span.length)):
            tensor.external_data.add(key=key, value=str(value))
        casts.append(helper.make_node("Cast", [tensor.name], [name], name=name + CAST, to=TensorProto.FLOAT))
    _set_nodes(made, [*casts, *made.graph.node])
    return made


def inline_weights(path: Path, prefix: str) -> onnx.ModelProto:
    """Load a graph of a checkpoint with its weights inside, as float32: undo `externalize_weights`.

    Raises:
        ValueError: a weight that it names is missing.
    """
    weights = load_file(path.parent / WEIGHTS)
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        name = tensor.name.removesuffix(STORED)
        if f"{prefix}.{name}" not in weights:
            raise ValueError(f"{prefix}.{name} is missing")
        tensor.CopyFrom(numpy_helper.from_array(weights[f"{prefix}.{name}"].astype("float32"), name))
    _set_nodes(model, [node for node in model.graph.node if not node.name.endswith(CAST)])
    return model


def _set_nodes(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> None:
    del model.graph.node[:]
    model.graph.node.extend(nodes)
