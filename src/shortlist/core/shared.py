"""What is opened from the same bytes is opened once."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

from xxhash import xxh3_128_hexdigest

V = TypeVar("V")


class Shared(Generic[V]):
    """Objects by the content that they are made of, each kept for as long as anybody holds it."""

    def __init__(self) -> None:
        self._held: WeakValueDictionary[tuple[str, int], V] = WeakValueDictionary()
        self._lock = Lock()

    def get(self, content: bytes, make: Callable[[], V], variant: int = 0) -> V:
        """What is made of a content; made now if nobody holds it.

        Args:
            content: what it is made of.
            make: makes it.
            variant: those of different ones are different objects.
        """
        key = xxh3_128_hexdigest(content), variant
        with self._lock:
            found = self._held.get(key)
            if found is None:
                found = self._held[key] = make()
            return found
