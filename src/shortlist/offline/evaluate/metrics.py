"""Ranking metrics over many lists at once.

A list is a line of `int32[q, k]` catalogue rows, best first, -1 past its end. Relevance is binary.
Metrics are per request; `protocol` averages them over a user's requests and then over users.

**Ties are broken against us**: within a run of neighbouring items of equal score the relevant ones
are counted last (`conservative`), so that a model that gives everything one score earns nothing
from the order its items happen to be stored in.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist.offline.evaluate.ragged import Ragged

Ranked = NDArray[np.int32]
Hits = NDArray[np.bool_]


def hits(ranked: Ranked, relevant: Ragged, items: int) -> Hits:
    """Whether each place of each list holds a relevant item, `bool[q, k]`.

    Args:
        ranked: `int32[q, k]`, -1 past the end of a list; no row twice in a list.
        relevant: for each of the q requests the rows that are relevant.
        items: the number of catalogue rows.
    """
    wanted = relevant.keys(items)
    if not len(wanted):
        return np.zeros(ranked.shape, np.bool_)
    keys = np.arange(len(ranked), dtype=np.int64)[:, None] * items + ranked
    place = np.minimum(np.searchsorted(wanted, keys), len(wanted) - 1)
    return np.asarray((wanted[place] == keys) & (ranked >= 0), np.bool_)


def conservative(hit: Hits, scores: NDArray[np.floating]) -> Hits:
    """Hits with the relevant items of each run of equal neighbouring scores moved to its end.

    Args:
        hit: `bool[q, k]`.
        scores: `float[q, k]`, the scores the lists were ranked by.
    """
    run = np.zeros(hit.shape, np.int64)
    if hit.shape[1] > 1:
        np.cumsum(scores[:, 1:] != scores[:, :-1], axis=1, out=run[:, 1:])
    order = np.argsort(run * 2 + hit, axis=1, kind="stable")
    return np.take_along_axis(hit, order, axis=1)


def recall(hit: Hits, relevant: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Share of the relevant items that are among the first k, `float64[q]`.

    Args:
        hit: `bool[q, n]`.
        relevant: `int64[q]`, how many items are relevant, at least 1.
        k: the cut-off.
    """
    return np.asarray(hit[:, :k].sum(axis=1) / relevant, np.float64)


def ndcg(hit: Hits, relevant: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Normalised discounted cumulative gain of the first k, `float64[q]`.

    Gain 1, discount `1 / log2(place + 1)` with places counted from 1; the ideal list has
    `min(relevant, k)` hits at its top (Järvelin and Kekäläinen 2002, binary gains).
    """
    discount = 1 / np.log2(np.arange(2, k + 2))
    gained = hit[:, :k] @ discount[: min(k, hit.shape[1])]
    ideal = np.concatenate([[0.0], np.cumsum(discount)])
    return np.asarray(gained / ideal[np.minimum(relevant, k)], np.float64)


def reciprocal_rank(hit: Hits) -> NDArray[np.float64]:
    """1 / the place of the first hit counted from 1, 0 without one, `float64[q]`."""
    if not hit.shape[1]:
        return np.zeros(len(hit))
    return np.where(hit.any(axis=1), 1 / (hit.argmax(axis=1) + 1), 0.0)


def coverage(ranked: Ranked, shown: NDArray[np.bool_], k: int) -> float:
    """Share of the items that may be shown that are in the first k of any list.

    Args:
        ranked: `int32[q, n]`.
        shown: `bool[items]`, which items may be shown.
        k: the cut-off.
    """
    found = np.zeros(len(shown), np.bool_)
    top = ranked[:, :k]
    found[top[top >= 0]] = True
    return float((found & shown).sum() / max(1, shown.sum()))


def novelty(
    ranked: Ranked, popularity: NDArray[np.floating] | NDArray[np.integer], k: int
) -> NDArray[np.float64]:
    """Mean self-information of the first k in bits, `float64[q]`; 0 for an empty list.

    `-log2` of an item's share of all interactions (Zhou et al. 2010), with one interaction added
    to every item so that the unseen ones stay finite.

    Args:
        ranked: `int32[q, n]`.
        popularity: `[items]`, interactions of each item in the training window.
        k: the cut-off.
    """
    share = (popularity + 1) / (popularity.sum() + len(popularity))
    bits = -np.log2(share)
    top = ranked[:, :k]
    there = top >= 0
    total = np.where(there, bits[np.where(there, top, 0)], 0.0).sum(axis=1)
    return np.asarray(total / np.maximum(1, there.sum(axis=1)), np.float64)
