"""How well an encoder finds what comes next: nDCG@10 and recall of held-out pairs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist.offline.retrieval.text.pairs import Pairs

AT = 10
TOGETHER = 256
NEVER = np.float32(-np.inf)


def corpus_for(held: Pairs, items: NDArray[np.int32], most: int, seed: int) -> NDArray[np.int32]:
    """The texts that held-out targets are looked for among: all items, or a sample with them."""
    targets = np.unique(held.target)
    others = np.setdiff1d(items, targets)
    rng = np.random.default_rng([seed, 0xC095])
    drawn = rng.permutation(others)[: max(0, most - len(targets))]
    return np.sort(np.concatenate([targets, drawn])).astype(np.int32)


def ranks(
    asked: NDArray[np.float32],
    held: Pairs,
    corpus: NDArray[np.int32],
    vectors: NDArray[np.float32],
) -> NDArray[np.int64]:
    """How many texts of the corpus score at least what each target does, the anchor left out.

    Args:
        asked: `float32[h, d]`, the vectors of the anchors.
        held: h pairs.
        corpus: `int32[m]`, ascending, every target among them.
        vectors: `float32[m, d]`.

    Returns:
        `int64[h]`, 0 for the best; of equal scores the target comes last.
    """
    out = np.empty(len(held), np.int64)
    place = np.searchsorted(corpus, held.target)
    own = np.minimum(np.searchsorted(corpus, held.anchor), len(corpus) - 1)
    there = corpus[own] == held.anchor
    for start in range(0, len(held), TOGETHER):
        part = slice(start, start + TOGETHER)
        scores = asked[part] @ vectors.T
        rows = np.arange(len(scores))
        goal = scores[rows, place[part]]
        scores[rows[there[part]], own[part][there[part]]] = NEVER
        out[part] = (scores >= goal[:, None]).sum(axis=1) - 1
    return out


def ndcg(found: NDArray[np.int64]) -> float:
    """nDCG@10 of ranks from 0, each of the one text that counts."""
    if not len(found):
        return 0.0
    return float(np.where(found < AT, 1 / np.log2(found + 2.0), 0.0).mean())


def recall(found: NDArray[np.int64], k: int) -> float:
    """The share of ranks below k."""
    return float((found < k).mean()) if len(found) else 0.0
