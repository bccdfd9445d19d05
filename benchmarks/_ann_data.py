"""The vectors that `ann.py` searches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

DEPTH = 100
_CHUNK = 65_536


@dataclass(frozen=True)
class Data:
    """Vectors, queries, and the true neighbours of each query, best first."""

    name: str
    vectors: NDArray[np.float32]
    queries: NDArray[np.float32]
    truth: NDArray[np.int64]


def clustered(n: int, queries: int) -> Data:
    """384 numbers that lie near 32 dimensions, around thousands of centres, as encoders make."""
    random = np.random.default_rng([1, n])
    basis = random.normal(size=(32, 384)).astype(np.float32) / np.sqrt(32)
    centres = random.normal(size=(max(n // 50, 20), 32)).astype(np.float32)

    def draw(count: int) -> NDArray[np.float32]:
        inner = centres[random.integers(0, len(centres), count)]
        inner = inner + 0.5 * random.normal(size=inner.shape).astype(np.float32)
        noise = random.normal(size=(count, 384)).astype(np.float32)
        return _unit(inner @ basis + 0.02 * noise)

    return _ready(f"clustered {n:,} x 384", _chunked(draw, n, 384), draw(queries))


def hard(n: int, queries: int) -> Data:
    """100 numbers whose variances fall slowly, with heavy tails: neighbours are far for most."""
    random = np.random.default_rng([2, n])
    scale = (np.arange(1, 101) ** -0.25).astype(np.float32)

    def draw(count: int) -> NDArray[np.float32]:
        return _unit((random.standard_t(5, size=(count, 100)) * scale).astype(np.float32))

    return _ready(f"hard {n:,} x 100", _chunked(draw, n, 100), draw(queries))


def trained(path: Path, n: int | None, queries: int) -> Data:
    """Vectors of a trained model: a `.npy`, or a folder in which a release keeps an index.

    Queries are vectors taken out of the file, so they are no item of what is searched.
    """
    file = path / "vectors.npy" if path.is_dir() else path
    stored = np.load(file, mmap_mode="r", allow_pickle=False)
    random = np.random.default_rng([3, len(stored)])
    order = random.permutation(len(stored))
    order = order if n is None else order[: n + queries]
    queries = min(queries, len(order) // 10)
    asked, kept = np.sort(order[:queries]), np.sort(order[queries:])
    vectors = np.ascontiguousarray(stored[kept], np.float32)
    name = (
        f"{file.parent.name if path.is_dir() else file.stem} {len(vectors):,} x {stored.shape[1]}"
    )
    return _ready(name, vectors, np.ascontiguousarray(stored[asked], np.float32))


def _chunked(draw, n: int, dim: int) -> NDArray[np.float32]:
    vectors = np.empty((n, dim), np.float32)
    for start in range(0, n, _CHUNK):
        stop = min(start + _CHUNK, n)
        vectors[start:stop] = draw(stop - start)
    return vectors


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def _ready(name: str, vectors: NDArray[np.float32], queries: NDArray[np.float32]) -> Data:
    faiss.omp_set_num_threads(faiss.omp_get_max_threads())
    _, truth = faiss.knn(
        queries, vectors, min(DEPTH, len(vectors)), metric=faiss.METRIC_INNER_PRODUCT
    )
    return Data(name, vectors, queries, truth)


def true_allowed(data: Data, allowed: NDArray[np.bool_], k: int) -> NDArray[np.int64]:
    """The true neighbours among the allowed vectors, -1 past the last."""
    rows = np.flatnonzero(allowed)
    depth = min(k, len(rows))
    _, places = faiss.knn(
        data.queries, data.vectors[rows], depth, metric=faiss.METRIC_INNER_PRODUCT
    )
    truth = np.full((len(data.queries), k), -1, np.int64)
    truth[:, :depth] = rows[places]
    return truth


def recall(found: NDArray[np.int64], truth: NDArray[np.int64], k: int) -> float:
    """The share of the first k true neighbours that are among the first k found."""
    hits = total = 0
    for row, true in zip(found[:, :k], truth[:, :k], strict=True):
        wanted = set(true[true >= 0].tolist())
        hits += len(wanted & set(row.tolist()))
        total += len(wanted)
    return hits / max(total, 1)
