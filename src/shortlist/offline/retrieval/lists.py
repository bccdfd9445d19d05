"""Neighbour lists: how long they are, and keeping the best of a row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel
from shortlist.release.artefacts import ItemToItem

CELLS = 10_000_000
"""Neighbours of all items together, about; 8 bytes each."""
SHORTEST, LONGEST = 64, 512


def list_length(items: int, asked: int = 0) -> int:
    """How many neighbours an item keeps: what is asked for, or by rule if that is 0.

    The rule is 10 million neighbours over the catalogue, from 64 to 512 for an item: lists are
    long where items are few and a release has room for them.
    """
    length = asked or min(max(CELLS // max(1, items), SHORTEST), LONGEST)
    return max(1, min(length, items - 1))


def packed(
    neighbours: NDArray[np.int32], scores: NDArray[np.float32], decay: float, reach: int
) -> ItemToItem:
    """A map of padded lists, cut to the longest of them (at least one place wide)."""
    width = max(1, int((neighbours >= 0).sum(axis=1).max(initial=0)))
    return ItemToItem(
        np.ascontiguousarray(neighbours[:, :width]),
        np.ascontiguousarray(scores[:, :width]),
        decay,
        reach,
    )


@kernel
def keep_best(
    rows: NDArray[np.int32],
    scores: NDArray[np.float64],
    strength: NDArray[np.float64],
    out_rows: NDArray[np.int32],
    out_scores: NDArray[np.float32],
    ordered: bool = True,
) -> int:
    """Keep the strongest candidates of one item, best score first; how many were kept.

    Equal ones are in order of rows, whatever order they come in. Candidates of strength 0, and
    those whose score is 0 in single precision, are left out. Unless `ordered`, any order is fine.
    """
    most = len(out_rows)
    if len(rows) > most:  # sort only what can be kept
        strong = strength >= np.partition(strength, len(rows) - most)[len(rows) - most]
        rows, scores, strength = rows[strong], scores[strong], strength[strong]
    best = np.arange(len(rows))
    if ordered:
        best = np.argsort(rows, kind="mergesort")
        best = best[np.argsort(-strength[best], kind="mergesort")][:most]
        best = best[np.argsort(-scores[best].astype(np.float32), kind="mergesort")]
    n = 0
    for c in best[:most]:
        score = np.float32(scores[c])
        if strength[c] > 0 and score != 0:
            out_rows[n] = rows[c]
            out_scores[n] = score
            n += 1
    return n


@kernel
def top_of_block(
    block: NDArray[np.float32],
    first: int,
    neighbours: NDArray[np.int32],
    scores: NDArray[np.float32],
) -> float:
    """Fill the lists of items `first…` from dense rows of scores, an item's own score left out.

    The largest by absolute value are kept. `neighbours` and `scores` are of the whole catalogue.

    Returns:
        The sum of squares of what was left out.
    """
    length = neighbours.shape[1]
    n = block.shape[1]
    lost = 0.0
    strength = np.empty(n, np.float32)
    for b in range(len(block)):
        item = first + b
        for j in range(n):
            strength[j] = abs(block[b, j])
        strength[item] = 0
        least = np.float32(0)
        if n > length:
            least = np.partition(strength, n - length)[n - length]
        picked = np.flatnonzero((strength >= least) & (strength > 0))
        kept = keep_best(
            picked.astype(np.int32),
            block[b][picked].astype(np.float64),
            strength[picked].astype(np.float64),
            neighbours[item],
            scores[item],
        )
        for j in range(n):
            lost += np.float64(strength[j]) ** 2
        for k in range(kept):
            lost -= np.float64(scores[item, k]) ** 2
    return max(0.0, lost)
