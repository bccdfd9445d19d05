"""`item_graph`: embeddings from random walks on the graph of sessions.

After Wang et al., "Billion-scale commodity embedding for e-commerce recommendation in Alibaba"
(KDD 2018), sections 3.1 and 3.2, without side information. What differs from the paper, and the
figures it was chosen by, are in `docs/decisions/06-item-graph.md`.
"""

from __future__ import annotations

import numpy as np

from shortlist.config.schema import ItemGraphRetriever
from shortlist.core.progress import Progress
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval import graph, skipgram
from shortlist.offline.retrieval.neighbours import item_to_item
from shortlist.offline.retrieval.skipgram import Embedding
from shortlist.release.artefacts import Artefact, ItemVectors

REACH = 5
"""Items of a session up to this many events apart are joined."""

POPULARITY_POWER = 0.25
"""How a vector's length grows with the item's popularity."""


def fit(
    data: TrainingData, config: ItemGraphRetriever, seed: int, progress: Progress
) -> dict[str, Artefact]:
    """An item-to-item map and vectors from which items are taken near which.

    Items and users with too few interactions (`prepare.min_item_events`, `min_user_events`) are
    left out, as are items that are never near another one: no vector, no neighbours.

    Args:
        data: the interactions.
        config: sizes of walks, vectors and lists.
        seed: everything random; the same data, config and seed give the same arrays.
        progress: three steps.

    Returns:
        `item_to_item`: an `ItemToItem`, scores are probabilities.
        `vector`: an `ItemVectors`. The direction says what an item is like, the length (in
        (0, 1]) how popular it is: dot products rank for a user, cosines compare items.
    """
    data = data.frequent()
    progress.step("item graph: graph")
    edges = graph.build(data, REACH)
    progress.note(f"item graph: {len(edges.targets):,} edges of {edges.items:,} items")
    embedding = skipgram.train(edges, config, seed, progress)
    length = max(1, min(config.neighbours, data.items - 1))
    return {
        "item_to_item": item_to_item(edges, embedding, config.negatives, length, progress),
        "vector": _vectors(data, embedding),
    }


def _vectors(data: TrainingData, embedding: Embedding) -> ItemVectors:
    """Centre and context vectors added up, each as long as `(popularity / the most)^1/4`."""
    rows = np.flatnonzero(np.isfinite(embedding.noise)).astype(np.int32)
    vectors = embedding.centre[rows] + embedding.context[rows]
    popularity = np.bincount(data.item, data.weight, minlength=data.items)[rows]
    length = (popularity / popularity.max(initial=1e-12)) ** POPULARITY_POWER
    norms = np.linalg.norm(vectors, axis=1)
    vectors *= (length / np.maximum(norms, 1e-12))[:, None]
    return ItemVectors(rows, vectors.astype(np.float32))
