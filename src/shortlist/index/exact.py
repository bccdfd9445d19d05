"""`ExactIndex`: every vector is looked at. For small catalogues, and the oracle of the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import Bitmap
from shortlist.index.files import describe
from shortlist.index.vectors import VectorTable


class ExactIndex:
    """The true nearest neighbours by a scan of the matrix, on the caller's thread.

    Equal scores are ordered by catalogue row.
    """

    kind = "exact"
    exact = True

    def __init__(self, table: VectorTable) -> None:
        self.dim = table.dim
        self._table = table

    @classmethod
    def build(cls, rows: NDArray[np.int32], vectors: NDArray[np.floating]) -> ExactIndex:
        """Index `vectors[m, dim]` of ascending catalogue `rows[m]`.

        float16 vectors are kept as they are, others as float32.

        Raises:
            DataError: see `VectorTable.of`.
        """
        dtype = np.float16 if vectors.dtype == np.float16 else np.float32
        return cls(VectorTable.of(rows, vectors, dtype))

    @classmethod
    def load(cls, folder: Path) -> ExactIndex:
        """Open what `save` wrote, memory-mapped."""
        return cls(VectorTable.load(folder))

    def __len__(self) -> int:
        return len(self._table)

    def search(
        self, queries: NDArray[np.float32], k: int, allow: Bitmap | None = None
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The k nearest vectors of each query; see `Index.search`.

        Raises:
            RequestError: queries are not finite `[q, dim]`, or k is below 0.
        """
        table = self._table
        queries = table.check(queries, k)
        return table.scan(queries, k, allow, 0 if allow is None else table.count(allow))

    def vectors_of(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """Vectors of catalogue rows; zeros for rows without one."""
        return self._table.vectors_of(rows)

    def save(self, folder: Path) -> None:
        """Write the index into a folder, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        self._table.save(folder)
        describe(folder, self.kind, self.dim, len(self), {})
