"""Older requests to fit on, newer ones to choose by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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

    def by_click(self) -> Set:
        """The same for objectives that compare rows in pairs, where rows weigh differently.

        A pair of a positive and a negative weighs what the positive does, on both sides: libraries
        weigh each row's own side by its own weight alone. So all rows of a request weigh as its
        positives, and a request whose positives weigh differently becomes one for each of them.
        """
        if (self.weight == 1).all():
            return self
        lines: list[NDArray[np.int64]] = []
        weights: list[NDArray[np.float32]] = []
        for start, stop in zip(self.offsets[:-1].tolist(), self.offsets[1:].tolist(), strict=True):
            every = np.arange(start, stop)
            positive = self.label[start:stop] > 0
            for value in np.unique(self.weight[start:stop][positive]).tolist() or [1.0]:
                here = ~positive | (self.weight[start:stop] == value)
                lines.append(every[here])
                own = np.where(positive, 1, self.weight[start:stop])[here]
                weights.append((value * own).astype(np.float32))
        chosen = np.concatenate(lines)
        offsets = np.concatenate([[0], np.cumsum([len(part) for part in lines])])
        weight = np.concatenate(weights)
        return Set(self.x[:, chosen], self.label[chosen], weight, offsets.astype(np.int64))

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
    scores: NDArray[np.floating],
    label: NDArray[np.float32],
    offsets: NDArray[np.int64],
    stands: NDArray[np.float32] | None = None,
) -> float:
    """The mean of `per_request`."""
    return float(per_request(scores, label, offsets, stands).mean())


def per_request(
    scores: NDArray[np.floating],
    label: NDArray[np.float32],
    offsets: NDArray[np.int64],
    stands: NDArray[np.float32] | None = None,
) -> NDArray[np.float64]:
    """nDCG@10 of each request that has a positive; ties count against the scores.

    Args:
        scores: `float[n]`.
        label: `float32[n]`, 0 or 1.
        offsets: `int64[g + 1]`, the rows of each request.
        stands: `float32[n]`, how many candidates a row stands for. With it, the order is that of
            all candidates of a request: a positive is below as many as the rows above it stand
            for, which is where it is expected if negatives were drawn evenly. None: rows alone.
    """
    sizes = np.diff(offsets)
    request = np.repeat(np.arange(len(sizes)), sizes)
    wanted = np.bincount(request, label, len(sizes)).astype(np.int64)
    order = np.lexsort((label, -scores, request))
    many = np.ones(len(order)) if stands is None else stands[order].astype(np.float64)
    below = np.concatenate([[0.0], np.cumsum(many)])
    place = below[:-1] - below[offsets[:-1]][request]
    near = (label[order] > 0) & (place < 10)
    gain = np.bincount(request[near], 1 / np.log2(place[near] + 2), len(sizes))
    best = np.cumsum(1 / np.log2(np.arange(10) + 2))
    kept = wanted > 0
    return np.asarray(gain[kept] / best[np.minimum(wanted[kept], 10) - 1])


def best_place(measured: NDArray[np.float64]) -> int:
    """How many steps to keep: the middle of the best stretch of `SMOOTH` steps."""
    window = min(SMOOTH, len(measured))
    means = np.convolve(measured, np.full(window, 1 / window), mode="valid")
    return int(np.argmax(means)) + window // 2 + 1
