"""Ad-hoc retrieval on a data set in the BEIR layout, through a release and the online search.

Documents become a catalogue, and one release is built of it: BM25 and a text encoder that is
taken as it is. Each way is then asked every query. Fusion is the default one: its weights and
scaling were fixed on the training queries, and the test queries are asked once.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _beir_files import Relevance, documents, qrels, queries
from msgspec import structs

from shortlist.config.load import parse_config
from shortlist.config.schema import Config
from shortlist.core.catalogue import Catalogue, Column
from shortlist.core.progress import Silent
from shortlist.core.search import SearchRequest
from shortlist.core.vocabulary import Vocabulary
from shortlist.offline.data.training import TrainingData
from shortlist.offline.pipeline import build
from shortlist.online.search.pipeline import SearchPipeline
from shortlist.online.snapshot import Snapshot
from shortlist.release.publish import Releases
from shortlist.stores.memory import MemoryAvailability, MemoryHistory

PUBLISHED = {
    "BM25, Anserini flat (Thakur et al., NeurIPS 2021 and its leaderboard)": 0.679,
    "BM25, Anserini multifield (same)": 0.665,
    "all-MiniLM-L6-v2 (MTEB)": 0.645,
}
SCIFACT = (5183, 300)
"""How many documents and test queries the data set has that the published figures are of."""
CONFIG = """
[project]
name = "beir"
[data.events]
path = "none.csv"
[data.items]
path = "none.csv"
text = ["title", "text"]
[retrievers.popular]
"""


def beir(
    folder: Path,
    scratch: Path,
    *,
    encoder: str,
    split: str,
    languages: Sequence[str] = ("en",),
    limit: int = 0,
) -> dict[str, Any]:
    """nDCG@10 and recall@100 of every way on a split's queries.

    Args:
        folder: as `_beir_files` reads it.
        scratch: where the release is built.
        encoder: a folder or name of a Sentence-Transformers model; empty for none.
        split: `test`, `train` or `dev`.
        languages: of the documents, ISO 639-1.
        limit: at most so many queries; 0 for all.
    """
    relevance = qrels(folder, split)
    if limit:
        relevance = dict(list(relevance.items())[:limit])
    texts, items = queries(folder), documents(folder)
    config = config_with(encoder, languages)
    titles = {"title": items.titles} if any(items.titles) else {}
    columns = titles | {"text": items.texts}
    started = time.perf_counter()
    release = release_of(config, of_texts(items.ids, columns), scratch)
    there = set(items.ids)
    figures: dict[str, Any] = {
        "queries": len(relevance),
        "documents": release.manifest.items,
        "judged_but_not_there": len({d for g in relevance.values() for d in g} - there),
        "queries_without_text": sum(not texts.get(query, "").strip() for query in relevance),
        "build_seconds": time.perf_counter() - started,
    }
    ways = {"lexical": ("vector",)}
    if encoder:
        ways |= {"encoder": ("lexical", "exact"), "hybrid": ()}
    for name, silent in ways.items():
        figures[name] = _measured(config, release, texts, relevance, silent)
    if encoder:
        rrf = structs.replace(config, search=structs.replace(config.search, fusion="rrf"))
        figures["hybrid, reciprocal ranks"] = _measured(rrf, release, texts, relevance, ())
    if (len(items.ids), len(relevance)) == SCIFACT:
        figures["published"] = PUBLISHED
    return figures


def of_texts(ids: list[str], texts: dict[str, list[str]]) -> Catalogue:
    """A catalogue of texts alone."""
    return Catalogue(
        Vocabulary.of(ids),
        {name: Column.text(values) for name, values in texts.items()},
        np.ones(len(ids), np.bool_),
        np.full(len(ids), np.iinfo(np.int64).max),
    )


def config_with(encoder: str, languages: Sequence[str] = ("en",)) -> Config:
    """The default settings, and a text encoder as it is."""
    more = ""
    if encoder:
        more = (
            f'[retrievers.text_encoder]\nmodel = "{encoder}"\nepochs = 0\n'
            'similarity = "cosine"\nlength = 256\n'
        )
    return parse_config(f"{CONFIG}[text]\nlanguages = {list(languages)}\n{more}")


def release_of(config: Config, items: Catalogue, scratch: Path) -> Snapshot:
    """A release of a catalogue that nobody has met yet."""
    nothing = np.empty(0, np.int64)
    data = TrainingData(
        catalogue=items,
        users=0,
        user=nothing.astype(np.int32),
        item=nothing.astype(np.int32),
        time=nothing,
        weight=nothing.astype(np.float32),
        session=nothing,
        until=1,
    )
    with Releases(scratch / "releases").draft() as draft:
        id = build(config, data, draft, Silent(), project=scratch)
    return Snapshot.open(scratch / "releases" / id)


def pipeline_of(config: Config, release: Snapshot) -> SearchPipeline:
    """The online search over a release."""
    assert release.search is not None
    return SearchPipeline(release, release.search, config, MemoryHistory(1), MemoryAvailability())


def _measured(
    config: Config,
    release: Snapshot,
    texts: dict[str, str],
    relevance: Relevance,
    silent: tuple[str, ...],
) -> dict[str, float]:
    weights = config.search.weights | dict.fromkeys(silent, 0.0)
    weighed = structs.replace(config, search=structs.replace(config.search, weights=weights))
    pipeline = pipeline_of(weighed, release)
    gains, recalls, seconds = [], [], []
    for query, grades in relevance.items():
        ids: list[str] = []
        if texts.get(query, "").strip():  # one without text finds nothing, as trec_eval counts it
            started = time.perf_counter()
            (answer,) = pipeline.search([SearchRequest(texts[query], k=100, highlight=False)])
            seconds.append(time.perf_counter() - started)
            ids = answer.ids
        gains.append(ndcg(ids, grades))
        recalls.append(len(set(ids) & set(grades)) / len(grades))
    return {
        "ndcg@10": float(np.mean(gains)),
        "recall@100": float(np.mean(recalls)),
        "p50_ms": float(np.median(seconds) * 1e3),
    }


def ndcg(ids: list[str], grades: dict[str, int], at: int = 10) -> float:
    """nDCG of a list (Järvelin and Kekäläinen, TOIS 2002), as trec_eval computes it.

    A list that is shorter than `at` is compared with the best one of that length all the same.
    """
    gain = sum(grades.get(id, 0) / np.log2(place + 2) for place, id in enumerate(ids[:at]))
    best = sorted(grades.values(), reverse=True)[:at]
    return float(gain / sum(grade / np.log2(place + 2) for place, grade in enumerate(best)))
