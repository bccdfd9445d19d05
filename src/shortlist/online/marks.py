"""`Marks`: membership of catalogue rows by stamping, without sets, sorting or clearing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel


class Marks:
    """A stamp for each catalogue row; a row is fresh while its stamp is below the token.

    `ban` starts a new generation in which nothing but its rows is marked. Kernels mark a row as
    placed with `token + 1`, so `stamp[row] < token` means "neither banned nor placed".
    """

    def __init__(self, n: int) -> None:
        self.stamp: NDArray[np.int32] = np.zeros(n, np.int32)
        self.place: NDArray[np.int32] = np.zeros(n, np.int32)
        self._token = 0

    def grow(self, n: int) -> None:
        """Have room for n rows at least; for more, where it has to move."""
        more = n - len(self.stamp)
        if more > 0:
            room = np.zeros(max(more, len(self.stamp) // 8), np.int32)
            self.stamp = np.concatenate([self.stamp, room])
            self.place = np.concatenate([self.place, room])

    def ban(self, rows: NDArray[np.int32]) -> int:
        """Mark rows (negative ones are passed over) and return the token of this generation."""
        if self._token >= np.iinfo(np.int32).max - 4:
            self.stamp.fill(0)
            self._token = 0
        self._token += 2
        _stamp(self.stamp, rows, self._token)
        return self._token


@kernel
def _stamp(stamp: NDArray[np.int32], rows: NDArray[np.int32], token: int) -> None:
    for row in rows:
        if row >= 0:
            stamp[row] = token
