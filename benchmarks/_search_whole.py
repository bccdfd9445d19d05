"""A whole search over generated documents: what an engine says, and what each part of it costs.

Unlike the index beside raw tantivy in `_search_speed`, this is all of `SearchPipeline`: spelling,
words, meaning (static vectors), the knowledge graph, every feature, a user's history, highlights
and facets. Documents are of topics, so that words, vectors and brands have something to say.
"""

from __future__ import annotations

import cProfile
import pstats
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from _search_beir import CONFIG, of_texts, pipeline_of, release_of
from _search_speed import generated

from shortlist.config.load import parse_config
from shortlist.config.schema import Config
from shortlist.core.catalogue import Catalogue, Column
from shortlist.core.search import SearchRequest
from shortlist.online.search.pipeline import SearchPipeline

BRANDS, CATEGORIES = 500, 40
TWICE = 2


def whole(n: int, folder: Path, *, profile: bool = False) -> dict[str, Any]:
    """p50 and p99 of a search over n documents, with all parts and without each.

    Args:
        n: documents.
        folder: where the release is built.
        profile: whether to print where the time goes.
    """
    titles, texts, asked = generated(n)
    folder.mkdir(parents=True)
    config = _config(folder)
    items = _catalogue(titles, texts, folder / "knowledge.parquet")
    started = time.perf_counter()
    release = release_of(config, items, folder)
    built = time.perf_counter() - started
    pipeline = pipeline_of(config, release)
    rng = np.random.default_rng(3)
    named = [f"{query} brand{rng.integers(BRANDS)}" for query in asked]
    figures: dict[str, Any] = {
        "documents": n,
        "built_documents_per_s": n / built,
        "everything": _timed(pipeline, named, k=10, facets=("brand", "category")),
        "without_facets": _timed(pipeline, named, k=10),
        "without_highlights": _timed(
            pipeline, named, k=10, facets=("brand", "category"), highlight=False
        ),
        "without_correcting": _timed(
            pipeline, named, k=10, facets=("brand", "category"), correct=False
        ),
        "filtered": _timed(
            pipeline, named, k=10, facets=("brand", "category"), where='category in ["c3", "c5"]'
        ),
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    if profile:
        _profiled(pipeline, named)
    return figures


def _timed(pipeline: SearchPipeline, asked: list[str], **how: Any) -> dict[str, float]:
    for query in asked[:10]:
        pipeline.search([SearchRequest(query, **how)])
    seconds = []
    for query in asked:
        request = SearchRequest(query, **how)
        begin = time.perf_counter()
        pipeline.search([request])
        seconds.append(time.perf_counter() - begin)
    p50, p99 = np.percentile(seconds, [50, 99]) * 1e3
    return {"p50_ms": float(p50), "p99_ms": float(p99)}


def _profiled(pipeline: SearchPipeline, asked: list[str]) -> None:
    watch = cProfile.Profile()
    watch.enable()
    for query in asked:
        pipeline.search([SearchRequest(query, facets=("brand", "category"))])
    watch.disable()
    pstats.Stats(watch).sort_stats("tottime").print_stats(45)


def _config(folder: Path) -> Config:
    text = CONFIG.replace(
        "[retrievers.popular]",
        'attributes = ["brand", "category"]\ncategory = "category"\n[data.knowledge]\n'
        f'path = "{folder / "knowledge.parquet"}"\n[retrievers.popular]\n'
        "[retrievers.text_encoder]\nepochs = 0\ndim = 64",
    )
    return parse_config(text)


def _catalogue(titles: list[str], texts: list[str], knowledge: Path) -> Catalogue:
    rng = np.random.default_rng(5)
    brands = [f"brand{b}" for b in rng.integers(BRANDS, size=len(titles)).tolist()]
    categories = [f"c{c}" for c in rng.integers(CATEGORIES, size=len(titles)).tolist()]
    ids = [str(i) for i in range(len(titles))]
    plain = of_texts(ids, {"title": titles, "text": texts})
    heads = [f"item:{id}" for id in ids]
    tails = [f"brand:{brand}" for brand in brands]
    pq.write_table(
        pa.table({"head": heads, "relation": ["brand"] * len(heads), "tail": tails}), knowledge
    )
    return Catalogue(
        plain.vocabulary,
        {
            **plain.columns,
            "brand": Column.keyword(brands),
            "category": Column.keyword(categories),
        },
        plain.available,
        plain.expires,
    )
