"""A user folded into a factorisation at the request, and the items nearest to them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel
from shortlist.core.ridge import fold_in
from shortlist.index.contract import Index
from shortlist.online.query import Query
from shortlist.online.retrieval.nearest import NearestSource
from shortlist.release.artefacts import ItemFactors


class FactorsSource(NearestSource):
    """Searches an index with the vector that a history solves for."""

    def __init__(self, name: str, factors: ItemFactors, index: Index) -> None:
        super().__init__(name, index)
        self._factors = factors
        self._gram = factors.gram.astype(np.float64)
        self._powers = (factors.decay ** np.arange(factors.reach)).astype(np.float32)
        size = len(factors.gram)
        self._system = np.empty((size, size))
        self._side = np.empty(size)

    def _encode(self, queries: Sequence[Query]) -> tuple[NDArray[np.float32], list[int]]:
        factors = self._factors
        seeds = [query.seeds[: factors.reach] for query in queries]
        offsets = np.zeros(len(seeds) + 1, np.int64)
        np.cumsum([len(rows) for rows in seeds], out=offsets[1:])
        out = np.zeros((len(queries), self._index.dim), np.float32)
        known = _fold(
            self._index.vectors_of(np.concatenate(seeds)),
            offsets,
            self._powers,
            self._gram,
            factors.regularisation,
            factors.unseen,
            factors.power,
            self._system,
            self._side,
            out,
        )
        return out, np.flatnonzero(known).tolist()


@kernel
def _fold(
    vectors: NDArray[np.float32],
    offsets: NDArray[np.int64],
    powers: NDArray[np.float32],
    gram: NDArray[np.float64],
    regularisation: float,
    unseen: float,
    power: float,
    system: NDArray[np.float64],
    side: NDArray[np.float64],
    out: NDArray[np.float32],
) -> NDArray[np.bool_]:
    """Fold each history in; zero vectors (items without one) do not count."""
    known = np.zeros(len(out), np.bool_)
    there = np.empty((len(powers), vectors.shape[1]), np.float32)
    weights = np.empty(len(powers), np.float32)
    for i in range(len(out)):
        n = 0
        for j in range(offsets[i], offsets[i + 1]):
            if np.any(vectors[j] != 0):
                there[n] = vectors[j]
                weights[n] = powers[j - offsets[i]]
                n += 1
        if n > 0:
            known[i] = True
            cost = regularisation * (n + unseen) ** power
            fold_in(there[:n], weights[:n], gram + cost + 1e-9, system, side, out[i])
    return known
