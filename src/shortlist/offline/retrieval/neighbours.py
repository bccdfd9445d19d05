"""The item-to-item map: how likely each item is to come near another, seen and embedded."""

from __future__ import annotations

import faiss
import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel
from shortlist.core.progress import Progress
from shortlist.offline.retrieval.graph import ItemGraph
from shortlist.offline.retrieval.skipgram import Embedding
from shortlist.release.artefacts import ItemToItem

PRIOR = 200.0
"""How much observed edge weight the embedding's opinion is worth."""

_EXACT = 20_000
_BLOCK = 4096


def item_to_item(
    graph: ItemGraph, embedding: Embedding, negatives: int, length: int, progress: Progress
) -> ItemToItem:
    """For each item those most likely near it, in the graph and by the embedding together.

    The score is a probability: `(w_ij + PRIOR * e_ij) / (s_i + PRIOR)`, with `w_ij` the edge's
    weight, `s_i` the weight of all of i's edges, and `e_ij` the embedding's estimate. That is
    Dirichlet smoothing (Zhai and Lafferty 2004): an item with a long record keeps to it, one with
    a short record borrows from items that live in the same places. At its optimum, skip-gram with
    k negatives from noise `q` has `centre_i . context_j = log(p(j | i) / (k q_j))` (Levy and
    Goldberg 2014, section 3.1), hence `e_ij = k q_j exp(centre_i . context_j)`, at most 1.

    Args:
        graph: the item graph.
        embedding: of its items, and of items without edges if it has any.
        negatives: k.
        length: neighbours of an item, at most.
        progress: advances by items.

    Returns:
        A map over all rows; items that the embedding does not know have no neighbours.
    """
    items = graph.items
    rows = np.flatnonzero(np.isfinite(embedding.noise)).astype(np.int32)
    neighbours = np.full((items, length), -1, np.int32)
    scores = np.zeros((items, length), np.float32)
    progress.step("item graph: neighbours", len(rows))
    if len(rows):
        # log(k q_j) as one more dimension makes the nearest by dot product the most probable.
        drawn = np.exp(embedding.noise[np.diff(graph.offsets) > 0]).sum()
        bias = embedding.noise + np.log(negatives) - np.log(drawn)
        keys = np.column_stack([embedding.context[rows], bias[rows]]).astype(np.float32)
        index = _index(keys)
        for start in range(0, len(rows), _BLOCK):
            block = rows[start : start + _BLOCK]
            queries = np.column_stack([embedding.centre[block], np.ones(len(block))])
            likely, places = index.search(
                np.ascontiguousarray(queries, np.float32), min(len(rows), 2 * length)
            )
            _merge(
                block,
                np.where(places >= 0, rows[places], -1),
                np.minimum(1, np.exp(likely)),
                embedding.centre,
                embedding.context,
                bias,
                graph.offsets,
                graph.targets,
                graph.weights,
                PRIOR,
                neighbours,
                scores,
            )
            progress.advance(len(block))
    return ItemToItem(neighbours, scores)


def _index(keys: NDArray[np.float32]) -> faiss.Index:
    """Exact up to 20,000 items (blocks of one matrix product); lists of neighbours beyond."""
    dim = keys.shape[1]
    flat = faiss.IndexFlatIP(dim)
    if len(keys) <= _EXACT:
        flat.add(keys)
        return flat
    lists = faiss.IndexIVFFlat(flat, dim, int(4 * np.sqrt(len(keys))), faiss.METRIC_INNER_PRODUCT)
    lists.train(keys)
    lists.add(keys)
    lists.nprobe = 32
    return lists


@kernel
def _merge(
    block: NDArray[np.int32],
    near: NDArray[np.int32],
    likely: NDArray[np.float32],
    centre: NDArray[np.float32],
    context: NDArray[np.float32],
    bias: NDArray[np.float64],
    offsets: NDArray[np.int64],
    targets: NDArray[np.int32],
    weights: NDArray[np.float64],
    prior: float,
    neighbours: NDArray[np.int32],
    scores: NDArray[np.float32],
) -> None:
    """Score each item's edges and its nearest by embedding, and keep the best of both."""
    length = neighbours.shape[1]
    place = np.full(len(offsets) - 1, -1, np.int64)  # where an item stands among the candidates
    for b in range(len(block)):
        item = block[b]
        first, stop = offsets[item], offsets[item + 1]
        rows = np.empty(stop - first + near.shape[1], np.int32)
        score = np.zeros(len(rows))
        strength = 0.0
        n = 0
        for c in range(near.shape[1]):
            row = near[b, c]
            if row >= 0 and row != item:
                rows[n] = row
                score[n] = prior * likely[b, c]
                place[row] = n
                n += 1
        for e in range(first, stop):
            row = targets[e]
            strength += weights[e]
            if place[row] < 0:
                dot = bias[row]
                for d in range(centre.shape[1]):
                    dot += centre[item, d] * context[row, d]
                rows[n] = row
                score[n] = prior * min(1.0, np.exp(dot))
                place[row] = n
                n += 1
            score[place[row]] += weights[e]
        for c in range(n):
            place[rows[c]] = -1
        # Equal scores by row, so that the map does not depend on how candidates were found.
        by_row = np.argsort(rows[:n], kind="mergesort")
        best = by_row[np.argsort(-score[by_row], kind="mergesort")]
        for c in range(min(n, length)):
            neighbours[item, c] = rows[best[c]]
            scores[item, c] = score[best[c]] / (strength + prior)
