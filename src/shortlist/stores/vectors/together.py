"""One search of several segments whose lists share their clusters and codes.

The clusters are ranked once, scores by codes can be compared across segments, and only the best
of all of them are scored again: several segments cost little more than one would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from shortlist.stores.vectors.lists import Lists
from shortlist.stores.vectors.metric import Floats

_BATCH = 16
"""Queries per faiss call: from 20 on it ranks clusters by BLAS, whose sums round differently."""

_SHARES, _LEAST = 3, 64
"""A segment is asked for so many times its share of the candidates, and for some more."""

Found = tuple[NDArray[np.int32], Floats]
"""Rows and products, `[q, k]`; -1 and -inf past the last."""


@dataclass(frozen=True)
class Kin:
    """A segment of a family.

    Attributes:
        lists: its lists.
        dead: `bool[n]`, rows that are gone; None for none.
        alive: how many are not.
        tuned: how many rows its settings were chosen for.
    """

    lists: Lists
    dead: NDArray[np.bool_] | None
    alive: int
    tuned: int


def search_together(kin: Sequence[Kin], queries: Floats, k: int) -> list[Found] | None:
    """The k nearest of each query in a family.

    Args:
        kin: its segments, at least one.
        queries: `float32[q, width]`, as indexes are asked them.
        k: how many.

    Returns:
        What is the family's nearest, by segment; each of at most `min(k, n)`. None where so many
        of the nearest are gone that a search which knows them must be made.
    """
    faiss.omp_set_num_threads(1)  # OpenMP keeps it for each calling thread
    parts = []
    for start in range(0, len(queries), _BATCH):
        some = _search(kin, queries[start : start + _BATCH], k)
        if some is None:
            return None
        parts.append(some)
    if len(parts) == 1:
        return parts[0]
    return [
        (
            np.concatenate([part[i][0] for part in parts]),
            np.concatenate([part[i][1] for part in parts]),
        )
        for i in range(len(kin))
    ]


def _search(kin: Sequence[Kin], queries: Floats, k: int) -> list[Found] | None:
    settled = max(kin, key=lambda one: one.tuned)
    total = sum(one.alive for one in kin)
    # In a family that has grown, so many more rows lie as near as codes can tell apart.
    depth = int(settled.lists.depth(k) * max(1.0, total / settled.tuned))
    nearest = settled.lists.nearest_lists(queries, settled.lists.probes(k, total))
    rows, scores = [], []
    lost = np.zeros(len(queries), np.int64)
    for one in kin:
        n = len(one.lists)
        share = min(depth, 2 * k + _LEAST + _SHARES * depth * one.alive // total)
        score, found = one.lists.approximate(
            queries, nearest, min(n, share * n // max(one.alive, 1))
        )
        if one.dead is not None:
            gone = (found >= 0) & one.dead[found]
            found[gone] = -1
            lost += gone.sum(axis=1)
        rows.append(found)
        scores.append(np.where(found < 0, np.float32(-np.inf), score))
    every = np.concatenate(scores, axis=1)
    left = (every > -np.inf).sum(axis=1)
    if (left < min(k, total)).any() or ((left < depth // 2) & (lost > left)).any():
        return None
    if every.shape[1] > depth:
        least = np.partition(every, -depth, axis=1)[:, -depth, None]
        for place, score in enumerate(scores):
            rows[place][score < least] = -1
    return [
        one.lists.refined(queries, mine, min(k, len(one.lists)))
        for one, mine in zip(kin, rows, strict=True)
    ]
