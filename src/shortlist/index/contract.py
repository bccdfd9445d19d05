"""What every index of vectors promises. Similarity is the dot product, larger is nearer."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import Bitmap


class Index(Protocol):
    """A built index; immutable, memory-mapped, safe to search from several threads."""

    kind: str
    exact: bool
    """Whether it returns the true nearest neighbours."""
    dim: int

    def __len__(self) -> int:
        """How many vectors it holds."""
        ...

    def search(
        self, queries: NDArray[np.float32], k: int, allow: Bitmap | None = None
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The k nearest vectors of each query.

        Args:
            queries: `float32[q, dim]`.
            k: how many.
            allow: a bitmap over catalogue rows; only set rows are returned. However few are set,
                the answer holds as many of them as there are, up to k.

        Returns:
            rows `int32[q, k]` (catalogue rows; -1 past the last) and scores `float32[q, k]`,
            descending (-inf past the last).
        """
        ...

    def vectors_of(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """Vectors of catalogue rows at half precision or better, `float32[len(rows), dim]`.

        Zeros for rows (or -1) that have no vector.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write the index into a folder, which is made."""
        ...
