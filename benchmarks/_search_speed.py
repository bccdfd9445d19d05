"""Indexing and querying generated documents, beside raw tantivy, SQLite FTS5, bm25s, rank_bm25.

Every engine gets the same documents and queries of two to four words, and returns ten. `shortlist`
is a whole search: the analyzer, spelling off, retrieval of 200, measuring, ranking, highlights.
`index` is its inverted index alone, over terms that are analysed already.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import tantivy
from _search_beir import config_with, of_texts, pipeline_of, release_of
from msgspec import structs

from shortlist.core.search import SearchRequest
from shortlist.index.lexical import Document, TantivyIndex, Wanted

VOCABULARY = 50_000
WORDS = 40
"""Of a document, on average; a title has six more."""
QUERIES = 300
SLOW = 100_000
"""From so many documents on rank_bm25, which scores all of them in Python, is left out."""
FEW = 20


def speed(n: int, folder: Path) -> dict[str, Any]:
    """Figures of every engine over n documents."""
    titles, texts, asked = generated(n)
    engines: dict[str, Callable[..., dict[str, float]]] = {
        "shortlist": _shortlist,
        "index": _index,
        "tantivy": _tantivy,
        "sqlite_fts5": _sqlite,
    }
    if find_spec("bm25s") is not None:
        engines["bm25s"] = _bm25s
    if find_spec("rank_bm25") is not None and n <= SLOW:
        engines["rank_bm25"] = _rank_bm25
    figures: dict[str, Any] = {"documents": n}
    for name, engine in engines.items():
        (folder / name).mkdir(parents=True)
        figures[name] = engine(folder / name, titles, texts, asked)
    for name in ("shortlist", "index"):
        figures[f"{name}_over_tantivy_p50"] = figures[name]["p50_ms"] / figures["tantivy"]["p50_ms"]
    return figures


def generated(n: int) -> tuple[list[str], list[str], list[str]]:
    """Titles, texts and queries of words whose frequencies fall by Zipf's law."""
    rng = np.random.default_rng(7)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = ["".join(rng.choice(letters, rng.integers(4, 10))) for _ in range(VOCABULARY)]
    share = 1 / np.arange(1, VOCABULARY + 1)
    share /= share.sum()

    def make(lengths: np.ndarray) -> list[str]:
        drawn = rng.choice(VOCABULARY, int(lengths.sum()), p=share)
        ends = np.cumsum(lengths)
        return [
            " ".join(words[i] for i in drawn[end - length : end])
            for end, length in zip(ends.tolist(), lengths.tolist(), strict=True)
        ]

    titles = make(rng.integers(3, 10, n))
    texts = make(rng.integers(WORDS // 2, WORDS * 3 // 2, n))
    asked = [
        " ".join(rng.choice(texts[rng.integers(n)].split(), rng.integers(2, 5)))
        for _ in range(QUERIES)
    ]
    return titles, texts, asked


def _timed(
    n: int, started: float, ask: Callable[[str], object], asked: Sequence[str]
) -> dict[str, float]:
    """Figures of an index that is ready now."""
    built = time.perf_counter() - started
    for query in asked[:3]:
        ask(query)
    seconds = []
    for query in asked:
        begin = time.perf_counter()
        ask(query)
        seconds.append(time.perf_counter() - begin)
    p50, p99 = np.percentile(seconds, [50, 99]) * 1e3
    return {"documents_per_s": n / built, "p50_ms": float(p50), "p99_ms": float(p99)}


def _shortlist(
    folder: Path, titles: list[str], texts: list[str], asked: list[str]
) -> dict[str, float]:
    config = config_with("")
    config = structs.replace(config, search=structs.replace(config.search, spelling=False))
    items = of_texts([str(i) for i in range(len(texts))], {"title": titles, "text": texts})
    started = time.perf_counter()
    pipeline = pipeline_of(config, release_of(config, items, folder))
    return _timed(len(texts), started, lambda query: pipeline.search([SearchRequest(query)]), asked)


def _index(folder: Path, titles: list[str], texts: list[str], asked: list[str]) -> dict[str, float]:
    started = time.perf_counter()
    documents = (
        Document(i, {"title": title.split(), "text": text.split()})
        for i, (title, text) in enumerate(zip(titles, texts, strict=True))
    )
    index = TantivyIndex.build(folder / "i", {"title": 3, "text": 1}, documents)
    return _timed(
        len(texts),
        started,
        lambda query: index.search(Wanted(dict.fromkeys(query.split(), 1.0)), 10),
        asked,
    )


def _tantivy(
    folder: Path, titles: list[str], texts: list[str], asked: list[str]
) -> dict[str, float]:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("title")
    builder.add_text_field("text")
    builder.add_unsigned_field("id", stored=True)
    index = tantivy.Index(builder.build(), path=str(folder))
    started = time.perf_counter()
    writer = index.writer(128 << 20, 1)
    for i, (title, text) in enumerate(zip(titles, texts, strict=True)):
        document = tantivy.Document()
        document.add_text("title", title)
        document.add_text("text", text)
        document.add_unsigned("id", i)
        writer.add_document(document)
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    searcher = index.searcher()

    def ask(query: str) -> list[Any]:
        parsed = index.parse_query(query, ["title", "text"], field_boosts={"title": 3.0})
        hits = searcher.search(parsed, 10, count=False).hits
        return [searcher.doc(address)["id"] for _, address in hits]

    return _timed(len(texts), started, ask, asked)


def _sqlite(
    folder: Path, titles: list[str], texts: list[str], asked: list[str]
) -> dict[str, float]:
    con = sqlite3.connect(folder / "fts.sqlite")
    started = time.perf_counter()
    con.execute("CREATE VIRTUAL TABLE documents USING fts5(title, body, tokenize='porter')")
    con.executemany("INSERT INTO documents VALUES (?, ?)", zip(titles, texts, strict=True))
    con.execute("INSERT INTO documents(documents) VALUES ('optimize')")
    con.commit()
    told = (
        "SELECT rowid FROM documents WHERE documents MATCH ? ORDER BY bm25(documents, 3) LIMIT 10"
    )
    figures = _timed(
        len(texts),
        started,
        lambda query: con.execute(told, (" OR ".join(query.split()),)).fetchall(),
        asked,
    )
    con.close()
    return figures


def _bm25s(folder: Path, titles: list[str], texts: list[str], asked: list[str]) -> dict[str, float]:
    import bm25s

    started = time.perf_counter()
    corpus = [f"{title} {title} {title} {text}" for title, text in zip(titles, texts, strict=True)]
    retriever = bm25s.BM25()
    retriever.index(bm25s.tokenize(corpus, show_progress=False), show_progress=False)

    def ask(query: str) -> object:
        tokens = bm25s.tokenize(query, show_progress=False)
        return retriever.retrieve(tokens, k=10, show_progress=False)

    return _timed(len(texts), started, ask, asked)


def _rank_bm25(
    folder: Path, titles: list[str], texts: list[str], asked: list[str]
) -> dict[str, float]:
    from rank_bm25 import BM25Okapi

    started = time.perf_counter()
    corpus = [
        f"{title} {title} {title} {text}".split() for title, text in zip(titles, texts, strict=True)
    ]
    ranker = BM25Okapi(corpus)

    def ask(query: str) -> object:
        scores = ranker.get_scores(query.split())
        best = np.argpartition(-scores, 10)[:10]
        return best[np.argsort(-scores[best])]

    return _timed(len(texts), started, ask, asked[:FEW])
