"""The metrics as inner products, which is what indexes rank by.

`cosine`: both sides become unit vectors. `l2`: a vector x becomes (x, h) with h = -|x|²/2 and a
query q becomes (q, 1), so that their product is (|q|² - |q - x|²)/2, which orders as the negative
distance does. Source: Bachrach et al., "Speeding up the Xbox recommender system using a Euclidean
transformation for inner-product spaces", RecSys 2014, section 3, the other way round.
h is split over the columns that are added, because indexes may keep numbers at half precision:
one holds it rounded to half precision, the next what is left, all that is too large for a half too
(vectors with such numbers are never kept as halves).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist.stores.vectors.contract import Metric

Floats = NDArray[np.float32]

_ADDED = 4  # columns; a multiple of 4 keeps the widths that product quantisation likes
_SCALE = np.float32(64.0)  # h is divided by this in vectors, and multiplied in queries
_LEAST = np.float32(np.finfo(np.float16).min)


def indexed(vectors: Floats, metric: Metric) -> Floats:
    """Vectors `float32[n, d]` as an index holds them, `float32[n, d]` or, for l2, wider."""
    if metric == "dot":
        return vectors
    if metric == "cosine":
        return _unit(vectors)
    n, dim = vectors.shape
    half = -0.5 * np.einsum("ij,ij->i", vectors, vectors) / _SCALE
    coarse = np.maximum(half, _LEAST).astype(np.float16).astype(np.float32)
    out = np.zeros((n, dim + _ADDED), np.float32)
    out[:, :dim] = vectors
    out[:, dim] = coarse
    out[:, dim + 1] = half - coarse
    return out


def given(held: Floats, dim: int) -> Floats:
    """What an index holds without the columns that `indexed` added, `float32[n, dim]`."""
    return np.ascontiguousarray(held[:, :dim])


def asked(queries: Floats, metric: Metric) -> Floats:
    """Queries `float32[q, d]` as an index is asked them."""
    if metric == "dot":
        return queries
    if metric == "cosine":
        return _unit(queries)
    q, dim = queries.shape
    out = np.zeros((q, dim + _ADDED), np.float32)
    out[:, :dim] = queries
    out[:, dim : dim + 2] = _SCALE
    return out


def scored(products: Floats, queries: Floats, metric: Metric) -> Floats:
    """Inner products `float32[q, k]` as scores of the metric; -inf stays."""
    if metric != "l2":
        return products
    lengths = np.einsum("ij,ij->i", queries, queries)[:, None]
    return np.asarray(np.minimum(2.0 * products - lengths, 0.0), np.float32)


def _unit(vectors: Floats) -> Floats:
    # In float64: the squares of what float32 can hold may not fit into it.
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    return np.asarray(vectors / lengths[:, None], np.float32)
