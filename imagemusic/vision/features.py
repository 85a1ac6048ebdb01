"""Features of a picture: the output of the image encoder."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class ImageFeatures:
    """Output of the encoder for one picture."""

    hash: str  # sha256 of the RGB pixels
    embedding: NDArray[np.float32]  # (E,)
    dial_mean: NDArray[np.float32]  # (3,): valence, arousal, tempo as ranks in -1..1
    dial_sd: NDArray[np.float32]  # (3,): standard deviations of those
