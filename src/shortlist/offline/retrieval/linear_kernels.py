"""Compiled loops of `linear`: counts of pairs, and a small regression for each item."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel
from shortlist.core.ridge import cholesky_solve
from shortlist.offline.retrieval.histories import postings
from shortlist.offline.retrieval.lists import keep_best

Lists = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]
"""Rows in CSR: offsets, items, weights."""


def pair_lists(
    offsets: NDArray[np.int64],
    items: NDArray[np.int32],
    near: NDArray[np.float32],
    ordered: bool,
    n: int,
    most: int,
) -> Lists:
    """For each item those near it in the sequences, heaviest first, at most `most` of them.

    Args:
        offsets: `int64[sequences + 1]` into `items`.
        items: `int32[events]`.
        near: what a pair that is `d + 1` events apart weighs.
        ordered: whether only what comes before the item counts.
        n: the number of items.
        most: the longest list.
    """
    where, places = postings(items, n)
    owner = np.repeat(np.arange(len(offsets) - 1, dtype=np.int32), np.diff(offsets))
    # A row is no longer than what is near its events; two passes would cost more than the room.
    reached = np.minimum(2 * len(near), np.diff(offsets)[owner] - 1)
    room = np.minimum(min(most, n), np.bincount(items, reached, minlength=n)).astype(np.int64)
    starts = np.zeros(n + 1, np.int64)
    np.cumsum(room, out=starts[1:])
    targets = np.empty(int(starts[-1]), np.int32)
    weights = np.empty(int(starts[-1]), np.float32)
    lengths = _near(offsets, owner, items, where, places, near, ordered, starts, targets, weights)
    kept = np.arange(len(targets)) - np.repeat(starts[:-1], room) < np.repeat(lengths, room)
    np.cumsum(lengths, out=starts[1:])
    return starts, targets[kept], weights[kept]


@kernel
def _near(
    runs: NDArray[np.int64],
    owner: NDArray[np.int32],
    items: NDArray[np.int32],
    where: NDArray[np.int64],
    places: NDArray[np.int64],
    near: NDArray[np.float32],
    ordered: bool,
    starts: NDArray[np.int64],
    targets: NDArray[np.int32],
    weights: NDArray[np.float32],
) -> NDArray[np.int64]:
    n = len(where) - 1
    sums = np.zeros(n)
    touched = np.empty(n, np.int32)
    lengths = np.zeros(n, np.int64)
    for item in range(n):
        count = 0
        for o in range(where[item], where[item + 1]):
            p = places[o]
            last = p if ordered else min(runs[owner[p] + 1], p + len(near) + 1)
            for q in range(max(runs[owner[p]], p - len(near)), last):
                j = items[q]
                if j == item:
                    continue
                if sums[j] == 0:
                    touched[count] = j
                    count += 1
                sums[j] += near[abs(q - p) - 1]
        values = np.empty(count)
        for c in range(count):
            values[c] = sums[touched[c]]
            sums[touched[c]] = 0
        here = slice(starts[item], starts[item + 1])
        lengths[item] = keep_best(touched[:count], values, values, targets[here], weights[here])
    return lengths


def count_pairs(
    offsets: NDArray[np.int64],
    items: NDArray[np.int32],
    near: NDArray[np.float32],
    ascending: bool,
    out: NDArray[np.float32],
) -> None:
    """Add pairs up in a dense matrix, one item's row after the other.

    Args:
        offsets, items: sequences in CSR.
        near: what a pair that is `d + 1` events apart weighs.
        ascending: whether each sequence is of different items in their order; then only what is
            above the diagonal is counted.
        out: `float32[n, n]`, zeros; a row stays in the cache until it is done. The diagonal stays
            as it is.
    """
    where, places = postings(items, len(out))
    owner = np.repeat(np.arange(len(offsets) - 1, dtype=np.int32), np.diff(offsets))
    _count(offsets, owner, items, near, where, places, ascending, out)


@kernel
def _count(
    offsets: NDArray[np.int64],
    owner: NDArray[np.int32],
    items: NDArray[np.int32],
    near: NDArray[np.float32],
    where: NDArray[np.int64],
    places: NDArray[np.int64],
    ascending: bool,
    out: NDArray[np.float32],
) -> None:
    for item in range(len(out)):
        row = out[item]
        own = row[item]
        for o in range(where[item], where[item + 1]):
            p = places[o]
            for q in range(p + 1, min(offsets[owner[p] + 1], p + len(near) + 1)):
                row[items[q]] += near[q - p - 1]
            if not ascending:
                for q in range(max(offsets[owner[p]], p - len(near)), p):
                    row[items[q]] += near[p - q - 1]
        row[item] = own


@kernel
def mirror(matrix: NDArray[np.float32]) -> None:
    """Copy the upper triangle onto the lower one, in tiles that stay in the cache."""
    n = len(matrix)
    tile = 64
    for a in range(0, n, tile):
        for b in range(0, a + 1, tile):
            for i in range(a, min(n, a + tile)):
                for j in range(b, min(i, b + tile)):
                    matrix[i, j] = matrix[j, i]


@kernel
def solve_each(
    first: int,
    stop: int,
    support: int,
    gram_offsets: NDArray[np.int64],
    gram_items: NDArray[np.int32],
    gram_weights: NDArray[np.float32],
    diagonal: NDArray[np.float32],
    offsets: NDArray[np.int64],
    items: NDArray[np.int32],
    sides: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """For each item solve the system of its list: Gram matrix of the list, right side `sides`."""
    place = np.full(len(diagonal), -1, np.int64)
    system = np.empty((support, support))
    for item in range(first, stop):
        start = offsets[item]
        m = offsets[item + 1] - start
        for a in range(m):
            place[items[start + a]] = a
        system[:m, :m] = 0
        for a in range(m):
            row = items[start + a]
            for e in range(gram_offsets[row], gram_offsets[row + 1]):
                b = place[gram_items[e]]
                if b >= 0:  # a list may be cut at one end and not at the other
                    low, high = min(a, b), max(a, b)
                    system[high, low] = max(system[high, low], gram_weights[e])
            system[a, a] = diagonal[row]
        for a in range(m):
            place[items[start + a]] = -1
        solution = sides[start : start + m].astype(np.float64)
        cholesky_solve(system, solution, m)
        out[start : start + m] = solution.astype(np.float32)
