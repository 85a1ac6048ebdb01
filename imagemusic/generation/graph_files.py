"""The graphs of a checkpoint, read as they should be: they point into the weights beside them, and may be stale.

DIR/step.onnx       made again from the shape of the decoder
DIR/encoder.onnx    its references made again, for where the weights lie
"""

import warnings
from contextlib import suppress
from pathlib import Path

from imagemusic.errors import CheckpointError, ImageMusicWarning, OutputError
from imagemusic.files import write_atomically
from imagemusic.generation.step_graph import StepShape, relocate_weights, step_graph

STEP, ENCODER = "step.onnx", "encoder.onnx"
WEIGHTS = "model.safetensors"


def load_step_graph(folder: Path, shape: StepShape) -> bytes:
    """Read step.onnx, or make it again where it does not belong to the weights beside it.

    Raises:
        ValueError: a weight is missing or misshapen.
    """
    return _sound(folder / STEP, step_graph(shape, folder / WEIGHTS))


def load_encoder_graph(folder: Path) -> bytes:
    """Read encoder.onnx, or point it anew where it does not belong to the weights beside it.

    Raises:
        CheckpointError: it is no graph.
    """
    path = folder / ENCODER
    try:
        return _sound(path, relocate_weights(path.read_bytes(), folder / WEIGHTS, "encoder"))
    except ValueError as error:
        raise CheckpointError(f"{path}: not a usable encoder graph ({error})") from error


def _sound(path: Path, wanted: bytes) -> bytes:
    """Write what a graph should be, with a notice, where it is anything else."""
    if path.is_file() and path.read_bytes() == wanted:
        return wanted
    warnings.warn(f"{path}: stale or damaged, made again from {WEIGHTS}", ImageMusicWarning, stacklevel=3)
    with suppress(OutputError):  # a folder that cannot be written: what was made serves this once
        write_atomically(path, wanted)
    return wanted
