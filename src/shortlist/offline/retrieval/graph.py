"""The item graph: which items follow which within sessions, as a weighted graph in CSR arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval.sampling import State, unit


@dataclass(frozen=True)
class ItemGraph:
    """Directed edges; those of item `i` are at `offsets[i]:offsets[i + 1]`, ascending by target.

    Attributes:
        offsets: `int64[items + 1]`.
        targets: `int32[edges]`.
        weights: `float64[edges]`, above 0.
        cumulative: `float64[edges]`, the running sum of the weights of each item's edges.
    """

    offsets: NDArray[np.int64]
    targets: NDArray[np.int32]
    weights: NDArray[np.float64]
    cumulative: NDArray[np.float64]

    @property
    def items(self) -> int:
        """The number of item rows."""
        return len(self.offsets) - 1

    @property
    def sources(self) -> NDArray[np.int64]:
        """The item that each edge leaves, `int64[edges]`."""
        return np.repeat(np.arange(self.items), np.diff(self.offsets))

    def strength(self) -> NDArray[np.float64]:
        """The weight of each item's edges together, `float64[items]`."""
        return np.bincount(self.sources, self.weights, self.items).astype(np.float64)


def build(data: TrainingData, reach: int) -> ItemGraph:
    """The graph of a log (Wang et al. 2018, section 3.1), reaching past the next item.

    Items of one session that are `g` events apart, `g` up to `reach`, are joined in both
    directions by an edge that weighs `1 / g` times the geometric mean of the events' weights,
    summed over all sessions. The paper joins consecutive items only, in their order; a log that
    ticks in seconds has no order within a second (`docs/decisions/06-item-graph.md` has figures).
    An item is never joined with itself.
    """
    items = data.items
    pairs, weights = np.empty(0, np.int64), np.empty(0)
    for gap in range(1, reach + 1):
        near = (data.session[gap:] == data.session[:-gap]) & (data.user[gap:] == data.user[:-gap])
        near &= data.item[gap:] != data.item[:-gap]
        one, other = data.item[:-gap][near], data.item[gap:][near]
        weight = np.sqrt(data.weight[:-gap][near] * data.weight[gap:][near]) / gap
        # An undirected pair is one key, so that a reach of r sorts r logs and not 2 r at once.
        pair = np.minimum(one, other).astype(np.int64) * items + np.maximum(one, other)
        pairs, weights = _summed(
            np.concatenate([pairs, pair]), np.concatenate([weights, weight.astype(np.float64)])
        )
    low, high = pairs // max(1, items), pairs % max(1, items)
    edges, weights = _summed(
        np.concatenate([pairs, high * items + low]), np.concatenate([weights, weights])
    )
    offsets = np.searchsorted(edges, np.arange(items + 1) * items)
    targets = (edges % max(1, items)).astype(np.int32)
    return ItemGraph(offsets, targets, weights, _running_sums(offsets, weights))


def _summed(
    keys: NDArray[np.int64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Each key once, ascending, with the sum of its weights."""
    once, place = np.unique(keys, return_inverse=True)
    return once, np.bincount(place, weights, len(once)).astype(np.float64)


@kernel
def _running_sums(offsets: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    out = np.empty_like(weights)
    for i in range(len(offsets) - 1):
        total = 0.0
        for e in range(offsets[i], offsets[i + 1]):
            total += weights[e]
            out[e] = total
    return out


@kernel
def walk(
    offsets: NDArray[np.int64],
    targets: NDArray[np.int32],
    cumulative: NDArray[np.float64],
    start: int,
    path: NDArray[np.int32],
    state: State,
) -> int:
    """Walk from `start`, each step by edge weight, into `path`; returns how many items it has.

    The walk ends early at an item without edges.
    """
    path[0] = start
    length = 1
    while length < len(path):
        first, stop = offsets[path[length - 1]], offsets[path[length - 1] + 1]
        if first == stop:
            break
        reached = unit(state) * cumulative[stop - 1]
        low, high = first, stop - 1
        while low < high:
            middle = (low + high) // 2
            if cumulative[middle] <= reached:
                low = middle + 1
            else:
                high = middle
        path[length] = targets[low]
        length += 1
    return length
