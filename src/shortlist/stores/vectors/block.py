"""`Block`: rows that are not in a segment yet, in memory, scanned exactly."""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import Bitmap, full
from shortlist.core.catalogue import Column
from shortlist.index.exact import ExactIndex
from shortlist.index.vectors import VectorTable
from shortlist.stores.vectors.columns import column
from shortlist.stores.vectors.contract import Attribute, StoreSchema
from shortlist.stores.vectors.metric import Floats, indexed
from shortlist.stores.vectors.rows import Rows

CAPACITY = 2048
"""Rows of a block: few, because the columns of the one that grows are made anew at each change."""

_NO_ROWS = np.empty(0, np.int32)
_names = count()


class Block:
    """Up to `CAPACITY` rows. It only grows; a reader that knows its first n rows sees just those.

    Attributes:
        name: unlike that of any other block or segment of the process.
        sequences: `int64[CAPACITY]`, ascending up to `size`.
        size: how many rows it holds.
    """

    def __init__(self, schema: StoreSchema) -> None:
        self.name = f"block-{next(_names)}"
        self.size = 0
        self.sequences = np.zeros(CAPACITY, np.int64)
        self._schema = schema
        self._ids: list[str] = []
        self._held: dict[str, Floats] = {}
        self._values: dict[str, list[Attribute]] = {name: [] for name in schema.attributes}
        self._columns: dict[str, tuple[int, Column]] = {}
        self._indexes: dict[str, ExactIndex] = {}

    def append(self, rows: Rows, start: int) -> int:
        """Add rows from a place on, as many as fit; how many that were."""
        begin, stop = self.size, min(CAPACITY, self.size + len(rows) - start)
        some = slice(start, start + stop - begin)
        for field in self._schema.fields:
            held = indexed(rows.vectors[field.name][some], field.metric)
            if field.name not in self._held:
                self._held[field.name] = np.empty((CAPACITY, held.shape[1]), np.float32)
            self._held[field.name][begin:stop] = held
        self.sequences[begin:stop] = rows.sequences[some]
        self._ids += rows.ids[some]
        for name, values in self._values.items():
            values.extend(rows.attributes[name][some])
        self.size = stop
        return stop - begin

    def ids(self, rows: NDArray[Any]) -> list[str]:
        """The ids at rows."""
        return [self._ids[row] for row in rows.tolist()]

    def held(self, field: str, rows: NDArray[Any]) -> Floats:
        """The vectors at rows as indexes hold them."""
        return np.asarray(self._held[field][rows])

    def column(self, name: str, n: int) -> Column:
        """An attribute of the first n rows."""
        made = self._columns.get(name)
        if made is None or made[0] != n:
            made = (n, column(self._schema.attributes[name], self._values[name][:n]))
            self._columns[name] = made
        return made[1]

    def search(
        self, field: str, queries: Floats, k: int, n: int, allow: Bitmap | None
    ) -> tuple[NDArray[np.int32], Floats]:
        """The rows with the largest products, of the first n, scanned on the caller's thread.

        Args:
            field: the vector field.
            queries: `float32[q, width]`, as indexes are asked them.
            k: how many.
            n: rows that are looked at.
            allow: bitmap of the rows that are allowed.

        Returns:
            rows `int32[q, min(k, n)]` and products of that shape, -inf past the last allowed.
        """
        made = self._indexes.get(field)
        if made is None or len(made) != n:
            # Not built as indexes are: that looks at every number, at every write.
            made = ExactIndex(VectorTable(self._held[field][:n], _NO_ROWS, _NO_ROWS, full(n)))
            self._indexes[field] = made
        return made.search(queries, min(k, n), allow)
