"""From pixels to an embedding and dials: the CNN, on ONNX Runtime.

    pixels (3, S, S) ──► encoder.onnx ──► embedding (E,), means and standard deviations (3,) of IMAGE_DIALS

training/encoder/ trains the CNN and exports that graph.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imagemusic.errors import ConfigError
from imagemusic.graphs.session import load_session

ENCODER = "encoder.onnx"


class ImageEncoder:
    """The image encoder of a checkpoint, on ONNX Runtime."""

    def __init__(self, folder: Path, size: int) -> None:
        """Load the encoder of a checkpoint folder; it was trained on images of `size` x `size` pixels.

        Raises:
            CheckpointError: its graph is missing or cannot be used.
        """
        self.session = load_session(folder / ENCODER, "encoder")
        self.size = size

    def encode(self, pixels: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """Return embedding (E,), dial means (3,) and standard deviations (3,) for RGB pixels (3, S, S) in 0..1.

        Raises:
            ConfigError: the graph cannot read pictures of this size.
        """
        try:
            outputs = self.session.run(["embedding", "dial_mean", "dial_sd"], {"pixels": pixels[None]})
        except Exception as error:  # onnxruntime raises its own kinds, none of them public
            size = pixels.shape[-1]
            raise ConfigError(f"size {size}: the encoder of this model cannot read {size} x {size} pixels") from error
        return tuple(output[0] for output in outputs)
