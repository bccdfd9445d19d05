"""Fusion: one order from how candidates match, where no ranker was trained on clicks.

Scores of different kinds are made comparable and added with weights. Weighted sums of scores
scaled to what they can be beat fusions of ranks (Bruch, Gai and Ingber, TOIS 2023): BM25 is
divided by its best value among the candidates, similarity runs from their least to their best.
The less of a query's words any item has, the more its meaning counts: an item that has them all is
probably meant, and where none has any of them BM25 is noise. That needs no labels, and keeps an
encoder that does not know a language from spoiling what words find in it. The scaling did best on
the training queries of SciFact; where the bounds are from says docs/decisions/15-search.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel
from shortlist.online.retrieval.contract import Found
from shortlist.online.search.measure import LIKES, PLACE, POPULARITY, Measure

WEIGHTS = {
    "lexical": 1.0,
    "vector": 1.0,
    "knowledge": 1.0,
    "exact": 0.5,
    "popularity": 0.05,
    "affinity": 0.05,
    "place": 0.2,
}
MEANING = (1.75, 0.5)
"""What the weight of `vector` is multiplied by where no item has a word of the query, and where an
item has them all; in between by the share of the words that the best one has."""
CONSTANT = 60
"""Of reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009)."""


def weighted(
    measure: Measure,
    values: NDArray[np.float32],
    vectors: Sequence[str],
    weights: Mapping[str, float],
) -> NDArray[np.float32]:
    """The weighted sum of what is known of each candidate, `float32[n]`.

    Args:
        measure: whose `names` the lines of `values` have.
        values: `float32[names, n]`.
        vectors: the names of the ways by meaning; they share the weight of `vector`.
        weights: what differs from `WEIGHTS`.
    """
    weigh = WEIGHTS | dict(weights)
    line = dict(zip(measure.names, values, strict=True))
    total = weigh["lexical"] * _by_best(line["bm25"])
    least, most = MEANING
    share = float(line["coverage"].max(initial=0))
    meaning = weigh["vector"] * (least + (most - least) * share)
    for name in vectors:
        total = total + meaning / len(vectors) * _by_range(line[f"similarity:{name}"])
    total = total + weigh["knowledge"] * line["knowledge"]
    total = total + weigh["exact"] * line["exact"]
    total = total + weigh["popularity"] * line[POPULARITY]
    total = total + weigh["affinity"] * line[LIKES]
    return np.asarray(total + weigh["place"] * line[PLACE], np.float32)


def reciprocal(
    found: Sequence[Found], weights: Sequence[float]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Weighted reciprocal rank fusion of ranked lists.

    Returns:
        Every row once, ascending, `int32[n]`, and its score, `float32[n]`.
    """
    rows = np.concatenate([rows for rows, _ in found])
    gains = [
        (weight / np.arange(CONSTANT + 1, CONSTANT + 1 + len(ranked))).astype(np.float32)
        for (ranked, _), weight in zip(found, weights, strict=True)
    ]
    return _summed(rows, np.concatenate(gains))


@kernel
def _summed(
    rows: NDArray[np.int32], gains: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    out = np.empty(len(rows), np.int32)
    total = np.zeros(len(rows), np.float32)
    n = 0
    for i in np.argsort(rows, kind="mergesort"):  # stable: sums do not hang on the sort
        if n == 0 or out[n - 1] != rows[i]:
            out[n] = rows[i]
            n += 1
        total[n - 1] += gains[i]
    return out[:n].copy(), total[:n].copy()


def _by_best(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(scores / max(float(scores.max(initial=0)), 1e-9), np.float32)


def _by_range(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    if not len(scores):
        return scores
    low, high = float(scores.min()), float(scores.max())
    return np.asarray((scores - low) / max(high - low, 1e-9), np.float32)
