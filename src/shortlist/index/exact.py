"""`ExactIndex`: every vector is looked at. For small catalogues, and the oracle of the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import Bitmap
from shortlist.index.files import describe
from shortlist.index.vectors import VectorTable


class ExactIndex:
    """The true nearest neighbours by a scan of the matrix.

    Equal scores are ordered by catalogue row. The queries of a batch are shared among `threads`.
    """

    kind = "exact"
    exact = True

    def __init__(self, table: VectorTable, threads: int = 1) -> None:
        self.dim = table.dim
        self.threads = threads
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
    def load(cls, folder: Path, threads: int = 1) -> ExactIndex:
        """Open what `save` wrote, memory-mapped."""
        return cls(VectorTable.load(folder), threads)

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
        allowed = len(table) if allow is None else table.count(allow)
        return table.scan(queries, k, allow, allowed, self.threads)

    def vectors_of(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """Vectors of catalogue rows; zeros for rows without one."""
        return self._table.vectors_of(rows)

    def save(self, folder: Path) -> None:
        """Write the index into a folder, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        self._table.save(folder)
        describe(folder, self.kind, self.dim, len(self), {})
