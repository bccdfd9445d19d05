"""What queries are understood by: spelling, synonyms, intent and the knowledge graph.

```
search/
  spelling/       text.spelling.Speller
  intent/         text.intent.IntentClassifier
  graph/          text.knowledge.KnowledgeGraph
  synonyms.json   text.synonyms.Synonyms
```
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa

from shortlist.config.schema import Config, KnowledgeSection
from shortlist.core.catalogue import Catalogue
from shortlist.core.errors import ConfigError
from shortlist.core.progress import Progress
from shortlist.offline.data.query_log import QueryLog
from shortlist.offline.data.training import TrainingData
from shortlist.offline.search.documents import analyzer_of
from shortlist.text.analyzer import Analyzer
from shortlist.text.intent import learn_intent
from shortlist.text.lexicon import read_words
from shortlist.text.spelling import Speller
from shortlist.text.synonyms import Synonyms
from shortlist.text.triples import build_graph


def learn_understanding(
    config: Config,
    project: Path,
    data: TrainingData,
    fields: dict[str, int],
    analyzer: Analyzer,
    folder: Path,
    progress: Progress,
) -> list[str]:
    """Write what the configuration and the data allow; returns the names of the parts.

    Args:
        config: `[search]` and `[data.knowledge]`.
        project: the project's folder, which files of the configuration are relative to.
        data: the catalogue and the query log, if there is one.
        fields: what is searched.
        analyzer: the release's.
        folder: the search part of the release.
        progress: told of each step.

    Raises:
        DataError: a file that the configuration names cannot be read.
    """
    search = config.search
    parts: list[str] = []
    asked = data.queries
    named: list[str] = []
    if config.data.knowledge is not None:
        progress.step("knowledge graph")
        section = config.data.knowledge
        graph = build_graph(
            _triples(section, project),
            analyzer,
            data.catalogue.vocabulary,
            items=section.items,
            names=section.names,
            titles=_titles(data.catalogue, fields),
        )
        graph.save(folder / "graph")
        named = graph.entities.ids()
        parts.append("graph")
    if search.spelling:
        progress.step("spelling")
        lists = _word_lists(config, project)
        queries = [(analyzer.words(text), n) for text, n in asked.counts()] if asked else []
        texts = _words(data.catalogue, fields, analyzer)
        names = (analyzer.words(name.partition(":")[2] or name) for name in named)
        Speller.learn(chain(texts, names), queries, lists or None).save(folder / "spelling")
        parts.append("spelling")
    if search.synonyms:
        synonyms = _synonyms(config, project, analyzer)
        (folder / "synonyms.json").write_text(json.dumps(synonyms.to_dict(), ensure_ascii=False))
        parts.append("synonyms")
    category = config.data.items.category if config.data.items else ""
    if search.intent and category and asked is not None:
        progress.step("intents of queries")
        if _learn_intent(asked.clicked(), data.catalogue, category, analyzer, config, folder):
            parts.append("intent")
    return parts


def check_files(config: Config, project: Path) -> None:
    """Read the files that `learn_understanding` will, before anything that takes long.

    Raises:
        DataError: a file that the configuration names cannot be read.
        ConfigError: `data.knowledge.relations` names one that the triples do not have.
    """
    if config.data.knowledge is not None:
        _triples(config.data.knowledge, project)
    _word_lists(config, project)
    if config.search.synonyms:
        _synonyms(config, project, analyzer_of(config.text))


def _triples(section: KnowledgeSection, project: Path) -> pa.Table:
    import ibis  # here, for whoever builds without triples does without an engine

    from shortlist.offline.data.knowledge import read_knowledge, unknown_relations

    con = ibis.duckdb.connect()
    try:
        triples = read_knowledge(con, section, project)
    finally:
        con.disconnect()
    for relation, near in unknown_relations(triples, section).items():
        raise ConfigError(
            f"data.knowledge.relations names {relation!r}, a relation that no triple of "
            f"{section.path} has.",
            remedy=near or "Take it out: there is no relation but those of names.",
        )
    return triples


def _word_lists(config: Config, project: Path) -> dict[str, float]:
    lists: dict[str, float] = {}
    for name in config.search.words:
        lists |= read_words(project / name, diacritics=config.text.diacritics)
    return lists


def _synonyms(config: Config, project: Path, analyzer: Analyzer) -> Synonyms:
    return Synonyms.read([project / name for name in config.search.synonyms], analyzer)


def _words(catalogue: Catalogue, fields: dict[str, int], analyzer: Analyzer) -> Iterator[list[str]]:
    for name in fields:
        column = catalogue.columns[name]
        for row in range(len(catalogue)):
            value = column.value(row)
            for text in value if isinstance(value, list) else [value]:
                if text:
                    yield analyzer.words(str(text))


def _learn_intent(
    clicked: QueryLog,
    catalogue: Catalogue,
    category: str,
    analyzer: Analyzer,
    config: Config,
    folder: Path,
) -> bool:
    column = catalogue.columns.get(category)
    if column is None or column.kind not in ("keyword", "keywords"):
        return False
    pairs: dict[tuple[int, str], int] = {}
    for query, row in zip(clicked.query.tolist(), clicked.item.tolist(), strict=True):
        value = column.value(row)
        for name in value if isinstance(value, list) else [value]:
            if name is not None:
                pairs[query, str(name)] = pairs.get((query, str(name)), 0) + 1
    if not pairs:
        return False
    terms = {query: analyzer.terms(clicked.texts[query]) for query, _ in pairs}
    classifier = learn_intent(
        [terms[query] for query, _ in pairs],
        [name for _, name in pairs],
        np.array(list(pairs.values()), np.float32),
        seed=config.project.seed,
    )
    classifier.save(folder / "intent")
    return True


def _titles(catalogue: Catalogue, fields: dict[str, int]) -> list[str]:
    column = catalogue.columns[next(iter(fields))]
    return [str(column.value(row) or "") for row in range(len(catalogue))]
