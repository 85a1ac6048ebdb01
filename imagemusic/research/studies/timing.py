"""Clocks that the benchmarks share."""

import time
from collections.abc import Callable
from statistics import median


def seconds_each(work: Callable[[], object], repeats: int) -> float:
    """Median seconds of a call, after one that is not counted."""
    work()
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return median(taken)
