"""`item_graph`: embeddings from random walks on the graph of sessions, with side information.

After Wang et al., "Billion-scale commodity embedding for e-commerce recommendation in Alibaba"
(KDD 2018): the graph and the walks of sections 3.1 and 3.2, and where the catalogue has attributes
the enhanced embedding of section 3.3 (EGES). What differs from the paper, and the figures it was
chosen by, are in `docs/decisions/06-item-graph.md`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist.config.schema import ItemGraphRetriever
from shortlist.core.progress import Progress
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval import graph, skipgram
from shortlist.offline.retrieval.cold import add_cold, average_shares
from shortlist.offline.retrieval.neighbours import item_to_item
from shortlist.offline.retrieval.side_information import SideInformation
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

    Items and users with too few interactions (`prepare.min_item_events`, `min_user_events`) teach
    nothing, nor do items that are never near another one. Such items have a vector and neighbours
    if they share an attribute with others, and may be shown; else neither.

    Args:
        data: the interactions.
        config: attributes, and sizes of walks, vectors and lists.
        seed: everything random; the same data, config and seed give the same arrays.
        progress: three steps; notes what each attribute counts.

    Returns:
        `item_to_item`: an `ItemToItem`, scores are probabilities.
        `vector`: an `ItemVectors`. The direction says what an item is like, the length (in
        (0, 1]) how popular it is: dot products rank for a user, cosines compare items.

    Raises:
        ConfigError: an attribute of the config is not in the catalogue.
    """
    data = data.frequent()
    progress.step("item graph: graph")
    edges = graph.build(data, REACH)
    progress.note(f"item graph: {len(edges.targets):,} edges of {edges.items:,} items")
    side = SideInformation.of(data.catalogue, config.attributes, np.diff(edges.offsets) > 0)
    embedding = skipgram.train(edges, side, config, seed, progress)
    shown = data.catalogue.available & (data.catalogue.expires >= data.until)
    whole, cold = add_cold(embedding, side, shown)
    if side.names:
        progress.note(_told(side, average_shares(embedding, side), len(cold)))
    length = max(1, min(config.neighbours, data.items - 1))
    return {
        "item_to_item": item_to_item(edges, whole, config.negatives, length, progress),
        "vector": _vectors(data, whole, cold),
    }


def _vectors(data: TrainingData, embedding: Embedding, cold: NDArray[np.int32]) -> ItemVectors:
    """Centre and context vectors added up, each as long as `(popularity / the most)^1/4`.

    Items that were not learnt are taken to be as popular as the median of those that were.
    """
    popularity = np.bincount(data.item, data.weight, minlength=data.items)
    rows = np.flatnonzero(np.isfinite(embedding.noise)).astype(np.int32)
    if len(cold):
        popularity[cold] = np.median(popularity[np.setdiff1d(rows, cold)])
    vectors = embedding.centre[rows] + embedding.context[rows]
    length = (popularity[rows] / popularity[rows].max(initial=1e-12)) ** POPULARITY_POWER
    norms = np.linalg.norm(vectors, axis=1)
    vectors *= (length / np.maximum(norms, 1e-12))[:, None]
    return ItemVectors(rows, vectors.astype(np.float32))


def _told(side: SideInformation, shares: NDArray[np.float64], cold: int) -> str:
    parts = [f"{n} {s:.0%}" for n, s in zip(("the item", *side.names), shares, strict=True)]
    return (
        f"item graph: a vector is made of {', '.join(parts)} on average; {cold:,} items without "
        "edges have one from their attributes"
    )
