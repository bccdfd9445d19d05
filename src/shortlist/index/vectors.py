"""`VectorTable`: the vectors of some catalogue rows, memory-mapped, and exact search over them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from shortlist.core.bitmap import Bitmap, full, pack
from shortlist.core.errors import DataError, ReleaseError, RequestError
from shortlist.core.vocabulary import open_array
from shortlist.index import kernels
from shortlist.index.threads import in_parts

_NO_ROWS = np.empty(0, np.int32)
_CHUNK = 65_536  # vectors checked and converted at a time


@dataclass(frozen=True)
class VectorTable:
    """Vectors by catalogue row.

    Attributes:
        matrix: `float32[m, d]`, or `uint16[m, d]`, the bits of a float16 matrix.
        rows: `int32[m]`, ascending, the catalogue row of each vector; empty when that is `i`.
        positions: `int32[max row + 1]`, the place of a row's vector, -1 for none; empty likewise.
        members: a bitmap of the rows that have a vector.
    """

    matrix: kernels.Matrix
    rows: NDArray[np.int32]
    positions: NDArray[np.int32]
    members: Bitmap

    def __post_init__(self) -> None:
        # Mapped arrays are read-only; when all are, each kernel is compiled once.
        for name in ("matrix", "rows", "positions", "members"):
            view = getattr(self, name).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self.matrix.shape[1])

    def __len__(self) -> int:
        return len(self.matrix)

    @classmethod
    def of(
        cls, rows: NDArray[np.int32], vectors: NDArray[np.floating], dtype: DTypeLike = np.float32
    ) -> VectorTable:
        """A table of `vectors[m, d]` of ascending `rows[m]`, kept as float32 or float16.

        Vectors that are contiguous and of that type already are not copied.

        Raises:
            DataError: the shapes do not fit, rows do not ascend, or a number is not finite in
                the precision that is kept.
        """
        if vectors.ndim != 2 or vectors.shape[1] == 0 or rows.shape != (len(vectors),):
            raise DataError(
                f"cannot index vectors of shape {vectors.shape} for rows of shape {rows.shape}.",
                remedy="Give one vector of at least one number per row.",
            )
        if len(rows) and (rows[0] < 0 or (rows[1:] <= rows[:-1]).any()):
            raise DataError(
                "the rows of the vectors do not ascend from 0.",
                remedy="Sort the vectors by catalogue row, each row once.",
            )
        same = vectors.dtype == dtype
        kept = np.ascontiguousarray(vectors) if same else np.empty(vectors.shape, dtype)
        for start in range(0, len(vectors), _CHUNK):
            part = kept[start : start + _CHUNK]
            if not same:
                with np.errstate(over="ignore"):
                    part[:] = vectors[start : start + _CHUNK]
            bad = ~np.isfinite(part).all(axis=1)
            if bad.any():
                row = int(rows[start + int(bad.argmax())])
                raise DataError(
                    f"the vector of catalogue row {row} has a number that is not finite in "
                    f"{kept.dtype}.",
                    remedy="Check the training for divergence, or scale the vectors down.",
                )
        matrix = kept.view(np.uint16) if kept.dtype == np.float16 else kept
        if len(rows) == 0 or rows[-1] == len(rows) - 1:
            return cls(matrix, _NO_ROWS, _NO_ROWS, full(len(rows)))
        positions = np.full(int(rows[-1]) + 1, -1, np.int32)
        positions[rows] = np.arange(len(rows), dtype=np.int32)
        return cls(matrix, rows.astype(np.int32), positions, pack(positions >= 0))

    def check(self, queries: NDArray[np.float32], k: int) -> NDArray[np.float32]:
        """The queries, contiguous.

        Raises:
            RequestError: they are not finite `[q, dim]`, or k is below 0.
        """
        if queries.ndim != 2 or queries.shape[1] != self.dim:
            raise RequestError(
                f"has shape {queries.shape}, and the index holds vectors of {self.dim}.",
                remedy=f"Send an array of shape (queries, {self.dim}).",
                where="queries",
            )
        if k < 0:
            raise RequestError(f"is {k}.", remedy="Ask for 0 or more.", where="k")
        flags = queries.flags
        if queries.dtype != np.float32 or not flags.c_contiguous or not flags.writeable:
            queries = np.require(queries, np.float32, ("C", "W"))
        if not kernels.is_finite(queries):
            bad = int((~np.isfinite(queries).all(axis=1)).argmax())
            raise RequestError(
                f"query {bad} has a number that is not finite.",
                remedy="Send finite numbers.",
                where="queries",
            )
        return queries

    def count(self, allow: Bitmap) -> int:
        """How many of the vectors a bitmap over catalogue rows allows."""
        return int(kernels.count_common(allow, self.members))

    def scan(
        self,
        queries: NDArray[np.float32],
        k: int,
        allow: Bitmap | None,
        allowed: int,
        threads: int = 1,
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The k nearest of every vector, or of the `allowed` ones (`count(allow)`), exactly.

        The queries are shared among the threads.
        """
        found = np.empty((len(queries), k), np.int32)
        scores = np.empty((len(queries), k), np.float32)
        chosen = np.empty(allowed if allow is not None else 0, np.int32)
        if allow is not None:
            kernels.chosen_positions(allow, self.members, self.positions, chosen)

        def part(some: slice, _: int) -> None:
            kernels.scan(
                queries[some],
                self.matrix,
                self.rows,
                allow is None,
                chosen,
                found[some],
                scores[some],
            )

        in_parts(part, len(queries), threads)
        return found, scores

    def vectors_of(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """`float32[len(rows), dim]`, zeros for rows that have no vector."""
        out = np.empty((len(rows), self.dim), np.float32)
        kernels.gather(self.matrix, self.positions, rows, out)
        return out

    def save(self, folder: Path) -> None:
        """Write `vectors.npy` and, where rows are not positions, `rows.npy`, `positions.npy`."""
        half = self.matrix.dtype == np.uint16
        np.save(folder / "vectors.npy", self.matrix.view(np.float16) if half else self.matrix)
        if len(self.rows):
            np.save(folder / "rows.npy", self.rows)
            np.save(folder / "positions.npy", self.positions)

    @classmethod
    def load(cls, folder: Path) -> VectorTable:
        """Open a saved table, memory-mapped.

        Raises:
            ReleaseError: a file is missing or damaged.
        """
        matrix = open_file(folder / "vectors.npy")
        if matrix.dtype == np.float16:
            matrix = matrix.view(np.uint16)
        if not (folder / "rows.npy").exists():
            return cls(matrix, _NO_ROWS, _NO_ROWS, full(len(matrix)))
        positions = open_file(folder / "positions.npy")
        return cls(matrix, open_file(folder / "rows.npy"), positions, pack(positions >= 0))


def open_file(path: Path) -> NDArray[Any]:
    """A saved array, memory-mapped.

    Raises:
        ReleaseError: it is missing or damaged.
    """
    try:
        return open_array(path)
    except (OSError, ValueError, EOFError) as error:
        raise ReleaseError(
            f"cannot be read as an array: {error}.",
            remedy="The file is missing or damaged; train again or roll back.",
            where=str(path),
        ) from error
