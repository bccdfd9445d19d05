"""Vectors of items written since the release, searched exactly beside a retriever's index."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import Bitmap, holds
from shortlist.core.jit import kernel
from shortlist.core.order import best_first
from shortlist.index import kernels

Found = tuple[NDArray[np.int32], NDArray[np.float32]]
"""As `online.retrieval.contract.Found`, which imports this."""
NO_ROWS: NDArray[np.int32] = np.empty(0, np.int32)


class LiveVectors:
    """Vectors by row; a zero vector says that the item has none.

    Args:
        dim: the length of a vector.
        items: rows of the release; vectors of these stand in for those of the index.
    """

    def __init__(self, dim: int, items: int) -> None:
        self._items = items
        self._places: dict[int, int] = {}
        self._rows: NDArray[np.int32] = np.empty(64, np.int32)
        self._matrix: NDArray[np.float32] = np.empty((64, dim), np.float32)
        self._replaced: set[int] = set()
        self._array: NDArray[np.int32] | None = NO_ROWS
        nothing: Bitmap = np.zeros(1, np.uint8)  # compiles, so that no first write waits
        _scan(np.zeros(dim, np.float32), self._matrix[:0], NO_ROWS, nothing, self._matrix[0, :0])

    def __len__(self) -> int:
        return len(self._places)

    @property
    def replaced(self) -> NDArray[np.int32]:
        """`int32[m]`, rows of the release whose vectors in the index no longer hold."""
        if self._array is None:
            self._array = np.array(sorted(self._replaced), np.int32)
        return self._array

    def set(self, row: int, vector: NDArray[np.float32]) -> None:
        """The vector of a row."""
        place = self._places.setdefault(row, len(self._places))
        if place == len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
            self._matrix = np.concatenate([self._matrix, np.empty_like(self._matrix)])
        if row < self._items:
            self._replaced.add(row)
            self._array = None
        self._rows[place] = row
        self._matrix[place] = vector

    def restore(self, row: int) -> None:
        """Let the index answer for a row of the release again."""
        place = self._places.get(row)
        if place is not None:
            self._matrix[place] = 0
            self._replaced.discard(row)
            self._array = None

    def over(self, rows: NDArray[np.int32], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """What an index gives for rows, `float32[n, dim]`, with the newer vectors in place."""
        if self._places:
            for i, row in enumerate(rows.tolist()):
                place = self._places.get(row)
                if place is not None and (row >= self._items or row in self._replaced):
                    vectors[i] = self._matrix[place]
        return vectors

    def join(
        self,
        found: Found,
        vector: NDArray[np.float32],
        k: int,
        allow: Bitmap,
        banned: NDArray[np.int32],
    ) -> Found:
        """The k best of what the index found and of the vectors here, by score, best first."""
        n = len(self._places)
        if not n:
            return found
        scores = np.empty(n, np.float32)
        kept = _scan(np.ascontiguousarray(vector), self._matrix[:n], self._rows[:n], allow, scores)
        if len(banned):
            kept &= ~np.isin(self._rows[:n], banned)
        rows = np.concatenate([found[0], self._rows[:n][kept]])
        joined = np.concatenate([found[1], scores[kept]])
        best = best_first(joined, k)
        return rows[best], joined[best]


@kernel
def _scan(
    vector: NDArray[np.float32],
    matrix: NDArray[np.float32],
    rows: NDArray[np.int32],
    allow: Bitmap,
    scores: NDArray[np.float32],
) -> NDArray[np.bool_]:
    """The dot products with the vectors that are allowed and not zero, and which those are."""
    kept = np.zeros(len(rows), np.bool_)
    for i in range(len(rows)):
        if holds(allow, rows[i]) and np.any(matrix[i] != 0):
            scores[i] = kernels.dot(vector, matrix, i)
            kept[i] = True
    return kept
