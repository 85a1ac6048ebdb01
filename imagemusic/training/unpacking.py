"""The encoder's graph of a checkpoint with its weights inside, as it was before they were stored once beside it."""

import onnx
from onnx import TensorProto, numpy_helper
from safetensors.numpy import load_file

from imagemusic.checkpoint import WEIGHTS, Checkpoint
from imagemusic.errors import CheckpointError

STORED, WIDENED = ".f16", ".cast"  # ends of the names of a stored weight, and of the node that widens it to float32


def encoder_graph(checkpoint: Checkpoint) -> onnx.ModelProto:
    """Put the weights back into the graph, as float32, under their names: undo `externalize_weights`.

    Raises:
        CheckpointError: a weight that the graph points to is missing.
    """
    weights = load_file(checkpoint.folder / WEIGHTS)
    model = onnx.load(checkpoint.folder / "encoder.onnx", load_external_data=False)
    for tensor in model.graph.initializer:
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        name = tensor.name.removesuffix(STORED)
        if f"encoder.{name}" not in weights:
            raise CheckpointError(f"{checkpoint.folder / WEIGHTS}: encoder.{name} is missing")
        tensor.CopyFrom(numpy_helper.from_array(weights[f"encoder.{name}"].astype("float32"), name))
    kept = [node for node in model.graph.node if not node.name.endswith(WIDENED)]
    del model.graph.node[:]
    model.graph.node.extend(kept)
    return model
