"""Check what search learns from: the query log, the knowledge graph, word lists and synonyms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from shortlist.config.schema import Config, KnowledgeSection, QueriesSection, TextSection
from shortlist.core.errors import DataError
from shortlist.core.vocabulary import UNKNOWN, Vocabulary
from shortlist.offline.data.finding import Finding
from shortlist.offline.data.knowledge import read_knowledge, unknown_relations
from shortlist.offline.data.queries import read_queries
from shortlist.offline.search.documents import analyzer_of
from shortlist.text.languages import STEMMERS, UNSTEMMED
from shortlist.text.lexicon import read_words
from shortlist.text.synonyms import Synonyms

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend


def check_search(
    con: Backend, config: Config, folder: Path, items: Vocabulary | None
) -> Iterator[Finding]:
    """What is wrong with the files that search learns from; each is read as training reads it.

    Args:
        con: the engine that reads.
        config: `[data.queries]`, `[data.knowledge]`, `[search]` and `[text]`.
        folder: the project folder.
        items: the ids of the items source; None where they cannot be told.
    """
    yield from _languages(config.text)
    if config.data.queries is not None:
        yield from _queries(config.data.queries, folder, items)
    if config.data.knowledge is not None:
        yield from _knowledge(con, config.data.knowledge, folder, items)
    for name in config.search.words:
        try:
            read_words(folder / name)
        except DataError as error:
            yield Finding.of("search.words", error)
    if config.search.synonyms:
        analyzer = analyzer_of(config.text)
        for name in config.search.synonyms:
            try:
                Synonyms.read([folder / name], analyzer)
            except DataError as error:
                yield Finding.of("search.synonyms", error)


def _languages(section: TextSection) -> Iterator[Finding]:
    plain = [code for code in section.languages if code not in STEMMERS and code not in UNSTEMMED]
    if section.stemming and plain:
        yield Finding(
            "warning",
            "text.languages",
            len(plain),
            plain,
            "There is no stemmer of this language, so its words are found in the forms that they"
            f" are written in alone. Stemmers: {', '.join(STEMMERS)}.",
        )


def _queries(section: QueriesSection, folder: Path, items: Vocabulary | None) -> Iterator[Finding]:
    try:
        log = read_queries(section, folder, items or Vocabulary.of([]))
    except DataError as error:
        yield Finding.of("data.queries.path", error)
        return
    if not len(log):
        timed = " with a time that can be read" if section.time else ""
        remedy = f"There is no query{timed} in it."
        yield Finding("warning", "data.queries.path", 1, [section.path], remedy)
    elif items is not None and section.item and not len(log.clicked()):
        yield Finding(
            "warning",
            "data.queries.item",
            len(log),
            log.texts[:1],
            "None of these queries led to an item that the items source has: nothing is learned"
            " from clicks. Check that both sources write ids alike.",
        )


def _knowledge(
    con: Backend, section: KnowledgeSection, folder: Path, items: Vocabulary | None
) -> Iterator[Finding]:
    try:
        triples = read_knowledge(con, section, folder)
    except DataError as error:
        yield Finding.of("data.knowledge.path", error)
        return
    if not len(triples):
        remedy = "There is no triple in it."
        yield Finding("warning", "data.knowledge.path", 1, [section.path], remedy)
        return
    for relation, near in unknown_relations(triples, section).items():
        remedy = f"No triple has this relation. {near}".strip()
        yield Finding("error", "data.knowledge.relations", 1, [relation], remedy)
    if items is None:
        return
    ends = {*pc.unique(triples["head"]).to_pylist(), *pc.unique(triples["tail"]).to_pylist()}
    ids = [name.removeprefix(section.items) for name in ends if name.startswith(section.items)]
    if not (items.rows(ids) != UNKNOWN).any():
        yield Finding(
            "warning",
            "data.knowledge.items",
            len(ends),
            sorted(ends)[:1],
            "No entity is an item of the items source: searches find none by the graph. An item"
            f" is named {section.items!r} and its id.",
        )
