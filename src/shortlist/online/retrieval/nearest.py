"""Searching an index with one vector for each query: what every such source does alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import clear_rows, count, holds
from shortlist.core.jit import kernel
from shortlist.index.contract import Index
from shortlist.online.live.vectors import NO_ROWS, LiveVectors
from shortlist.online.marks import Marks
from shortlist.online.query import Query
from shortlist.online.retrieval.contract import NOTHING, Found

OVERFETCH = 128
"""Up to this many banned rows a search asks for as many more, and lets all queries share a call."""


class NearestSource(ABC):
    """Finds the items nearest to the vector that a subclass makes of each query."""

    def __init__(self, name: str, index: Index, live: LiveVectors | None = None) -> None:
        self.name = name
        self._index = index
        self._live = live

    @abstractmethod
    def _encode(self, queries: Sequence[Query]) -> tuple[NDArray[np.float32], list[int]]:
        """A vector for each query, and which queries have one that is not zero."""

    def search(self, queries: Sequence[Query], k: int, marks: Marks) -> list[Found]:
        """See `Source.search`. Queries without a filter are answered in one index call."""
        answers = [NOTHING] * len(queries)
        vectors, known = self._encode(queries)
        replaced = self._live.replaced if self._live is not None else NO_ROWS
        shared = [
            i
            for i in known
            if not queries[i].filtered and len(queries[i].banned) + len(replaced) <= OVERFETCH
        ]
        again = [i for i in known if i not in set(shared)]
        if shared:
            more = max(len(queries[i].banned) for i in shared) + len(replaced)
            asked = min(k + more, len(self._index))
            rows, scores = self._index.search(vectors[shared], asked)
            for position, i in enumerate(shared):
                token = marks.ban(_banned(queries[i], replaced))
                answers[i] = _keep(
                    rows[position], scores[position], queries[i].allow, marks.stamp, token, k
                )
                if len(answers[i][0]) < k and asked < len(self._index):
                    again.append(i)
        for i in again:
            answers[i] = self._filtered(queries[i], vectors[i : i + 1], k, replaced)
        if self._live is not None and len(self._live):
            for i in known:
                query = queries[i]
                answers[i] = self._live.join(answers[i], vectors[i], k, query.allow, query.banned)
        return answers

    def _filtered(
        self, query: Query, vector: NDArray[np.float32], k: int, replaced: NDArray[np.int32]
    ) -> Found:
        allow = query.allow.copy()
        clear_rows(allow, _banned(query, replaced))
        rows, scores = self._index.search(vector, min(k, count(allow)), allow)
        found = rows[0] >= 0
        return rows[0][found], scores[0][found]


def _banned(query: Query, replaced: NDArray[np.int32]) -> NDArray[np.int32]:
    """The rows that the index must not find; what stands in for replaced ones joins later."""
    return np.concatenate([query.banned, replaced]) if len(replaced) else query.banned


@kernel
def _keep(
    rows: NDArray[np.int32],
    scores: NDArray[np.float32],
    allow: NDArray[np.uint8],
    stamp: NDArray[np.int32],
    token: int,
    k: int,
) -> Found:
    kept_rows = np.empty(k, np.int32)
    kept_scores = np.empty(k, np.float32)
    n = 0
    for i in range(len(rows)):
        row = rows[i]
        if n == k or row < 0:
            break
        if holds(allow, row) and stamp[row] != token:
            kept_rows[n] = row
            kept_scores[n] = scores[i]
            n += 1
    return kept_rows[:n], kept_scores[:n]
