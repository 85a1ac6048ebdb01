"""ONNX Runtime sessions: every graph of the package is loaded here."""

from pathlib import Path
from typing import Any

from imagemusic.errors import CheckpointError
from imagemusic.graphs.external_data import WEIGHTS, check_external_data, open_weights, read_spans


class UnsupportedGraphError(CheckpointError):
    """ONNX Runtime cannot use a graph."""


def load_session(path: Path, prefix: str | None = None) -> Any:
    """Load a graph as an `onnxruntime.InferenceSession` that computes on one thread of the CPU.

    With a `prefix`, its external tensors are the weights `PREFIX.NAME` of the `model.safetensors` beside it; without
    one, it must hold its weights itself.  ONNX Runtime is given the content of that file and opens none: since 1.24
    it refuses a link out of the folder, and the folders of the Hugging Face cache are nothing but such links.

    Raises:
        CheckpointError: a file is missing, or the graph takes a tensor from elsewhere.
        UnsupportedGraphError: ONNX Runtime cannot use the graph.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the same numbers on every machine size, and fastest for one piece
    options.log_severity_level = 3
    options.add_session_config_entry("session.load_model_format", "ONNX")  # not its own format, which is not checked
    try:
        graph = path.read_bytes()
        weights = open_weights(path.parent / WEIGHTS) if prefix else None
    except OSError as error:
        raise CheckpointError(f"{error.filename}: cannot be read ({error.strerror})") from error
    try:
        check_external_data(graph, {} if weights is None else read_spans(weights), prefix or "")
    except ValueError as error:
        raise CheckpointError(f"{path}: not a graph of the weights beside it ({error})") from error
    if weights is not None:
        options.add_external_initializers_from_files_in_memory([WEIGHTS], [weights], [len(weights)])  # not copied
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises its own kinds, none of them public
        reason = str(error).splitlines()[0]
        raise UnsupportedGraphError(f"{path}: ONNX Runtime cannot use this graph ({reason})") from error
