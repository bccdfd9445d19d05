"""What each feature contributes to the score of boosted trees: exact Shapley values.

Path-dependent TreeSHAP (Lundberg et al., Nature Machine Intelligence 2, 2020): a feature that is
not known is followed both ways, weighed by the training rows that went each way. Instead of the
published recursion, Owen's multilinear extension is used: in the value of one leaf, feature i of
its path contributes

    leaf · (o_i - z_i) · ∫₀¹ Π_{j≠i} (z_j (1 - t) + o_j t) dt,

o_j whether the row follows the path at every split on j, z_j the share of training rows that do.
The integrand is a polynomial of a degree below the number of features on the path, which
Gauss-Legendre quadrature integrates exactly.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel
from shortlist.release.trees import MAX_LEAVES, Trees


def _quadratures() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points and weights on [0, 1] by number of features, `float64[MAX_LEAVES, ·]`."""
    points = np.zeros((MAX_LEAVES, MAX_LEAVES // 2 + 2))
    weights = np.zeros_like(points)
    for depth in range(MAX_LEAVES):
        count = (depth + 1) // 2 + 1
        at, weight = np.polynomial.legendre.leggauss(count)
        points[depth, :count], weights[depth, :count] = (at + 1) / 2, weight / 2
    return points, weights


POINTS, WEIGHTS = _quadratures()


def contributions(trees: Trees, x: NDArray[np.float32]) -> tuple[float, NDArray[np.float64]]:
    """The mean score of the training rows, and what each feature adds to it for each row.

    Args:
        trees: the model.
        x: `float32[f, n]`, as `tree_scores.score` takes it.

    Returns:
        base, and `float64[f, n]`; base plus the sum over features is the row's score.
    """
    out = np.zeros(x.shape, np.float64)
    base = _shapley(
        trees.node_offsets,
        trees.feature,
        trees.threshold,
        trees.left_stop,
        trees.leaf_offsets,
        trees.leaf,
        trees.cover,
        x,
        POINTS,
        WEIGHTS,
        out,
    )
    return float(base), out


@kernel
def _shapley(
    node_offsets: NDArray[np.int64],
    feature: NDArray[np.int32],
    threshold: NDArray[np.float32],
    left_stop: NDArray[np.uint8],
    leaf_offsets: NDArray[np.int64],
    leaf: NDArray[np.float64],
    cover: NDArray[np.float32],
    x: NDArray[np.float32],
    points: NDArray[np.float64],
    weights: NDArray[np.float64],
    out: NDArray[np.float64],
) -> float:
    n = x.shape[1]
    base = 0.0
    known = np.empty(x.shape[0], np.int64)  # feature → its place on the path, -1 for none
    known.fill(-1)
    path = np.empty(64, np.int64)
    share = np.empty(64, np.float64)
    follows = np.empty((64, n), np.bool_)
    total = np.empty(65, np.float64)  # running sums of one tree's cover
    for tree in range(len(node_offsets) - 1):
        first, start = node_offsets[tree], leaf_offsets[tree]
        size = leaf_offsets[tree + 1] - start
        total[0] = 0.0
        for j in range(size):
            total[j + 1] = total[j] + cover[start + j]
        for target in range(size):
            value = leaf[start + target]
            base += value * cover[start + target] / total[size]
            depth = 0
            node, low, high = first, np.int64(0), size
            while high - low > 1:
                f, middle = feature[node], np.int64(left_stop[node])
                left = target < middle
                step = total[middle] - total[low] if left else total[high] - total[middle]
                if known[f] < 0:
                    known[f] = depth
                    path[depth] = f
                    share[depth] = 1.0
                    for i in range(n):
                        follows[depth, i] = True
                    depth += 1
                place = known[f]
                share[place] *= step / (total[high] - total[low])
                for i in range(n):
                    follows[place, i] &= (x[f, i] <= threshold[node]) == left
                if left:
                    node += 1
                    high = middle
                else:
                    node += middle - low
                    low = middle
            _spread(value, depth, path, share, follows, points, weights, out)
            for j in range(depth):
                known[path[j]] = -1
    return base


@kernel
def _spread(
    value: float,
    depth: int,
    path: NDArray[np.int64],
    share: NDArray[np.float64],
    follows: NDArray[np.bool_],
    points: NDArray[np.float64],
    weights: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Share one leaf's value among the features of its path."""
    for i in range(out.shape[1]):
        for q in range((depth + 1) // 2 + 1):  # so many points are exact for this degree
            t = points[depth, q]
            product = weights[depth, q] * value
            for j in range(depth):
                product *= share[j] * (1 - t) + (t if follows[j, i] else 0.0)
            for j in range(depth):
                o = 1.0 if follows[j, i] else 0.0
                factor = share[j] * (1 - t) + o * t
                out[path[j], i] += (o - share[j]) * product / factor
