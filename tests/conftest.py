import os

import numpy as np
import pytest

os.environ.setdefault("MPLBACKEND", "Agg")  # no test opens a window

try:
    import torch
except ImportError:  # the core alone is installed
    torch = None
else:
    # Tiny tensors on many threads spend their time waiting for each other.
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def fixed_seed():
    np.random.seed(0)
    if torch is not None:
        torch.manual_seed(0)
