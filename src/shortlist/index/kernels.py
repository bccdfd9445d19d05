"""The compiled loops of the indexes: scan, refine, filter, gather.

A matrix is `float32[m, d]` or the bits of a float16 one, `uint16[m, d]`; a *position* is a row of
it. `rows` maps positions to catalogue rows and `positions` maps them back (-1 for none); both are
empty where a position is its catalogue row.

Answers are ordered by score, descending, and by row where scores are equal, so they do not depend
on the order in which candidates were met. Kernels fill `found int32[q, k]` and
`scores float32[q, k]` completely, -1 and -inf past the last.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import Bitmap, holds
from shortlist.core.jit import kernel
from shortlist.index.half import CACHE_LINE, prefetch, widen

Matrix = NDArray[np.float32] | NDArray[np.uint16]
_AHEAD = 4  # rows on their way while one is multiplied; measured best of 1, 2, 4
_BLOCK = 8  # queries that share one pass over a matrix: they stay in the first-level cache
NONE = np.int32(np.iinfo(np.int32).max)  # sorts after every row
_SIGN, _EVERY = np.uint32(0x80000000), np.uint32(0xFFFFFFFF)
_RADIX = 11
_HEAP_UP_TO = 40  # answers; sorting all candidates pays for longer lists


@kernel
def dot(query: NDArray[np.float32], matrix: Matrix, position: int) -> np.float32:
    """The score of a vector."""
    total = np.float32(0)
    for j in range(matrix.shape[1]):
        total += query[j] * widen(matrix[position, j])
    return total


@kernel
def is_finite(queries: NDArray[np.float32]) -> bool:
    """Whether no number of `[q, d]` is infinite or NaN: those times 0 are not 0."""
    total = np.float32(0)
    for i in range(queries.shape[0]):
        for j in range(queries.shape[1]):
            total += queries[i, j] * np.float32(0)
    return bool(total == 0)


@kernel
def fetch(matrix: Matrix, position: int) -> None:
    """Start bringing a vector in."""
    stride = matrix.shape[1] * matrix.itemsize
    start = position * stride
    for offset in range(start, start + stride, CACHE_LINE):
        prefetch(matrix, offset)


@kernel
def rank_of(score: np.float32) -> np.uint32:
    """The bits of a number, made to order as an unsigned one; -0 is 0."""
    bits = np.float32(score).view(np.uint32)
    if bits == _SIGN:
        bits = np.uint32(0)
    return np.uint32(bits ^ _EVERY if bits & _SIGN else bits | _SIGN)


@kernel
def score_of(rank: np.uint32) -> np.float32:
    """The number of a `rank_of`."""
    bits = rank ^ _SIGN if rank & _SIGN else rank ^ _EVERY
    return np.uint32(bits).view(np.float32)


@kernel
def worse(score: np.float32, row: np.int32, than: np.float32, than_row: np.int32) -> bool:
    """Whether one answer comes after another."""
    return bool(score < than or (score == than and row > than_row))


@kernel
def sift(
    scores: NDArray[np.float32], rows: NDArray[np.int32], size: int, score: np.float32, row: int
) -> None:
    """Replace the root of a heap whose root is the worst."""
    hole = 0
    while True:
        child = 2 * hole + 1
        if child >= size:
            break
        if child + 1 < size and worse(
            scores[child + 1], rows[child + 1], scores[child], rows[child]
        ):
            child += 1
        if not worse(scores[child], rows[child], score, np.int32(row)):
            break
        scores[hole] = scores[child]
        rows[hole] = rows[child]
        hole = child
    scores[hole] = score
    rows[hole] = row


@kernel
def unheap(scores: NDArray[np.float32], rows: NDArray[np.int32]) -> None:
    """Sort a heap in place, best first, and mark its unused places."""
    for last in range(len(scores) - 1, 0, -1):
        score, row = scores[last], rows[last]
        scores[last], rows[last] = scores[0], rows[0]
        sift(scores, rows, last, score, row)
    for i in range(len(rows)):
        if rows[i] == NONE:
            rows[i] = -1


@kernel
def scan(
    queries: NDArray[np.float32],
    matrix: Matrix,
    rows: NDArray[np.int32],
    everything: bool,
    chosen: NDArray[np.int32],
    found: NDArray[np.int32],
    scores: NDArray[np.float32],
) -> None:
    """The nearest of `chosen` positions (ascending), or of the whole matrix if `everything`."""
    k = found.shape[1]
    found[:] = NONE
    scores[:] = -np.inf
    total = matrix.shape[0] if everything else len(chosen)
    if k > 0:
        for first in range(0, len(queries), _BLOCK):
            last = min(first + _BLOCK, len(queries))
            for i in range(total):
                position = i
                if not everything:
                    position = chosen[i]
                    if i + _AHEAD < total:
                        fetch(matrix, chosen[i + _AHEAD])
                row = rows[position] if len(rows) else position
                for q in range(first, last):
                    score = dot(queries[q], matrix, position)
                    if worse(scores[q, 0], found[q, 0], score, np.int32(row)):
                        sift(scores[q], found[q], k, score, row)
        for q in range(len(queries)):
            unheap(scores[q], found[q])


@kernel
def refine(
    queries: NDArray[np.float32],
    candidates: NDArray[np.int64],
    matrix: Matrix,
    positions: NDArray[np.int32],
    found: NDArray[np.int32],
    scores: NDArray[np.float32],
) -> NDArray[np.int64]:
    """The nearest of each query's own candidates, `int64[q, c]` catalogue rows, -1 for none.

    c is at least k. Returns how many candidates each query had, `int64[q]`.
    """
    c = candidates.shape[1]
    k = found.shape[1]
    counts = np.zeros(len(queries), np.int64)
    dots = np.empty(c, np.float32)
    places = np.empty(c, np.int64)
    keys, spare_keys = np.empty(c, np.uint32), np.empty(c, np.uint32)
    order, spare_order = np.empty(c, np.int32), np.empty(c, np.int32)
    for q in range(len(queries)):
        n = 0
        for i in range(c):
            row = candidates[q, i]
            if row >= 0:
                places[n] = positions[row] if len(positions) else row
                order[n] = row
                n += 1
        counts[q] = n
        for i in range(min(_AHEAD, n)):
            fetch(matrix, places[i])
        for i in range(n):
            if i + _AHEAD < n:
                fetch(matrix, places[i + _AHEAD])
            dots[i] = dot(queries[q], matrix, places[i])
        if k <= _HEAP_UP_TO:
            found[q] = NONE
            scores[q] = -np.inf
            for i in range(n):
                if k and worse(scores[q, 0], found[q, 0], dots[i], order[i]):
                    sift(scores[q], found[q], k, dots[i], order[i])
            unheap(scores[q], found[q])
            continue
        for i in range(n):
            keys[i] = rank_of(dots[i]) ^ _EVERY  # the largest first
        _radix_sort(keys, order, n, spare_keys, spare_order)
        keys, spare_keys = spare_keys, keys  # three passes end in the spare arrays
        order, spare_order = spare_order, order
        _order_ties(keys, order, n)
        for i in range(min(n, k)):
            found[q, i] = order[i]
            scores[q, i] = score_of(np.uint32(keys[i] ^ _EVERY))
        for i in range(n, k):
            found[q, i] = -1
            scores[q, i] = -np.inf
    return counts


@kernel
def _radix_sort(
    keys: NDArray[np.uint32],
    values: NDArray[np.int32],
    n: int,
    to_keys: NDArray[np.uint32],
    to_values: NDArray[np.int32],
) -> None:
    """Sort by 32-bit keys in three stable passes of 11 bits; the result is in the `to` arrays."""
    size = 1 << _RADIX
    ends = np.empty(size, np.int64)
    for turn in range(3):
        shift = np.uint32(_RADIX * turn)
        ends[:] = 0
        for i in range(n):
            ends[(keys[i] >> shift) & np.uint32(size - 1)] += 1
        start = 0
        for digit in range(size):
            start, ends[digit] = start + ends[digit], start
        for i in range(n):
            digit = (keys[i] >> shift) & np.uint32(size - 1)
            to = ends[digit]
            ends[digit] = to + 1
            to_keys[to] = keys[i]
            to_values[to] = values[i]
        keys, to_keys = to_keys, keys
        values, to_values = to_values, values


@kernel
def _order_ties(keys: NDArray[np.uint32], rows: NDArray[np.int32], n: int) -> None:
    """Order the rows of equal keys, ascending."""
    start = 0
    while start < n:
        stop = start + 1
        while stop < n and keys[stop] == keys[start]:
            stop += 1
        if stop - start > 1:
            rows[start:stop] = np.sort(rows[start:stop])
        start = stop


@kernel
def drop_others(candidates: NDArray[np.int64], allow: Bitmap) -> int:
    """Replace catalogue rows that a bitmap does not allow by -1; returns how many are left."""
    left = 0
    for i in range(len(candidates)):
        row = candidates[i]
        if row >= 0:
            if holds(allow, row):
                left += 1
            else:
                candidates[i] = -1
    return left


@kernel
def gather(
    matrix: Matrix,
    positions: NDArray[np.int32],
    rows: NDArray[np.int32],
    out: NDArray[np.float32],
) -> None:
    """The vectors of catalogue rows into `out`, zeros for rows that have none."""
    known = len(positions) if len(positions) else matrix.shape[0]
    for i in range(len(rows)):
        position = -1
        if 0 <= rows[i] < known:
            position = positions[rows[i]] if len(positions) else rows[i]
        if position < 0:
            out[i] = 0
        else:
            for j in range(matrix.shape[1]):
                out[i, j] = widen(matrix[position, j])


@kernel
def count_common(one: Bitmap, other: Bitmap) -> int:
    """How many rows are set in both bitmaps."""
    total = 0
    for i in range(min(len(one), len(other))):
        b = int(one[i] & other[i])
        b = b - ((b >> 1) & 0x55)
        b = (b & 0x33) + ((b >> 2) & 0x33)
        total += (b + (b >> 4)) & 0x0F
    return total


@kernel
def chosen_positions(
    allow: Bitmap, members: Bitmap, positions: NDArray[np.int32], out: NDArray[np.int32]
) -> None:
    """The positions of rows set in both bitmaps, ascending; `out` has room for exactly those."""
    n = 0
    for i in range(min(len(allow), len(members))):
        b = int(allow[i] & members[i])
        bit = 0
        while b:
            if b & 1:
                row = 8 * i + bit
                out[n] = positions[row] if len(positions) else row
                n += 1
            b >>= 1
            bit += 1
