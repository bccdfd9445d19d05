"""`Memo`: what a function makes of a text, as quick to ask for as a value of a dictionary."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

MOST = 1 << 17
LONGEST = 64
"""Longer texts are not remembered: few come again, and they would take the memory."""

Result = TypeVar("Result")


class Memo(dict[str, Result]):
    """Text → what a function makes of it; `memo[text]` asks the function where it must.

    `map(memo.__getitem__, texts)` runs no Python for texts that were met. A full memo is emptied:
    words follow Zipf's law, so that what matters is back at once. Safe for threads, as the
    function is pure: one of two may work for nothing.

    Args:
        make: the function; what it returns is shared.
        most: how many results are kept.
    """

    def __init__(self, make: Callable[[str], Result], most: int = MOST) -> None:
        super().__init__()
        self._make, self._most = make, most

    def __missing__(self, text: str) -> Result:
        result = self._make(text)
        if len(text) <= LONGEST:
            if len(self) >= self._most:
                self.clear()
            self[text] = result
        return result
