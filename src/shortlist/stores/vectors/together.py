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

from shortlist.core.jit import kernel
from shortlist.stores.vectors.lists import Lists
from shortlist.stores.vectors.metric import Floats

_BATCH = 16
"""Queries per faiss call: from 20 on it ranks clusters by BLAS, whose sums round differently."""

_SHARES, _LEAST = 3, 64
"""A segment is asked for so many times its share of the candidates, and for some more."""

_NONE = np.zeros(0, np.bool_)

Found = tuple[NDArray[np.int32], Floats]
"""Rows and products, `[q, k]`; -1 and -inf past the last."""


@dataclass(frozen=True)
class Kin:
    """A segment of a family.

    Attributes:
        lists: its lists.
        dead: `bool[n]`, rows that are gone; None for none.
        alive: how many are not.
    """

    lists: Lists
    dead: NDArray[np.bool_] | None
    alive: int


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
    lists = kin[0].lists
    total = sum(one.alive for one in kin)
    depth = lists.depth(k, total)
    nearest = lists.nearest_lists(queries, lists.probes(k, total))
    rows, scores = [], []
    lost = np.zeros(len(queries), np.int64)
    for one in kin:
        n = len(one.lists)
        share = min(depth, 2 * k + _LEAST + _SHARES * depth * one.alive // total)
        score, found = one.lists.approximate(
            queries, nearest, min(n, share * n // max(one.alive, 1))
        )
        _drop_dead(found, score, _NONE if one.dead is None else one.dead, lost)
        rows.append(found)
        scores.append(score)
    every = np.concatenate(scores, axis=1)
    left = (every > -np.inf).sum(axis=1)
    if (left < min(k, total)).any() or ((left < depth // 2) & (lost > left)).any():
        return None
    if every.shape[1] > depth:
        least = np.partition(every, -depth, axis=1)[:, -depth]
        for found, score in zip(rows, scores, strict=True):
            _drop_below(found, score, least)
    return [
        one.lists.refined(queries, mine, min(k, len(one.lists)))
        for one, mine in zip(kin, rows, strict=True)
    ]


@kernel
def _drop_dead(
    rows: NDArray[np.int64], scores: Floats, dead: NDArray[np.bool_], lost: NDArray[np.int64]
) -> None:
    """Forget the rows that are dead, -1 and -inf, and add how many each query has lost."""
    for q in range(rows.shape[0]):
        for i in range(rows.shape[1]):
            if len(dead) and rows[q, i] >= 0 and dead[rows[q, i]]:
                rows[q, i] = -1
                lost[q] += 1
            if rows[q, i] < 0:
                scores[q, i] = -np.inf


@kernel
def _drop_below(rows: NDArray[np.int64], scores: Floats, least: Floats) -> None:
    """Forget the rows of each query that score less."""
    for q in range(rows.shape[0]):
        for i in range(rows.shape[1]):
            if scores[q, i] < least[q]:
                rows[q, i] = -1
