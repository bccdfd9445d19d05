"""A cache with a memory budget: every cache in the system is one of these."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BudgetedCache(Generic[K, V]):
    """Least recently used values up to a number of bytes.

    Args:
        budget: bytes that the values may take together. A value larger than that is not kept.
        size: bytes of one value.
    """

    def __init__(self, budget: int, size: Callable[[V], int]) -> None:
        self.budget = budget
        self.used = 0
        self.hits = 0
        self.misses = 0
        self._size = size
        self._values: OrderedDict[K, V] = OrderedDict()
        self._lock = Lock()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value under the key, made and kept if it is not there."""
        with self._lock:
            if key in self._values:
                self.hits += 1
                self._values.move_to_end(key)
                return self._values[key]
        self.misses += 1
        value = make()
        size = self._size(value)
        if size > self.budget:
            return value
        with self._lock:
            if key not in self._values:
                self._values[key] = value
                self.used += size
            while self.used > self.budget:
                _, dropped = self._values.popitem(last=False)
                self.used -= self._size(dropped)
        return value

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._values.clear()
            self.used = 0

    def __len__(self) -> int:
        return len(self._values)
