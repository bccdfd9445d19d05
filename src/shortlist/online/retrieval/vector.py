"""Nearest items to the mean vector of the items a user came from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel
from shortlist.online.query import Query
from shortlist.online.retrieval.nearest import NearestSource

SEEDS = 30
DECAY = 0.8


class VectorSource(NearestSource):
    """Searches an index with the decayed mean of the seeds' vectors."""

    def _encode(self, queries: Sequence[Query]) -> tuple[NDArray[np.float32], list[int]]:
        """A vector for each query, and which queries have one that is not zero."""
        every = (q.seeds if q.live_seeds is None else q.live_seeds for q in queries)
        seeds = [rows[:SEEDS] for rows in every]
        offsets = np.zeros(len(seeds) + 1, np.int64)
        np.cumsum([len(rows) for rows in seeds], out=offsets[1:])
        rows = np.concatenate(seeds)
        vectors = self._index.vectors_of(rows)
        if self._live is not None:
            vectors = self._live.over(rows, vectors)
        out = np.zeros((len(queries), self._index.dim), np.float32)
        known = _mean(vectors, offsets, DECAY, out)
        return out, np.flatnonzero(known).tolist()


@kernel
def _mean(
    vectors: NDArray[np.float32],
    offsets: NDArray[np.int64],
    decay: float,
    out: NDArray[np.float32],
) -> NDArray[np.bool_]:
    """Decayed means of consecutive vectors; zero vectors (items without one) do not count."""
    known = np.zeros(len(out), np.bool_)
    for i in range(len(out)):
        weight = np.float32(1)
        total = np.float32(0)
        for j in range(offsets[i], offsets[i + 1]):
            filled = False
            for d in range(vectors.shape[1]):
                filled = filled or vectors[j, d] != 0
            if filled:
                for d in range(vectors.shape[1]):
                    out[i, d] += weight * vectors[j, d]
                total += weight
            weight *= np.float32(decay)
        if total > 0:
            known[i] = True
            for d in range(vectors.shape[1]):
                out[i, d] /= total
    return known
