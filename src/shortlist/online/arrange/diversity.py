"""How much less an item is worth beside those that are shown already.

`MMR`: maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998). An item's gain is
(1 - strength) · relevance - strength · (similarity to the nearest one shown).

`DPP`: greedy MAP of a determinantal point process (Chen, Zhang and Zhou, NeurIPS 2018, algorithm
1). With the kernel q_i S_ij q_j and q_i = exp((1 - strength) / (2 · strength) · relevance_i) the
gain in log det is, up to a factor, (1 - strength) · relevance + strength · log(residual_i): the
squared part of an item that those shown do not span. Where they span all that is left, the process
begins again, as in the paper's sliding windows.

Similarity lies in [0, 1] and is positive definite for both: (1 + cosine) / 2 of vectors, or the
share of values in common (Jaccard). What has no vector, or no values, is like nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel

NEITHER, MMR, DPP = 0, 1, 2
SPANNED = 1e-6
"""A residual below this is rounding."""


class Likeness(NamedTuple):
    """What kernels need to tell how alike h items are.

    Attributes:
        vectors: `float32[h, d]`, whose dot products are similarities; `float32[0, 0]` where
            values say so.
        rows: `int32[h]` catalogue rows.
        starts, ends: `int64[items]`, where an item's values are.
        codes: `int32[m]`, the values of each item.
    """

    vectors: NDArray[np.float32]
    rows: NDArray[np.int32]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    codes: NDArray[np.int32]


@kernel
def with_angles(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors whose dot products are (1 + cosine) / 2, `float32[h, d + 1]`; zeros stay zeros."""
    h, d = vectors.shape
    out = np.zeros((h, d + 1), np.float32)
    for i in range(h):
        square = np.float32(0)
        for j in range(d):
            square += vectors[i, j] * vectors[i, j]
        if square > 0:
            scale = np.float32(1) / np.sqrt(np.float32(2) * square)
            for j in range(d):
                out[i, j] = vectors[i, j] * scale
            out[i, d] = np.sqrt(np.float32(0.5))
    return out


@kernel
def similarities(
    likeness: Likeness, one: int, free: NDArray[np.bool_], out: NDArray[np.float64]
) -> None:
    """How alike item `one` and every free one is."""
    vectors, rows = likeness.vectors, likeness.rows
    if vectors.shape[1]:
        for i in range(len(out)):
            if free[i]:
                dot = np.float32(0)
                for j in range(vectors.shape[1]):
                    dot += vectors[one, j] * vectors[i, j]
                out[i] = dot
    else:
        for i in range(len(out)):
            if free[i]:
                out[i] = _in_common(likeness, rows[one], rows[i])


@kernel
def _in_common(likeness: Likeness, one: int, other: int) -> float:
    starts, ends, codes = likeness.starts, likeness.ends, likeness.codes
    if one >= len(starts) or other >= len(starts):
        return 0.0
    common = 0
    for i in range(starts[one], ends[one]):
        for j in range(starts[other], ends[other]):
            if codes[i] == codes[j]:
                common += 1
                break
    total = ends[one] - starts[one] + ends[other] - starts[other] - common
    return float(common) / float(total) if total else 0.0


@kernel
def show(
    method: int,
    likeness: Likeness,
    one: int,
    free: NDArray[np.bool_],
    state: NDArray[np.float64],
    columns: NDArray[np.float64],
    used: int,
    scratch: NDArray[np.float64],
) -> int:
    """Show item `one`.

    Args:
        method: `MMR` or `DPP`.
        likeness: of h items.
        one: which of them.
        free: `bool[h]`, those that are not shown yet; `one` no longer is.
        state: `float64[h]`. MMR: similarity to the nearest one shown, from 0. DPP: the residual,
            from 1. Changed in place; only that of free items means anything.
        columns: `float64[k, h]`, rows of the Cholesky factor; DPP only.
        used: how many of them there are.
        scratch: `float64[h]`.

    Returns:
        How many columns there are now.
    """
    residual = state[one]
    free[one] = False
    if method == MMR:
        similarities(likeness, one, free, scratch)
        for i in range(len(state)):
            if free[i]:
                state[i] = max(state[i], scratch[i])
        return 0
    if residual < SPANNED or used == len(columns):
        return used
    column = columns[used]
    column[:] = 0
    similarities(likeness, one, free, column)
    for m in range(used):
        weight = columns[m, one]
        for i in range(len(state)):
            column[i] -= weight * columns[m, i]
    scale = 1 / np.sqrt(residual)
    for i in range(len(state)):
        column[i] *= scale
        state[i] -= column[i] * column[i]
    return used + 1


@kernel
def worths(
    method: int, strength: float, relevance: NDArray[np.float32], heads: NDArray[np.int64]
) -> NDArray[np.float64]:
    """What relevance brings to the gain of each of the h items, `float64[h]`.

    MMR: a term. DPP: the factor q², over that of the first candidate.
    """
    out = np.empty(len(heads))
    for i in range(len(heads)):
        if method == MMR:
            out[i] = (1 - strength) * relevance[heads[i]]
        else:
            below = np.float64(relevance[heads[i]]) - relevance[0]
            out[i] = np.exp((1 - strength) / strength * below)
    return out


@kernel
def gain(method: int, strength: float, worth: float, state: float) -> float:
    """What showing an item next is worth; of a DPP the exponential of it."""
    if method == MMR:
        return worth - strength * state
    return worth * max(state, SPANNED)
