"""Neighbours of the items a user came from, added up over them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import Bitmap, holds
from shortlist.core.jit import kernel
from shortlist.core.order import best_first
from shortlist.online.marks import Marks
from shortlist.online.query import Query
from shortlist.online.retrieval.contract import Found
from shortlist.release.artefacts import ItemToItem


class ItemToItemSource:
    """Adds the scores of the seeds' neighbours, newer seeds counting more."""

    def __init__(self, name: str, map: ItemToItem) -> None:
        self.name = name
        self._map = map
        self._sums = np.zeros(len(map.neighbours), np.float32)
        self._touched = np.empty(map.reach * map.neighbours.shape[1], np.int32)

    def search(self, queries: Sequence[Query], k: int, marks: Marks) -> list[Found]:
        """See `Source.search`."""
        return [self._one(query, k, marks) for query in queries]

    def _one(self, query: Query, k: int, marks: Marks) -> Found:
        token = marks.ban(query.banned)
        n = _add(
            self._map.neighbours,
            self._map.scores,
            query.seeds[: self._map.reach],
            self._map.decay,
            query.allow,
            marks.stamp,
            token,
            self._sums,
            self._touched,
        )
        rows, sums = _collect(self._touched[:n], self._sums)
        best = best_first(sums, k)
        return rows[best], sums[best]


@kernel
def _add(
    neighbours: NDArray[np.int32],
    scores: NDArray[np.float32],
    seeds: NDArray[np.int32],
    decay: float,
    allow: Bitmap,
    stamp: NDArray[np.int32],
    token: int,
    sums: NDArray[np.float32],
    touched: NDArray[np.int32],
) -> int:
    n = 0
    weight = 1.0
    for seed in seeds:
        for j in range(neighbours.shape[1]):
            row = neighbours[seed, j]
            if row < 0:
                break
            if stamp[row] < token:
                if not holds(allow, row):
                    continue
                stamp[row] = token + 1
                touched[n] = row
                n += 1
            elif stamp[row] == token:
                continue
            sums[row] += np.float32(weight * scores[seed, j])
        weight *= decay
    return n


@kernel
def _collect(touched: NDArray[np.int32], sums: NDArray[np.float32]) -> Found:
    """Take the sums of touched rows out, leaving zeros."""
    rows = touched.copy()
    out = np.empty(len(rows), np.float32)
    for i in range(len(rows)):
        out[i] = sums[rows[i]]
        sums[rows[i]] = 0
    return rows, out
