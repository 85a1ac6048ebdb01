"""What changes the sound of notes without being one: volume, expression, pan and detuning of tracks over time.

A control array is int64 (M, 4), a row a change: tick, track (an index into a score's tracks), kind, value.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

ControlArray: TypeAlias = NDArray[np.int64]

VOLUME, EXPRESSION, PAN, DETUNING = range(4)  # kinds
# Values: 0..127 of the first three, 64 is the centre of the pan; hundredths of a semitone of the last.
DEFAULT_VOLUME, DEFAULT_EXPRESSION = 100, 127


def no_controls() -> ControlArray:
    """Return an array (0, 4)."""
    return np.zeros((0, 4), np.int64)
