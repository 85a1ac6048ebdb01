"""BLAS on one thread while a piece is composed.

The heads are small products, for which threads wait longer than they work, and the way in which threads share a sum
changes its last bits.  A piece would differ from machine to machine, and with whether numpy was imported first.
"""

from contextlib import AbstractContextManager
from functools import cache

from threadpoolctl import ThreadpoolController


@cache
def _controller() -> ThreadpoolController:
    import numpy as np  # noqa: F401  its BLAS must be loaded to be found

    return ThreadpoolController()


def one_blas_thread() -> AbstractContextManager[object]:
    """Return a context in which products of numpy run on one thread."""
    return _controller().limit(limits=1, user_api="blas")
