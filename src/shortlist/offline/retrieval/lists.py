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
    n = block.shape[1]
    lost = 0.0
    strength = np.empty(n, np.float32)
    picked = np.empty(n, np.int32)
    keys = np.empty(neighbours.shape[1], np.int64)
    for b in range(len(block)):
        item = first + b
        for j in range(n):
            strength[j] = abs(block[b, j])
        strength[item] = 0
        kept = strongest(strength, neighbours.shape[1], picked)
        row = block[b]
        bits = row.view(np.int32)
        for k in range(kept):
            # Floats in the order of integers, largest first, and equal ones by row.
            order = np.int64(bits[picked[k]])
            if order < 0:
                order ^= 0x7FFFFFFF
            keys[k] = -order * (np.int64(1) << 32) + picked[k]
        keys[:kept].sort()
        squares = 0.0
        for j in range(n):
            squares += np.float64(strength[j]) ** 2
        for k in range(kept):
            j = keys[k] & 0xFFFFFFFF
            neighbours[item, k] = j
            scores[item, k] = row[j]
            squares -= np.float64(row[j]) ** 2
        lost += max(0.0, squares)
    return lost


@kernel
def strongest(strength: NDArray[np.float32], most: int, picked: NDArray[np.int32]) -> int:
    """The places of the largest values, ascending, into `picked`; how many there are.

    Values of 0 are never picked; of equal ones at the end the first are. One pass counts values by
    their first bits, which order floats of one sign as integers, so that only those that share
    their first bits with the last one picked are ever sorted.
    """
    bits = strength.view(np.int32)
    counts = np.zeros(4096, np.int32)
    for j in range(len(bits)):
        counts[bits[j] >> 19] += 1
    edge, above = 4095, 0
    while edge > 0 and above + counts[edge] <= most:
        above += counts[edge]
        edge -= 1
    close = np.empty(counts[edge], np.int32)
    n = 0
    for j in range(len(bits)):
        if bits[j] >> 19 == edge:
            close[n] = bits[j]
            n += 1
    close.sort()
    wanted = min(most - above, n)
    least = close[n - wanted] if wanted else np.int32(0x7FFFFFFF)
    ties = 0  # how many of those at `least` are picked
    for c in range(n - wanted, n):
        ties += close[c] == least
    n = 0
    for j in range(len(bits)):
        take = bits[j] > least or bits[j] >> 19 > edge
        if not take and ties > 0 and bits[j] == least:
            ties -= 1
            take = True
        if take and bits[j] > 0:
            picked[n] = j
            n += 1
    return n
