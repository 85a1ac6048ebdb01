"""A cache for threads that wait for one another's results instead of repeating a request."""

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import Generic, TypeVar

Kept = TypeVar("Kept")


class OnceCache(Generic[Kept]):
    """A cache of the latest `size` values that calls `make` once per key, also from several threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._made: OrderedDict[str, Future[Kept]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: str, make: Callable[[], Kept]) -> Kept:
        """Return the cached value of `key`, or make it; an exception is cached too."""
        with self._lock:
            mine = key not in self._made
            future = self._made.setdefault(key, Future())
            self._made.move_to_end(key)
            if len(self._made) > self._size:
                self._made.popitem(last=False)
        if mine:
            try:
                future.set_result(make())
            except BaseException as error:
                future.set_exception(error)
        return future.result()
