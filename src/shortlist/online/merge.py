"""Merge what the sources found into one list of candidates, every row once.

Order is by reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009): a row's fused score
is the sum over sources of 1 / (60 + rank), rank counted from 1. This is also the one place that
every path passes: a row that is not allowed, or is banned, does not get through.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import Bitmap, holds
from shortlist.core.jit import kernel
from shortlist.core.order import best_first
from shortlist.core.request import Candidates
from shortlist.online.marks import Marks
from shortlist.online.query import Query
from shortlist.online.retrieval.contract import Found
from shortlist.online.retrieval.popular import Filler

FUSION = 60


def merge(
    query: Query,
    found: Sequence[Found],
    sources: tuple[str, ...],
    filler: Filler,
    marks: Marks,
) -> tuple[Candidates, NDArray[np.float32]]:
    """The best `query.limit` of what the sources found, best first, and their fused scores.

    Where all of them together found fewer than the request asks for, the filler adds the most
    popular items that it allows; their scores are below 0.
    """
    bounds = np.zeros(len(found) + 1, np.int64)
    np.cumsum([len(rows) for rows, _ in found], out=bounds[1:])
    total = int(bounds[-1]) + query.request.k
    rows = np.empty(total, np.int32)
    scores = np.zeros((len(found), total), np.float32)
    ranks = np.zeros((len(found), total), np.float32)
    fused = np.zeros(total, np.float32)
    token = marks.ban(query.banned)
    n = 0
    for s, (source_rows, source_scores) in enumerate(found):
        n = _add(
            source_rows,
            source_scores,
            query.allow,
            marks.stamp,
            marks.place,
            token,
            n,
            rows,
            scores[s],
            ranks[s],
            fused,
        )
    wanted = min(query.request.k, query.limit)
    if n < wanted:
        more = filler.fill(query, wanted - n, marks, token)
        rows[n : n + len(more)] = more
        fused[n : n + len(more)] = -np.arange(1, len(more) + 1) / np.float32(total)
        n += len(more)
    best = best_first(fused[:n], query.limit)
    return Candidates(rows[best], scores[:, best], ranks[:, best], sources), fused[best]


@kernel
def _add(
    found: NDArray[np.int32],
    found_scores: NDArray[np.float32],
    allow: Bitmap,
    stamp: NDArray[np.int32],
    place: NDArray[np.int32],
    token: int,
    n: int,
    rows: NDArray[np.int32],
    scores: NDArray[np.float32],
    ranks: NDArray[np.float32],
    fused: NDArray[np.float32],
) -> int:
    for rank in range(len(found)):
        row = found[rank]
        if stamp[row] == token or not holds(allow, row):
            continue
        if stamp[row] < token:
            stamp[row] = token + 1
            place[row] = n
            rows[n] = row
            n += 1
        at = place[row]
        if ranks[at] == 0:  # a source's first mention of a row is its best
            scores[at] = found_scores[rank]
            ranks[at] = np.float32(1) / np.float32(rank + 1)
            fused[at] += np.float32(1) / np.float32(FUSION + rank + 1)
    return n
