"""`Columns`: a feature matrix whose repeated values are kept once.

Most features say something about the request's user or about an item at an hour, and repeat over
hundreds of rows. Here a column is kept once per request, once per item, or once per item and hour,
wherever that is exactly what it is; rows refer to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist.core.times import HOUR


@dataclass(frozen=True)
class Table:
    """Columns of one kind of entity.

    Attributes:
        lines: `int64[k]`, which columns of the matrix.
        reference: `int32[n]`, the entity of each row.
        values: `float32[k, entities]`.
    """

    lines: NDArray[np.int64]
    reference: NDArray[np.int32]
    values: NDArray[np.float32]


@dataclass(frozen=True)
class Columns:
    """A matrix `float32[f, n]` without its repetitions.

    Attributes:
        shape: (f, n).
        tables: every column is in exactly one.
        wide: `float32[k, n]`, columns that are different for every row.
        wide_lines: `int64[k]`, which they are.
    """

    shape: tuple[int, int]
    tables: tuple[Table, ...]
    wide: NDArray[np.float32]
    wide_lines: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        x: NDArray[np.float32],
        request: NDArray[np.int64],
        item: NDArray[np.int32],
        time: NDArray[np.int64],
    ) -> Columns:
        """Take a matrix apart; nothing is lost.

        Args:
            x: `float32[f, n]`.
            request: `int64[n]`, the number of each row's request.
            item: `int32[n]`, each row's item.
            time: `int64[n]`, the instant of each row's request, microseconds.
        """
        left = np.arange(len(x))
        tables = []
        hours = time // HOUR
        hours = hours - hours.min(initial=0)
        span = int(hours.max(initial=0)) + 1
        for keys in (request, item.astype(np.int64), item * np.int64(span) + hours):
            _, first, place = np.unique(keys, return_index=True, return_inverse=True)
            if 2 * len(first) > len(keys):
                continue  # the references would take what the table saves
            same = np.array([bool((x[f] == x[f][first][place]).all()) for f in left], np.bool_)
            lines = left[same]
            if len(lines):
                tables.append(Table(lines, place.astype(np.int32), x[lines][:, first]))
                left = left[~same]
        return cls(x.shape, tuple(tables), np.ascontiguousarray(x[left]), left)

    @property
    def bytes(self) -> int:
        """What it takes."""
        told = sum(table.reference.nbytes + table.values.nbytes for table in self.tables)
        return told + self.wide.nbytes

    @property
    def flat_bytes(self) -> int:
        """What the matrix takes."""
        return 4 * self.shape[0] * self.shape[1]

    def matrix(self) -> NDArray[np.float32]:
        """The matrix, `float32[f, n]`."""
        out = np.empty(self.shape, np.float32)
        out[self.wide_lines] = self.wide
        for table in self.tables:
            for line, values in zip(table.lines, table.values, strict=True):
                np.take(values, table.reference, out=out[line])
        return out
