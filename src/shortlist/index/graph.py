"""The compiled walk through a small-world graph; see `hnsw`.

A graph is kept the way faiss builds it: `links int32[...]` holds, for node `i` from `starts[i]` on,
`2 * width` neighbours on the ground level and `width` on each level above; -1 for none. Nodes are
positions of the matrix. Ties go to the lower position, so an answer does not depend on the order in
which nodes were met.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import Bitmap, holds
from shortlist.core.jit import kernel
from shortlist.index.kernels import NONE, Matrix, dot, fetch, sift, unheap, worse

Links = NDArray[np.int32]
Starts = NDArray[np.int64]


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
def _rise(scores: NDArray[np.float32], nodes: NDArray[np.int32], at: int) -> None:
    """Restore a heap whose root is the best after its last entry was written."""
    score, node = scores[at], nodes[at]
    while at > 0:
        above = (at - 1) >> 1
        if not worse(scores[above], nodes[above], score, node):
            break
        scores[at], nodes[at] = scores[above], nodes[above]
        at = above
    scores[at], nodes[at] = score, node


@kernel
def _sink(scores: NDArray[np.float32], nodes: NDArray[np.int32], size: int) -> None:
    """Drop the root of a heap whose root is the best; its last entry takes the place."""
    score, node = scores[size - 1], nodes[size - 1]
    hole, last = 0, size - 1
    while True:
        child = 2 * hole + 1
        if child >= last:
            break
        if child + 1 < last and worse(
            scores[child], nodes[child], scores[child + 1], nodes[child + 1]
        ):
            child += 1
        if not worse(score, node, scores[child], nodes[child]):
            break
        scores[hole], nodes[hole] = scores[child], nodes[child]
        hole = child
    scores[hole], nodes[hole] = score, node


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
    k = found.shape[1]
    counts = np.zeros(len(queries), np.int64)
    best_scores, best = np.empty(beam, np.float32), np.empty(beam, np.int32)
    room = min(n, budget + 2 * width + 1)
    open_scores, open_nodes = np.empty(room, np.float32), np.empty(room, np.int32)
    fresh = np.empty(2 * width, np.int32)
    for q in range(len(queries)):
        query = queries[q]
        visited = np.zeros((n + 7) // 8, np.uint8)
        best_scores[:] = -np.inf
        best[:] = NONE
        node = _descend(query, matrix, links, starts, width, entry, top)
        fresh[0] = node
        visited[node >> 3] |= np.uint8(1 << (node & 7))
        size, waiting, looked = 1, 0, 0
        while True:
            for i in range(size):
                fetch(matrix, fresh[i])
            looked += size
            for i in range(size):
                node = fresh[i]
                score = dot(query, matrix, node)
                if worse(best_scores[0], best[0], score, node):
                    open_scores[waiting], open_nodes[waiting] = score, node
                    _rise(open_scores, open_nodes, waiting)
                    waiting += 1
                    if not filtered or holds(allow, rows[node] if len(rows) else node):
                        sift(best_scores, best, beam, score, node)
            if waiting == 0 or looked > budget:
                break
            score, node = open_scores[0], open_nodes[0]
            if worse(score, node, best_scores[0], best[0]):
                break
            _sink(open_scores, open_nodes, waiting)
            waiting -= 1
            size = _unseen(links, starts[node], 2 * width, visited, fresh)
        unheap(best_scores, best)
        for i in range(k):
            node = best[i]
            found[q, i] = node if node < 0 or len(rows) == 0 else rows[node]
            scores[q, i] = best_scores[i]
            counts[q] += node >= 0
        if looked > budget:
            counts[q] = -1
    return counts
