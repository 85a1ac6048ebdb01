"""Mixed precision: bfloat16 where this machine runs an LSTM in it, else float32.

On processors without AVX-512 or AMX, oneDNN has no bfloat16 kernel for an LSTM, and torch raises a RuntimeError at the
first step.  The check runs a small LSTM once per process.
"""

import warnings
from functools import cache

import torch

from imagemusic.errors import ImageMusicWarning

FLOAT32, MIXED_BFLOAT16 = "32-true", "bf16-mixed"  # as lightning names them


@cache
def cpu_dtype() -> torch.dtype:
    """Return the dtype of mixed-precision training on the CPU: bfloat16, or float32 with one warning."""
    weights = [torch.zeros(shape, requires_grad=True) for shape in ((4, 1), (4, 1), (4,), (4,))]
    state = [torch.zeros(1, 1, 1), torch.zeros(1, 1, 1)]
    try:
        with torch.autocast("cpu", torch.bfloat16):
            outputs = torch.lstm(torch.zeros(1, 1, 1), state, weights, True, 1, 0.0, True, False, False)[0]
        outputs.sum().backward()
    except RuntimeError:
        message = "this processor runs no bfloat16 LSTM; training in float32"
        warnings.warn(message, ImageMusicWarning, stacklevel=2)
        return torch.float32
    return torch.bfloat16


def cpu_autocast() -> torch.autocast:
    """Return a context manager that runs the forward pass on the CPU in `cpu_dtype`."""
    dtype = cpu_dtype()
    return torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16)


def runnable_precision(precision: str, accelerator: str) -> str:
    """Return lightning's `precision`, with float32 in place of mixed bfloat16 on a CPU that cannot run it."""
    on_cpu = accelerator == "cpu" or (accelerator == "auto" and not torch.accelerator.is_available())
    if precision == MIXED_BFLOAT16 and on_cpu and cpu_dtype() == torch.float32:
        return FLOAT32
    return precision
