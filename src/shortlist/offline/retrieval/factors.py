"""`factors`: implicit matrix factorisation by alternating least squares.

Hu, Koren and Volinsky, "Collaborative filtering for implicit feedback datasets" (ICDM 2008), with
the objective and the frequency-scaled regularisation of Rendle, Krichene, Zhang and Koren,
"Revisiting the performance of iALS on item recommendation benchmarks" (RecSys 2022, section 2,
equations 1 to 4).
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from shortlist.config.schema import FactorsRetriever
from shortlist.core.jit import kernel
from shortlist.core.progress import Progress
from shortlist.core.ridge import cholesky_solve, fold_in
from shortlist.offline.data.training import TrainingData
from shortlist.release.artefacts import Artefact, ItemFactors, ItemVectors

SCALE = 0.1
"""Vectors start as long as this on average (Rendle et al., section 4.3)."""
_PARTS = 64


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
    user, item, weight = _pairs(data)
    users, rows = np.unique(user), np.unique(item).astype(np.int32)
    by_user = _grouped(np.searchsorted(users, user), np.searchsorted(rows, item), weight)
    by_item = _grouped(np.searchsorted(rows, item), np.searchsorted(users, user), weight)
    rng = np.random.default_rng([seed, 0xA15])
    dim = min(config.dim, max(1, len(rows), len(users)))
    vectors = rng.normal(0, SCALE / np.sqrt(dim), (len(rows), dim)).astype(np.float32)
    progress.step("factors: epochs", config.epochs)
    if len(rows):
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for _ in range(config.epochs):
                taste = _half(by_user, vectors, config, pool)
                vectors = _half(by_item, taste, config, pool)
                progress.advance(1)
    vectors, gram = _rotated(vectors, config.unseen)
    return {
        "factors": ItemFactors(
            gram.astype(np.float32),
            config.regularisation,
            config.unseen * len(rows),
            config.power,
            config.decay,
            config.history,
        ),
        "vector": ItemVectors(rows, vectors),
    }


Grouped = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]
"""Pairs in CSR: offsets, columns, weights."""


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
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Vectors in the basis in which their Gram matrix is diagonal, and `unseen` times it."""
    gram = (vectors.T @ vectors).astype(np.float64)
    values, basis = np.linalg.eigh(gram)
    return np.ascontiguousarray(vectors @ basis.astype(np.float32)), unseen * np.maximum(values, 0)


def _half(
    pairs: Grouped, fixed: NDArray[np.float32], config: FactorsRetriever, pool: ThreadPoolExecutor
) -> NDArray[np.float32]:
    """Solve every row of one side exactly, the other side's vectors fixed.

    In the rotated basis the part that all rows share is diagonal, so a row with fewer pairs than
    dimensions takes a system as small as its pairs (Woodbury), and no row is approximated.
    """
    offsets, columns, weights = pairs
    fixed, gram = _rotated(fixed, config.unseen)
    out = np.empty((len(offsets) - 1, fixed.shape[1]), np.float32)
    lengths = np.diff(offsets)
    cost = config.regularisation * (lengths + config.unseen * len(fixed)) ** config.power
    # Parts hold about as many pairs each, so that threads end together.
    parts = np.unique(np.searchsorted(offsets, np.linspace(0, offsets[-1], _PARTS + 1)))
    parts = np.unique(np.clip(np.append(parts, len(out)), 0, len(out)))

    def solve(part: int) -> None:
        _solve(parts[part], parts[part + 1], offsets, columns, weights, fixed, gram, cost, out)

    list(pool.map(solve, range(len(parts) - 1)))
    return out


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
    system = np.empty((d, d))
    side = np.empty(d)
    diagonal = np.empty(d)
    chunk = 256
    scaled = np.empty((chunk, d), np.float32)
    total = np.empty((d, d), np.float32)
    for row in range(first, stop):
        start, end = offsets[row], offsets[row + 1]
        for k in range(d):
            diagonal[k] = gram[k] + cost[row] + 1e-9
        if end - start < d:
            fold_in(fixed[columns[start:end]], weights[start:end], diagonal, system, side, out[row])
            continue
        system[:] = 0
        side[:] = 0
        for at in range(start, end, chunk):
            n = min(chunk, end - at)
            for a in range(n):
                root = np.sqrt(weights[at + a])
                column = columns[at + a]
                for k in range(d):
                    scaled[a, k] = root * fixed[column, k]
                    side[k] += root * scaled[a, k]
            np.dot(scaled[:n].T, scaled[:n], total)
            system += total
        for k in range(d):
            system[k, k] += diagonal[k]
        cholesky_solve(system, side, d)
        for k in range(d):
            out[row, k] = side[k]
