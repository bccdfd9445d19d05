"""Older requests to fit on, newer ones to choose by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist.offline.evaluate import metrics
from shortlist.offline.ranking.rows import Rows

VALIDATION = 0.15
"""The newest part of the requests; how long to train is chosen on it."""
PATIENCE = 60
"""Trees without an improvement before training stops."""
SMOOTH = 25
"""Trees that the validation metric is averaged over before its best place is taken: on a few
hundred requests a handful of early trees often leads by chance."""
MANY = 500_000
"""Rows from which on training uses every core."""


@dataclass(frozen=True)
class Set:
    """Rows of some requests with one label.

    Attributes:
        x: `float32[f, n]`.
        label, weight: `float32[n]`.
        offsets: `int64[g + 1]`, the rows of each request.
    """

    x: NDArray[np.float32]
    label: NDArray[np.float32]
    weight: NDArray[np.float32]
    offsets: NDArray[np.int64]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """How many rows each request has."""
        return np.diff(self.offsets)

    @property
    def request_weight(self) -> NDArray[np.float32]:
        """The mean weight of each request's positive rows, 1 without any; `float32[g]`."""
        request = np.repeat(np.arange(len(self.sizes)), self.sizes)
        total = np.bincount(request, self.weight * self.label, len(self.sizes))
        count = np.bincount(request, self.label, len(self.sizes))
        return np.where(count > 0, total / np.maximum(count, 1), 1).astype(np.float32)


def cut_of(rows: Rows) -> int:
    """The request from which on requests are for validation."""
    return rows.requests - max(1, int(rows.requests * VALIDATION))


def split(rows: Rows, label: NDArray[np.float32]) -> tuple[Set, Set]:
    """The older and the newer requests of rows, with a label `float32[n]`."""
    cut = cut_of(rows)
    border = int(rows.offsets[cut])
    old = Set(rows.x[:, :border], label[:border], rows.weight[:border], rows.offsets[: cut + 1])
    offsets = rows.offsets[cut:] - border
    new = Set(rows.x[:, border:], label[border:], rows.weight[border:], offsets)
    return old, new


def ndcg(
    scores: NDArray[np.floating], label: NDArray[np.float32], offsets: NDArray[np.int64]
) -> float:
    """Mean nDCG@10 over the requests that have a positive; ties count against the scores."""
    return float(per_request(scores, label, offsets).mean())


def per_request(
    scores: NDArray[np.floating], label: NDArray[np.float32], offsets: NDArray[np.int64]
) -> NDArray[np.float64]:
    """nDCG@10 of each request that has a positive among its rows."""
    sizes = np.diff(offsets)
    request = np.repeat(np.arange(len(sizes)), sizes)
    wanted = np.bincount(request, label, len(sizes)).astype(np.int64)
    order = np.lexsort((label, -scores, request))
    place = np.arange(len(order)) - offsets[request]
    near = place < 10
    hit = np.zeros((len(sizes), 10), np.bool_)
    hit[request[near], place[near]] = label[order][near] > 0
    return metrics.ndcg(hit[wanted > 0], wanted[wanted > 0], 10)


def best_place(measured: NDArray[np.float64]) -> int:
    """How many steps to keep: the middle of the best stretch of `SMOOTH` steps."""
    window = min(SMOOTH, len(measured))
    means = np.convolve(measured, np.full(window, 1 / window), mode="valid")
    return int(np.argmax(means)) + window // 2 + 1
