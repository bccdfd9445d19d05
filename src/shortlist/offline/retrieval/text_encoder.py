"""`text_encoder`: items by their texts, learned from what is read in one session.

After LINER's encoder: documents that follow each other in a session (a pause of
`prepare.session_gap` ends it) are positives, documents of other users' sessions negatives, and the
loss, its evaluation and the index measure one similarity. Choices and their figures are in
`docs/decisions/16-text-encoder.md`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shortlist.config.schema import TextEncoderRetriever
from shortlist.core.progress import Progress
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval.text.batches import Grouped
from shortlist.offline.retrieval.text.corpus import Corpus
from shortlist.offline.retrieval.text.latent import latent_table
from shortlist.offline.retrieval.text.sizes import StaticSizes
from shortlist.offline.retrieval.text.static import Schedule, Table, learn_table, saved
from shortlist.offline.retrieval.text.subwords import bags_of, learn_tokenizer, rarity
from shortlist.release.artefacts import Artefact, ItemVectors
from shortlist.text.analyzer import Analyzer
from shortlist.text.encoding.static import TOGETHER, Subwords

NAME = "text_encoder"
STATIC = "static"


def fit(
    data: TrainingData,
    config: TextEncoderRetriever,
    seed: int,
    progress: Progress,
    runs: Path | None = None,
    analyzer: Analyzer | None = None,
) -> dict[str, Artefact]:
    """A text encoder, and the vector of every item that has a text it can read.

    Items nobody took have vectors too. Pairs come from items and users with enough interactions
    (`prepare.min_item_events`, `min_user_events`). Without pairs the encoder is what the catalogue
    (or the model that was named) makes it.

    Args:
        data: the interactions, the catalogue with its texts, and the query log, if there is one.
        config: the model and how it learns.
        seed: everything random; the same data, config and seed give the same arrays on one
            machine.
        progress: a step for each epoch.
        runs: where the checkpoints of a model are kept; None for nowhere. Subword vectors train
            in minutes and are not kept.
        analyzer: normalises texts for `static`; the default one if not given.

    Returns:
        `text_static` or `text_onnx`: a `StaticText` or an `OnnxText`. `vector`: an `ItemVectors`
        of the same space. Only `vector`, of no items, when no item has a text.

    Raises:
        ConfigError: a column is not there, or the model cannot be loaded.
    """
    corpus = Corpus.of(data, config)
    if not corpus.columns or not any(corpus.texts[: corpus.items]):
        progress.note(f"{NAME}: the catalogue has no text, so there is nothing to encode")
        return {"vector": ItemVectors(np.empty(0, np.int32), np.zeros((0, 1), np.float32))}
    if config.model != STATIC:
        from shortlist.offline.retrieval.text.model import fit_model

        return fit_model(corpus, config, seed, progress, runs)
    return fit_static(corpus, config, seed, progress, analyzer or Analyzer())


def fit_static(
    corpus: Corpus, config: TextEncoderRetriever, seed: int, progress: Progress, analyzer: Analyzer
) -> dict[str, Artefact]:
    """See `fit`; the vectors of subwords.

    They begin as what the catalogue alone says (`latent_table`) and are moved by the pairs.
    """
    sizes = StaticSizes.of(corpus.items, len(corpus.pairs), config)
    progress.step(f"{NAME}: tokenizer")
    tokenizer = learn_tokenizer(corpus.texts, analyzer, sizes.vocabulary, config.length, seed)
    subwords = Subwords(tokenizer, config.length, analyzer)
    bags = bags_of(subwords, corpus.texts, progress, NAME)
    weights = rarity(bags, subwords.size)
    table = latent_table(bags, weights, sizes.dim, seed, progress, NAME)
    known = np.diff(bags[0]) > 0
    items = np.flatnonzero(known[: corpus.items]).astype(np.int32)
    pairs = corpus.pairs.readable(known)
    progress.note(
        f"{NAME} (static): {subwords.size:,} subwords, {sizes.dim} components, {len(items):,} "
        f"items with text, {len(pairs):,} pairs to learn from"
    )
    unit = config.similarity == "cosine"
    if len(pairs) and sizes.epochs:
        kept, held = pairs.hold_out(seed)
        grouped = Grouped(
            kept, items, len(corpus.texts), sizes.batch, sizes.uniform, corpus.items, seed
        )
        schedule = Schedule(
            sizes.epochs, config.patience, sizes.rate, sizes.temperature, config.hard, seed
        )
        learned = learn_table(table, weights, bags, grouped, held, items, unit, schedule, progress)
        table = learned.table
    encoder = saved(tokenizer, table, weights, config.length, unit, analyzer)
    progress.step(f"{NAME}: vectors", len(items))
    model = Table(table, weights, bags, unit)
    vectors = np.empty((len(items), sizes.dim), np.float32)
    for start in range(0, len(items), TOGETHER):
        part = slice(start, start + TOGETHER)
        vectors[part] = model.encode(items[part])
        progress.advance(len(items[part]))
    some = vectors.any(axis=1)
    return {"text_static": encoder, "vector": ItemVectors(items[some], vectors[some])}
