"""Two towers for search: one reads the query's text, one all that is known of an item.

After JD's and Facebook's (Zhang et al., "Towards personalized and semantic retrieval", SIGIR 2020;
Huang et al., "Embedding-based retrieval in Facebook search", KDD 2020), learned from queries and
what was clicked. Each tower sums the vectors of its features: subwords on the query's side;
subwords of its own, keywords, and a vector of each clicked item on the other. Both begin with what
the catalogue says of the subwords, so that a query that was never asked finds what is called so.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.config.schema import TextEncoderRetriever, TwoTowerRetriever
from shortlist.core.catalogue import Catalogue
from shortlist.core.progress import Progress
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval.deep.entities import Entities
from shortlist.offline.retrieval.text.batches import Grouped
from shortlist.offline.retrieval.text.corpus import query_pairs
from shortlist.offline.retrieval.text.documents import text_columns, texts_of
from shortlist.offline.retrieval.text.latent import latent_table
from shortlist.offline.retrieval.text.pairs import Pairs
from shortlist.offline.retrieval.text.sizes import StaticSizes
from shortlist.offline.retrieval.text.static import Schedule, Table, learn_table, saved
from shortlist.offline.retrieval.text.subwords import Bags, bags_of, learn_tokenizer, rarity
from shortlist.release.artefacts import Artefact, ItemVectors
from shortlist.text.analyzer import Analyzer
from shortlist.text.encoding.static import Subwords

NAME = "two_tower"
LENGTH = 128
"""Subwords of a text that are read."""
KEYWORD = 4.0
"""What the keywords of a column count together, where a usual subword counts 3 to 8."""
OWN = 8.0
"""What the vector counts that a clicked item has of its own."""


def fit_towers(
    data: TrainingData,
    config: TwoTowerRetriever,
    seed: int,
    progress: Progress,
    analyzer: Analyzer,
) -> dict[str, Artefact]:
    """A query encoder and item vectors; see `two_tower.fit`.

    Args:
        data: the catalogue with its texts and keywords, and the query log.
        config: similarity, negatives, and sizes where the rules are not wanted.
        seed: everything random.
        progress: a step for each epoch.
        analyzer: normalises texts and queries.

    Returns:
        `text_static`: a `StaticText`, the query tower. `vector`: an `ItemVectors`. Only `vector`,
        of no items, when no item has a text.
    """
    catalogue = data.catalogue
    columns = text_columns(catalogue, [], f"retrievers.{NAME}") if config.text else []
    texts = texts_of(catalogue, columns)
    clicked = data.queries.clicked() if data.queries is not None else None
    queries = clicked.texts if clicked is not None else []
    if not any(texts):
        progress.note(f"{NAME}: the catalogue has no text, so there is nothing to encode")
        return {"vector": ItemVectors(np.empty(0, np.int32), np.zeros((0, 1), np.float32))}
    pairs = (
        query_pairs(clicked, data.items, data.users)
        if clicked is not None
        else Pairs(*(np.empty(0, np.int32) for _ in range(3)))
    )
    sizes = StaticSizes.of(data.items, len(pairs), _settings(config))
    tokenizer = learn_tokenizer([*texts, *queries], analyzer, sizes.vocabulary, LENGTH, seed)
    subwords = Subwords(tokenizer, LENGTH, analyzer)
    told = bags_of(subwords, [*texts, *queries], progress, NAME)
    shared = rarity(told, subwords.size)
    bags, weights = _features(told, shared, catalogue, pairs)
    start = latent_table(told, shared, sizes.dim, seed, progress, NAME)
    table = np.zeros((len(weights), sizes.dim), np.float32)
    table[: 2 * subwords.size] = np.concatenate([start, start])

    known = np.diff(bags[0]) > 0
    items = np.flatnonzero(np.array([bool(text) for text in texts])).astype(np.int32)
    pairs = pairs.readable(known)
    progress.note(
        f"{NAME}: {len(pairs):,} clicked answers of {len(queries):,} queries, {len(items):,} items "
        f"with text, {sizes.dim} components"
    )
    unit = config.similarity == "cosine"
    if len(pairs):
        kept, held = pairs.hold_out(seed)
        grouped = Grouped(kept, items, len(known), sizes.batch, sizes.uniform, data.items, seed)
        schedule = Schedule(
            sizes.epochs, config.patience, sizes.rate, config.temperature, config.hard, seed, NAME
        )
        learned = learn_table(table, weights, bags, grouped, held, items, unit, schedule, progress)
        table = learned.table
    model = Table(table, weights, bags, unit)
    vectors = model.encode(items)
    encoder = saved(tokenizer, table[: subwords.size].copy(), shared, LENGTH, unit, analyzer)
    return {"text_static": encoder, "vector": ItemVectors(items, vectors)}


def _settings(config: TwoTowerRetriever) -> TextEncoderRetriever:
    """The keys that both families have."""
    return TextEncoderRetriever(
        dim=config.dim,
        epochs=config.epochs,
        learning_rate=config.learning_rate,
        batch=config.batch,
    )


def _features(
    told: Bags, shared: NDArray[np.float32], catalogue: Catalogue, pairs: Pairs
) -> tuple[Bags, NDArray[np.float32]]:
    """Bags of features, the items' in a range of their own, and the weight of each feature.

    Features are the subwords of queries, those of items, keywords, and clicked items.
    """
    offsets, tokens, counts = told
    items, size = len(catalogue), len(shared)
    row = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    moved = np.where(row < items, tokens + size, tokens)
    entities = Entities.of(catalogue, text=False)
    taken = np.unique(pairs.target)
    rows: list[NDArray[Any]] = [row, np.repeat(np.arange(items), np.diff(entities.offsets)), taken]
    codes: list[NDArray[Any]] = [
        moved,
        entities.codes + 2 * size,
        2 * size + entities.codebook + np.arange(len(taken)),
    ]
    how_often = [counts, entities.weights, np.ones(len(taken), np.float32)]
    every = np.concatenate(rows)
    order = np.argsort(every, kind="stable")
    ends = np.append(0, np.cumsum(np.bincount(every, minlength=len(offsets) - 1)))
    weights = np.concatenate(
        [
            shared,
            shared,
            np.full(entities.codebook, KEYWORD, np.float32),
            np.full(len(taken), OWN, np.float32),
        ]
    )
    return (
        ends.astype(np.int64),
        np.concatenate(codes)[order].astype(np.int32),
        np.concatenate(how_often)[order].astype(np.float32),
    ), weights
