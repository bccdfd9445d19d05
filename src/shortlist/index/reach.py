"""How many lists of an inverted file a filtered query must visit.

A few vectors of each list stand for all of them: held against a filter's bitmap they say about how
many allowed vectors the list holds, for a fraction of the cost of a look at every one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import Bitmap, holds
from shortlist.core.jit import kernel

_PER_LIST = 32


@dataclass(frozen=True)
class ListSample:
    """Some vectors of each list.

    Attributes:
        sizes: `int32[lists]`, how many vectors each list holds.
        rows: `int32[lists, 32]`, catalogue rows drawn from it without repetition; -1 past the last.
    """

    sizes: NDArray[np.int32]
    rows: NDArray[np.int32]

    def __post_init__(self) -> None:
        for name in ("sizes", "rows"):  # as mapped ones are: a kernel is compiled once
            view = getattr(self, name).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    @classmethod
    def of(cls, coarse: Any, random: np.random.Generator) -> ListSample:
        """Draw from the lists of a faiss inverted file whose ids are catalogue rows."""
        lists = coarse.invlists
        sizes = np.array([lists.list_size(i) for i in range(coarse.nlist)], np.int32)
        rows = np.full((coarse.nlist, _PER_LIST), -1, np.int32)
        for i in np.flatnonzero(sizes):
            ids = faiss.rev_swig_ptr(lists.get_ids(int(i)), int(sizes[i]))
            drawn = random.choice(len(ids), min(_PER_LIST, len(ids)), replace=False)
            rows[i, : len(drawn)] = ids[drawn]
        return cls(sizes, rows)

    def allowed(self, allow: Bitmap) -> NDArray[np.float32]:
        """About how many vectors of each list a bitmap allows, `float32[lists]`."""
        bitmap = allow.view()
        bitmap.flags.writeable = False
        return _allowed(self.sizes, self.rows, bitmap)


@kernel
def _allowed(
    sizes: NDArray[np.int32], rows: NDArray[np.int32], allow: Bitmap
) -> NDArray[np.float32]:
    held = np.zeros(len(sizes), np.float32)
    for i in range(len(sizes)):
        drawn, passed = 0, 0
        for j in range(rows.shape[1]):
            row = rows[i, j]
            if row < 0:
                break
            drawn += 1
            if holds(allow, row):
                passed += 1
        if drawn:
            held[i] = np.float32(sizes[i]) * np.float32(passed) / np.float32(drawn)
    return held


@kernel
def fewest_lists(order: NDArray[np.int64], held: NDArray[np.float32], wanted: float) -> int:
    """How many of the lists, in the order given, hold what is wanted together; -1 if all do not."""
    total = 0.0
    for i in range(len(order)):
        if order[i] >= 0:
            total += held[order[i]]
        if total >= wanted:
            return i + 1
    return -1
