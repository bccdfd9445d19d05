"""`factors`: implicit matrix factorisation by alternating least squares.

Hu, Koren and Volinsky, "Collaborative filtering for implicit feedback datasets" (ICDM 2008), with
the objective and the frequency-scaled regularisation of Rendle, Krichene, Zhang and Koren,
"Revisiting the performance of iALS on item recommendation benchmarks" (RecSys 2022, section 2,
equations 1 to 4). Rows with many pairs take conjugate gradient steps from where they were (Takács,
Pilászy and Tikk, "Applications of the conjugate gradient method for implicit feedback collaborative
filtering", RecSys 2011).
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from shortlist.config.schema import FactorsRetriever
from shortlist.core.jit import kernel
from shortlist.core.progress import Progress
from shortlist.core.ridge import fold_in
from shortlist.index.tune import QUERIES
from shortlist.offline.data.training import TrainingData
from shortlist.release.artefacts import Artefact, ItemFactors, ItemVectors

SCALE = 0.1
"""Vectors start as long as this on average (Rendle et al., section 4.3)."""
STEPS = 3
"""Conjugate gradient steps of a row in an epoch; each starts from where the last one ended."""
FEW = 16
"""Rows with fewer pairs are solved exactly, which costs them less than the steps."""
TINY = 1e-20
"""A residual of this squared length is none."""
_PARTS = 64


Grouped = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]
"""Pairs in CSR: offsets, columns, weights."""


def fit(
    data: TrainingData, config: FactorsRetriever, seed: int, progress: Progress
) -> dict[str, Artefact]:
    """Vectors of items, and what a user is folded in with.

    A pair of a user and an item counts once, with the largest weight of its events in units of
    the mean. Items that nobody took have no vector.

    Args:
        data: the interactions.
        config: sizes and costs.
        seed: of the first vectors.
        progress: advances by epochs.

    Returns:
        `factors`: an `ItemFactors`.
        `vector`: an `ItemVectors`, rotated so that the Gram matrix is diagonal.
    """
    data = data.frequent()
    by_user, by_item, users, rows = grouped(data)
    vectors = start(len(rows), min(config.dim, max(1, len(rows), len(users))), seed)
    taste = np.zeros((0, vectors.shape[1]), np.float32)
    progress.step("factors: epochs", config.epochs)
    if len(rows):
        taste, vectors = alternate(by_user, by_item, vectors, config, progress)
    turn, vectors, gram = _rotated(vectors, config.unseen)
    some = np.random.default_rng([seed, len(taste)]).permutation(len(taste))[:QUERIES]
    return {
        "factors": ItemFactors(
            gram.astype(np.float32),
            config.regularisation,
            config.unseen * len(rows),
            config.power,
            config.decay,
            config.history,
        ),
        "vector": ItemVectors(rows, vectors, taste[np.sort(some)] @ turn),
    }


def grouped(
    data: TrainingData,
) -> tuple[Grouped, Grouped, NDArray[np.int64], NDArray[np.int32]]:
    """The pairs of each user and of each item, and the rows of users and items that have any."""
    user, item, weight = _pairs(data)
    users, rows = np.unique(user), np.unique(item).astype(np.int32)
    by_user = _grouped(np.searchsorted(users, user), np.searchsorted(rows, item), weight)
    by_item = _grouped(np.searchsorted(rows, item), np.searchsorted(users, user), weight)
    return by_user, by_item, users, rows


def start(items: int, dim: int, seed: int) -> NDArray[np.float32]:
    """The item vectors that learning starts from, `float32[items, dim]`."""
    rng = np.random.default_rng([seed, 0xA15])
    return rng.normal(0, SCALE / np.sqrt(dim), (items, dim)).astype(np.float32)


def alternate(
    by_user: Grouped,
    by_item: Grouped,
    vectors: NDArray[np.float32],
    config: FactorsRetriever,
    progress: Progress,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Solve users and items in turn, `config.epochs` times.

    Args:
        by_user, by_item: the pairs, of each user and of each item.
        vectors: `float32[items, dim]` to start from.
        config: costs.
        progress: advances by epochs.

    Returns:
        Vectors of users and of items, in one basis.
    """
    taste = np.zeros((len(by_user[0]) - 1, vectors.shape[1]), np.float32)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in range(config.epochs):
            taste, vectors = _half(by_user, vectors, taste, config, pool)
            vectors, taste = _half(by_item, taste, vectors, config, pool)
            progress.advance(1)
    return taste, vectors


