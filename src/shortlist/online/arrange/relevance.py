"""Relevance: what rules work on, the same whatever ranks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import Bitmap, holds
from shortlist.core.jit import kernel


@kernel
def relevance_of(scores: NDArray[np.float32], order: NDArray[np.int64]) -> NDArray[np.float32]:
    """Scores brought to 0 (the lowest) to 1 (the highest), in an order; ones if all are equal."""
    out = np.ones(len(order), np.float32)
    if len(order) == 0:
        return out
    low = high = np.float64(scores[0])
    for score in scores:
        low, high = min(low, np.float64(score)), max(high, np.float64(score))
    if high > low:
        for i in range(len(order)):
            out[i] = (np.float64(scores[order[i]]) - low) / (high - low)
    return out


@kernel
def boost(
    rows: NDArray[np.int32],
    where: Bitmap,
    multiply: float,
    add: float,
    relevance: NDArray[np.float32],
) -> int:
    """Change the relevance of the rows that a rule holds for; how many it holds for."""
    changed = 0
    for i in range(len(rows)):
        if holds(where, rows[i]):
            relevance[i] = relevance[i] * multiply + add
            changed += 1
    return changed
