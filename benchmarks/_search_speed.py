"""Indexing and querying generated documents, beside raw tantivy, SQLite FTS5, bm25s, rank_bm25.

Every engine gets the same documents and queries of two to four words, and returns ten. `shortlist`
is a whole search: the analyzer, spelling off, retrieval of 200, measuring, ranking, highlights.
`analysed` is its analyzer and its inverted index, from texts to hits; `index` is the latter alone,
over words that are split already.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing import Pipe, get_context
from os import sysconf
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any

import numpy as np
import tantivy
from _search_beir import config_with, of_texts, pipeline_of, release_of
from msgspec import structs

from shortlist.core.search import SearchRequest
from shortlist.index.lexical import Document, TantivyIndex, Wanted
from shortlist.text.analyzer import Analyzer

Engine = Callable[[Path, list[str], list[str], list[str]], dict[str, float]]
VOCABULARY = 50_000
WORDS = 40
"""Of a document, on average; a title has six more."""
QUERIES = 300
SLOW = 100_000
"""From so many documents on, rank_bm25, which scores all of them in Python, is left out, and
engines that take long for a query are asked `FEW`."""
FEW = 20


def speed(n: int, folder: Path, engines: Sequence[str] = ()) -> dict[str, Any]:
    """Figures of every engine over n documents.

    Each runs in a process of its own, whose memory is told: at most so much while it indexed and
    answered, beyond what the documents take.

    Args:
        n: documents.
        folder: where indexes lie.
        engines: those that run; empty for all that are installed.
    """
    titles, texts, asked = generated(n)
    every: dict[str, Engine] = {
        "shortlist": _shortlist,
        "analysed": _analysed,
        "index": _index,
        "tantivy": _tantivy,
        "sqlite_fts5": _sqlite,
    }
    if find_spec("bm25s") is not None:
        every["bm25s"] = _bm25s
    if find_spec("rank_bm25") is not None and n <= SLOW:
        every["rank_bm25"] = _rank_bm25
    figures: dict[str, Any] = {"documents": n}
    for name, engine in every.items():
        if not engines or name in engines:
            (folder / name).mkdir(parents=True)
            figures[name] = _apart(engine, folder / name, titles, texts, asked)
            told = ", ".join(f"{what} {value:,.2f}" for what, value in figures[name].items())
            print(f"{name}: {told}", file=sys.stderr, flush=True)
    if "tantivy" in figures:
        for name in [n for n in ("shortlist", "analysed", "index") if n in figures]:
            for what in ("p50_ms", "cpu_us_per_document"):
                ratio = figures[name][what] / figures["tantivy"][what]
                figures[f"{name}_over_tantivy_{what}"] = ratio
    return figures


def _apart(
    engine: Engine, folder: Path, titles: list[str], texts: list[str], asked: list[str]
) -> dict[str, float]:
    """What an engine measures in a process of its own, and its memory."""
    ours, theirs = Pipe(duplex=False)

    def run() -> None:
        before = _resident()
        figures = engine(folder, titles, texts, asked)
        figures["peak_mib"] = max(getrusage(RUSAGE_SELF).ru_maxrss / 1024 - before, 0.0)
        theirs.send(figures)

    child = get_context("fork").Process(target=run)
    child.start()
    theirs.close()
    figures: dict[str, float] = ours.recv()
    child.join()
    return figures


def _resident() -> float:
    """MiB of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * sysconf("SC_PAGE_SIZE") / 2**20


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


@dataclass(frozen=True)
class Started:
    """When indexing began, by the clock and by this process's time on a processor."""

    wall: float
    cpu: float

    @classmethod
    def now(cls) -> Started:
        """This instant."""
        return cls(time.perf_counter(), time.process_time())


def _timed(
    n: int, started: Started, ask: Callable[[str], object], asked: Sequence[str]
) -> dict[str, float]:
    """Figures of an index that is ready now; times are on a processor where they say so."""
    done = Started.now()
    for query in asked[:3]:
        ask(query)
    seconds, busy = [], []
    for query in asked:
        begin = Started.now()
        ask(query)
        end = Started.now()
        seconds.append(end.wall - begin.wall)
        busy.append(end.cpu - begin.cpu)
    p50, p99 = np.percentile(seconds, [50, 99]) * 1e3
    return {
        "documents_per_s": n / (done.wall - started.wall),
        "cpu_us_per_document": (done.cpu - started.cpu) / n * 1e6,
        "queries": len(asked),
        "p50_ms": float(p50),
        "p99_ms": float(p99),
        "cpu_p50_ms": float(np.median(busy)) * 1e3,
    }


def _shortlist(
    folder: Path, titles: list[str], texts: list[str], asked: list[str]
) -> dict[str, float]:
    config = config_with("")
    config = structs.replace(config, search=structs.replace(config.search, spelling=False))
    items = of_texts([str(i) for i in range(len(texts))], {"title": titles, "text": texts})
    started = Started.now()
    pipeline = pipeline_of(config, release_of(config, items, folder))
    return _timed(len(texts), started, lambda query: pipeline.search([SearchRequest(query)]), asked)


def _analysed(
    folder: Path, titles: list[str], texts: list[str], asked: list[str]
) -> dict[str, float]:
    started = Started.now()
    analyzer = Analyzer()
    documents = (
        Document(i, {"title": analyzer.terms(title), "text": analyzer.terms(text)})
        for i, (title, text) in enumerate(zip(titles, texts, strict=True))
    )
    index = TantivyIndex.build(folder / "i", {"title": 3, "text": 1}, documents)
    return _timed(
        len(texts),
        started,
        lambda query: index.search(Wanted(dict.fromkeys(analyzer.terms(query), 1.0)), 10),
        asked,
    )


def _index(folder: Path, titles: list[str], texts: list[str], asked: list[str]) -> dict[str, float]:
    started = Started.now()
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
    started = Started.now()
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
    started = Started.now()
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
        asked[:FEW] if len(texts) > SLOW else asked,
    )
    con.close()
    return figures


def _bm25s(folder: Path, titles: list[str], texts: list[str], asked: list[str]) -> dict[str, float]:
    import bm25s

    started = Started.now()
    corpus = [f"{title} {title} {title} {text}" for title, text in zip(titles, texts, strict=True)]
    retriever = bm25s.BM25()
    retriever.index(bm25s.tokenize(corpus, show_progress=False), show_progress=False)

    def ask(query: str) -> object:
        tokens = bm25s.tokenize(query, show_progress=False)
        return retriever.retrieve(tokens, k=10, show_progress=False)

    return _timed(len(texts), started, ask, asked[:FEW] if len(texts) > SLOW else asked)


def _rank_bm25(
    folder: Path, titles: list[str], texts: list[str], asked: list[str]
) -> dict[str, float]:
    from rank_bm25 import BM25Okapi

    started = Started.now()
    corpus = [
        f"{title} {title} {title} {text}".split() for title, text in zip(titles, texts, strict=True)
    ]
    ranker = BM25Okapi(corpus)

    def ask(query: str) -> object:
        scores = ranker.get_scores(query.split())
        best = np.argpartition(-scores, 10)[:10]
        return best[np.argsort(-scores[best])]

    return _timed(len(texts), started, ask, asked[:FEW])