def _pairs(
    data: TrainingData,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Each pair of a user and an item once, with its weight; sorted by user, then item."""
    keys = data.user.astype(np.int64) * max(1, data.items) + data.item
    once, place = np.unique(keys, return_inverse=True)
    weight = np.zeros(len(once), np.float32)
    np.maximum.at(weight, place, data.weight)
    if len(once):
        weight /= weight.mean()
    return once // max(1, data.items), once % max(1, data.items), weight


def _grouped(
    row: NDArray[np.int64], column: NDArray[np.int64], weight: NDArray[np.float32]
) -> Grouped:
    order = np.argsort(row, kind="stable")
    offsets = np.zeros(int(row.max(initial=-1)) + 2, np.int64)
    np.cumsum(np.bincount(row), out=offsets[1:])
    return offsets, column[order].astype(np.int32), weight[order]


def _rotated(
    vectors: NDArray[np.float32], unseen: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]:
    """A basis in which the vectors' Gram matrix is diagonal, they in it, and `unseen` times it."""
    gram = (vectors.T @ vectors).astype(np.float64)
    values, basis = np.linalg.eigh(gram)
    turn = basis.astype(np.float32)
    return turn, np.ascontiguousarray(vectors @ turn), unseen * np.maximum(values, 0)


def _half(
    pairs: Grouped,
    fixed: NDArray[np.float32],
    before: NDArray[np.float32],
    config: FactorsRetriever,
    pool: ThreadPoolExecutor,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Solve every row of one side, the other side's vectors fixed; both come back in a new basis.

    In the rotated basis the part that all rows share is diagonal. A row with few pairs takes a
    system as small as its pairs (Woodbury) and is solved exactly; one with many takes `STEPS` of
    conjugate gradients from its vector `before`, and these cost no more than reading its pairs.
    """
    offsets, columns, weights = pairs
    turn, fixed, gram = _rotated(fixed, config.unseen)
    out = np.ascontiguousarray(before @ turn)
    lengths = np.diff(offsets)
    cost = config.regularisation * (lengths + config.unseen * len(fixed)) ** config.power
    # Parts hold about as many pairs each, so that threads end together.
    parts = np.unique(np.searchsorted(offsets, np.linspace(0, offsets[-1], _PARTS + 1)))
    parts = np.unique(np.clip(np.append(parts, len(out)), 0, len(out)))

    def solve(part: int) -> None:
        _solve(parts[part], parts[part + 1], offsets, columns, weights, fixed, gram, cost, out)

    list(pool.map(solve, range(len(parts) - 1)))
    return out, fixed


@kernel
def _solve(
    first: int,
    stop: int,
    offsets: NDArray[np.int64],
    columns: NDArray[np.int32],
    weights: NDArray[np.float32],
    fixed: NDArray[np.float32],
    gram: NDArray[np.float64],
    cost: NDArray[np.float64],
    out: NDArray[np.float32],
) -> None:
    d = fixed.shape[1]
    few = min(FEW, d)
    system = np.empty((few, few))
    side = np.empty(few)
    diagonal = np.empty(d)
    shared = np.empty(d, np.float32)
    work = np.empty((4, d), np.float32)
    for row in range(first, stop):
        start, end = offsets[row], offsets[row + 1]
        for k in range(d):
            diagonal[k] = gram[k] + cost[row] + 1e-9
        if end - start < few:
            fold_in(fixed[columns[start:end]], weights[start:end], diagonal, system, side, out[row])
            continue
        for k in range(d):
            shared[k] = diagonal[k]
        _descend(columns[start:end], weights[start:end], fixed, shared, work, out[row])


@kernel
def _descend(
    columns: NDArray[np.int32],
    weights: NDArray[np.float32],
    fixed: NDArray[np.float32],
    shared: NDArray[np.float32],
    work: NDArray[np.float32],
    x: NDArray[np.float32],
) -> None:
    """Steps toward `(diag(shared) + Σ w v vᵀ) x = Σ w v`, preconditioned by its diagonal."""
    d = len(x)
    rest, along, product, scale = work[0], work[1], work[2], work[3]
    for k in range(d):
        rest[k] = -shared[k] * x[k]
        scale[k] = shared[k]
    for p in range(len(columns)):
        vector, weight = fixed[columns[p]], weights[p]
        dot = np.float32(0)
        for k in range(d):
            dot += vector[k] * x[k]
        step = weight * (np.float32(1) - dot)
        for k in range(d):
            rest[k] += step * vector[k]
            scale[k] += weight * vector[k] * vector[k]
    size = np.float32(0)
    for k in range(d):
        scale[k] = np.float32(1) / scale[k]
        along[k] = scale[k] * rest[k]
        size += rest[k] * along[k]
    for _ in range(STEPS):
        if size < TINY:
            return
        _multiply(columns, weights, fixed, shared, along, product)
        curve = np.float32(0)
        for k in range(d):
            curve += along[k] * product[k]
        step = size / curve
        last, size = size, np.float32(0)
        for k in range(d):
            x[k] += step * along[k]
            rest[k] -= step * product[k]
            size += rest[k] * scale[k] * rest[k]
        for k in range(d):
            along[k] = scale[k] * rest[k] + size / last * along[k]


@kernel
def _multiply(
    columns: NDArray[np.int32],
    weights: NDArray[np.float32],
    fixed: NDArray[np.float32],
    shared: NDArray[np.float32],
    along: NDArray[np.float32],
    product: NDArray[np.float32],
) -> None:
    """`(diag(shared) + Σ w v vᵀ) along` into `product`."""
    d = len(along)
    for k in range(d):
        product[k] = shared[k] * along[k]
    for p in range(len(columns)):
        vector = fixed[columns[p]]
        dot = np.float32(0)
        for k in range(d):
            dot += vector[k] * along[k]
        dot *= weights[p]
        for k in range(d):
            product[k] += dot * vector[k]
