"""How many clusters and codes an inverted file gets, and how its centroids are ranked.

A flat ranking of 4,096 centroids would take as long as the rest of a search, so centroids are
ranked by 4-bit codes and the best of those exactly.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import faiss
import numpy as np

_CODED_FROM = 150_000
"""From so many numbers in all centroids on, they are ranked by codes."""


def lists_for(n: int) -> int:
    """How many clusters n vectors get: near 4·√n, a power of two, at least 39 vectors in each."""
    wanted = 2 ** round(np.log2(4 * np.sqrt(max(n, 1))))
    while wanted > 1 and wanted * 39 > n:
        wanted //= 2
    return int(wanted)


def quantisers_for(dim: int) -> int:
    """How many 4-bit sub-quantisers: about 100, each of 1 number up to 128, 2 up to 256, else 4.

    Measured at 8 to 128 dimensions: one per number reaches the same recall with half the
    candidates. Widths that do not divide the length give way to narrower ones.
    """
    widest = 1 if dim <= 128 else 2 if dim <= 256 else 4
    return dim // max(width for width in range(1, widest + 1) if dim % width == 0)


def centroids_refined(nprobe: int) -> float:
    """How many coded centroids are compared exactly for each list visited.

    Few lists must be the right ones; of many, the last few hardly matter.
    """
    return max(1.5, 4.5 - 0.4 * math.log2(max(nprobe, 1)))


@cache  # faiss keeps a bare pointer to it
def centroid_parameters(nprobe: int) -> Any:
    """How faiss is told `centroids_refined`."""
    parameters = faiss.IndexRefineSearchParameters()
    parameters.k_factor = centroids_refined(nprobe)
    return parameters


def rank_by_codes(coarse: Any, lists: int, dim: int) -> None:
    """Give a trained and filled inverted file the quantiser for searching; see the module.

    Training and assigning go through the flat one, which is faster in bulk and exact; few
    centroids keep it.
    """
    if lists * dim < _CODED_FROM:
        return
    centroids = coarse.quantizer.reconstruct_n(0, lists)
    coded: Any = faiss.index_factory(
        dim, f"PQ{quantisers_for(dim)}x4fs,RFlat", faiss.METRIC_INNER_PRODUCT
    )
    codes: Any = faiss.downcast_index(coded.base_index)
    codes.pq.cp.min_points_per_centroid = 1  # for 16 codes each
    coded.train(centroids)
    coded.add(centroids)
    coarse.quantizer = coded  # faiss' wrapper keeps it alive


def is_coded(coarse: Any) -> bool:
    """Whether centroids are ranked by codes, as `rank_by_codes` left them."""
    quantiser: Any = faiss.downcast_index(coarse.quantizer)
    return isinstance(quantiser, faiss.IndexRefineFlat)
