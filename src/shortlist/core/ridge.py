"""Small ridge regressions, compiled, without a library behind them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel


@kernel
def cholesky_solve(system: NDArray[np.float64], side: NDArray[np.float64], m: int) -> None:
    """Solve `system[:m, :m] x = side[:m]` in place; the system's lower triangle is overwritten.

    The system is symmetric and positive definite; a pivot that rounding leaves without weight
    counts as a small one.
    """
    for a in range(m):
        for b in range(a):
            total = system[a, b]
            for c in range(b):
                total -= system[a, c] * system[b, c]
            system[a, b] = total / system[b, b]
        pivot = system[a, a]
        least = 1e-9 * pivot
        for c in range(a):
            pivot -= system[a, c] * system[a, c]
        system[a, a] = np.sqrt(max(pivot, least, 1e-30))
    for a in range(m):
        total = side[a]
        for c in range(a):
            total -= system[a, c] * side[c]
        side[a] = total / system[a, a]
    for a in range(m - 1, -1, -1):
        total = side[a] / system[a, a]
        side[a] = total
        for c in range(a):
            side[c] -= system[a, c] * total


@kernel
def _by_vectors(
    vectors: NDArray[np.float32],
    weights: NDArray[np.float32],
    diagonal: NDArray[np.float64],
    system: NDArray[np.float64],
    side: NDArray[np.float64],
    out: NDArray[np.float32],
) -> None:
    h, d = vectors.shape
    share = (1.0 / diagonal).astype(np.float32)
    scaled = np.empty(d, np.float32)
    for a in range(h):
        for k in range(d):
            scaled[k] = vectors[a, k] * share[k]
        for b in range(a + 1):
            total = np.float32(0)
            for k in range(d):
                total += scaled[k] * vectors[b, k]
            system[a, b] = total
        system[a, a] += 1.0 / weights[a]
        side[a] = 1.0
    cholesky_solve(system, side, h)
    out[:] = 0
    for a in range(h):
        part = np.float32(side[a])
        for k in range(d):
            out[k] += part * vectors[a, k]
    for k in range(d):
        out[k] *= share[k]


@kernel
def _by_dimensions(
    vectors: NDArray[np.float32],
    weights: NDArray[np.float32],
    diagonal: NDArray[np.float64],
    system: NDArray[np.float64],
    side: NDArray[np.float64],
    out: NDArray[np.float32],
) -> None:
    h, d = vectors.shape
    for k in range(d):
        side[k] = 0.0
        system[k, :k] = 0.0
        system[k, k] = diagonal[k]
    for a in range(h):
        for k in range(d):
            weighted = np.float64(weights[a]) * vectors[a, k]
            side[k] += weighted
            for c in range(k + 1):
                system[k, c] += weighted * vectors[a, c]
    cholesky_solve(system, side, d)
    for k in range(d):
        out[k] = side[k]


@kernel
def fold_in(
    vectors: NDArray[np.float32],
    weights: NDArray[np.float32],
    diagonal: NDArray[np.float64],
    system: NDArray[np.float64],
    side: NDArray[np.float64],
    out: NDArray[np.float32],
) -> None:
    """Solve `(diag(diagonal) + Σ w v vᵀ) u = Σ w v` into `out`.

    By Woodbury's identity this takes a system of one row for each vector instead of one for
    each dimension, whichever is
    smaller.

    Args:
        vectors: `float32[h, d]`.
        weights: `float32[h]`, above 0.
        diagonal: `float64[d]`, above 0.
        system: scratch, at least `min(h, d)` square.
        side: scratch, as long.
        out: `float32[d]`.
    """
    if len(vectors) < len(diagonal):
        _by_vectors(vectors, weights, diagonal, system, side, out)
    else:
        _by_dimensions(vectors, weights, diagonal, system, side, out)
