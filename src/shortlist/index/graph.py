"""The compiled walk through a small-world graph; see `hnsw`.

A graph is kept the way faiss builds it: `links int32[...]` holds, for node `i` from `starts[i]` on,
`2 * width` neighbours on the ground level and `width` on each level above; -1 for none. Nodes are
positions of the matrix. Ties go to the lower position, so an answer does not depend on the order in
which nodes were met.

A node that was scored is one number, its *key*: the score in the upper half, made to order as an
unsigned number, and the node in the lower, so that of two keys the greater is the better. 0 is no
node.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import Bitmap, holds
from shortlist.core.jit import kernel
from shortlist.index.half import CACHE_LINE, prefetch
from shortlist.index.kernels import Matrix, dot, fetch, rank_of, score_of

Links = NDArray[np.int32]
Starts = NDArray[np.int64]
Keys = NDArray[np.uint64]

_LAST = 0xFFFFFFFF


@kernel
def _key(score: np.float32, node: int) -> np.uint64:
    return np.uint64(np.uint64(rank_of(score)) << np.uint64(32) | np.uint64(_LAST - node))


@kernel
def _node(key: np.uint64) -> int:
    return _LAST - int(key & np.uint64(_LAST))


@kernel
def _score(key: np.uint64) -> np.float32:
    return score_of(np.uint32(key >> np.uint64(32)))


@kernel
def _descend(
    query: NDArray[np.float32],
    matrix: Matrix,
    links: Links,
    starts: Starts,
    width: int,
    entry: int,
    top: int,
) -> int:
    """The node of level 1 that a greedy walk from the entry ends at."""
    best = entry
    score = dot(query, matrix, best)
    for level in range(top, 0, -1):
        moved = True
        while moved:
            moved = False
            first = starts[best] + width * (level + 1)
            for i in range(first, first + width):
                node = links[i]
                if node < 0:
                    break
                other = dot(query, matrix, node)
                if other > score:
                    best, score, moved = node, other, True
    return best


@kernel
def _push(heap: Keys, size: int, key: np.uint64) -> None:
    """Add to a heap whose root is the best."""
    at = size
    while at > 0:
        above = (at - 1) >> 1
        if heap[above] >= key:
            break
        heap[at] = heap[above]
        at = above
    heap[at] = key


@kernel
def _pop(heap: Keys, size: int) -> None:
    """Drop the root of a heap whose root is the best; its last entry takes the place."""
    key = heap[size - 1]
    hole, last = 0, size - 1
    while True:
        child = 2 * hole + 1
        if child >= last:
            break
        if child + 1 < last and heap[child + 1] > heap[child]:
            child += 1
        if heap[child] <= key:
            break
        heap[hole] = heap[child]
        hole = child
    heap[hole] = key


@kernel
def _replace(heap: Keys, key: np.uint64) -> None:
    """Replace the root of a heap whose root is the worst."""
    hole, size = 0, len(heap)
    while True:
        child = 2 * hole + 1
        if child >= size:
            break
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= key:
            break
        heap[hole] = heap[child]
        hole = child
    heap[hole] = key


@kernel
def _unseen(links: Links, first: int, count: int, visited: Bitmap, fresh: NDArray[np.int32]) -> int:
    """Collect the neighbours that were not met yet into `fresh` and mark them; how many."""
    size = 0
    for i in range(first, first + count):
        node = links[i]
        if node < 0:
            break
        bit = np.uint8(1 << (node & 7))
        if not visited[node >> 3] & bit:
            visited[node >> 3] |= bit
            fresh[size] = node
            size += 1
    return size


@kernel
def _write(
    best: Keys, rows: NDArray[np.int32], found: NDArray[np.int32], scores: NDArray[np.float32]
) -> int:
    """Put the best of a beam in order into an answer; how many there are."""
    best.sort()
    count = 0
    for i in range(len(found)):
        key = best[len(best) - 1 - i]
        found[i], scores[i] = -1, -np.inf
        if key:
            node = _node(key)
            found[i], scores[i] = rows[node] if len(rows) else node, _score(key)
            count += 1
    return count


@kernel
def walk(
    queries: NDArray[np.float32],
    matrix: Matrix,
    rows: NDArray[np.int32],
    links: Links,
    starts: Starts,
    width: int,
    entry: int,
    top: int,
    beam: int,
    budget: int,
    filtered: bool,
    allow: Bitmap,
    found: NDArray[np.int32],
    scores: NDArray[np.float32],
) -> NDArray[np.int64]:
    """The nearest nodes that a best-first search with a beam meets.

    Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using
    hierarchical navigable small world graphs", PAMI 2018, algorithms 2 and 5. With a filter, nodes
    that are not allowed are walked through but take no place in the beam, so the walk goes on until
    `beam` allowed ones are known and nothing nearer is in sight.

    Args:
        queries: `float32[q, d]`.
        matrix: see `kernels`.
        rows: likewise.
        links: the graph.
        starts: the graph.
        width: the graph.
        entry: the node to start from.
        top: its level.
        beam: how many of the best are kept, at least k.
        budget: how many nodes one walk may look at; one that needs more gives up.
        filtered: whether `allow` counts.
        allow: a bitmap over catalogue rows.
        found: `int32[q, k]`, filled.
        scores: `float32[q, k]`, filled.

    Returns:
        How many nodes each query found, `int64[q]`; -1 for a walk that gave up.
    """
    n = matrix.shape[0]
    counts = np.zeros(len(queries), np.int64)
    best = np.empty(beam, np.uint64)
    waiting = np.empty(min(n, budget + 2 * width + 1), np.uint64)
    fresh = np.empty(2 * width, np.int32)
    for q in range(len(queries)):
        query = queries[q]
        visited = np.zeros((n + 7) // 8, np.uint8)
        best[:] = 0
        node = _descend(query, matrix, links, starts, width, entry, top)
        fresh[0] = node
        visited[node >> 3] |= np.uint8(1 << (node & 7))
        size, left, looked = 1, 0, 0
        while True:
            for i in range(size):
                fetch(matrix, fresh[i])
            for i in range(min(left, 3)):  # most likely the next to be walked from
                near = links.itemsize * starts[_node(waiting[i])]
                for offset in range(near, near + 2 * width * links.itemsize, CACHE_LINE):
                    prefetch(links, offset)
            looked += size
            for i in range(size):
                key = _key(dot(query, matrix, fresh[i]), fresh[i])
                if key > best[0]:
                    _push(waiting, left, key)
                    left += 1
                    if not filtered or holds(allow, rows[fresh[i]] if len(rows) else fresh[i]):
                        _replace(best, key)
            if left == 0 or looked > budget:
                break
            key = waiting[0]
            if key < best[0]:
                break
            _pop(waiting, left)
            left -= 1
            size = _unseen(links, starts[_node(key)], 2 * width, visited, fresh)
        if looked > budget:
            counts[q] = -1
            continue
        counts[q] = _write(best, rows, found[q], scores[q])
    return counts
