"""Pixels to an embedding and dials: the CNN, on ONNX Runtime.

    pixels (3, S, S) ──► encoder.onnx ──► embedding (E,), dial means (3,) and deviations (3,): IMAGE_DIALS

training/encoder/ makes that graph.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imagemusic.errors import CheckpointError
from imagemusic.generation.graph_files import ENCODER, load_encoder_graph


class ImageEncoder:
    """The encoder on ONNX Runtime."""

    def __init__(self, folder: Path, size: int) -> None:
        """Load the encoder of a checkpoint folder, which was trained on pictures of `size` pixels a side.

        Raises:
            CheckpointError: its graph cannot be used.
        """
        import onnxruntime

        graph = load_encoder_graph(folder)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # the same numbers on every machine size
        options.log_severity_level = 3
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
        try:
            self.session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises its own kinds, none of them public
            reason = str(error).splitlines()[0]
            raise CheckpointError(f"{folder / ENCODER}: not a usable encoder graph ({reason})") from error
        self.size = size

    def encode(self, pixels: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """Turn pixels (3, S, S) in 0..1 into embedding (E,), dial means (3,) and deviations (3,)."""
        outputs = self.session.run(["embedding", "dial_mean", "dial_sd"], {"pixels": pixels[None]})
        return tuple(output[0] for output in outputs)
