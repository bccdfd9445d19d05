"""The searchable words of every item."""

from __future__ import annotations

from collections.abc import Iterator

from shortlist.config.schema import Config, TextSection
from shortlist.core.catalogue import Catalogue, Column
from shortlist.core.errors import ConfigError, did_you_mean
from shortlist.text.analyzer import Analyzer
from shortlist.text.settings import AnalyzerSettings

FIRST = 3
"""What the words of the first text, mostly the title, count. Of 1, 2 and 3 the best on the
training queries of SciFact."""
SEARCHABLE = ("text", "keyword", "keywords")


def analyzer_of(section: TextSection) -> Analyzer:
    """The analyzer that `[text]` describes."""
    return Analyzer(
        AnalyzerSettings(
            languages=tuple(section.languages),
            stemming=section.stemming,
            stop_words=section.stop_words,
            diacritics=section.diacritics,
            cjk=section.cjk,
        )
    )


def search_fields(config: Config, catalogue: Catalogue) -> dict[str, int]:
    """The fields that are searched, and what their words count.

    Raises:
        ConfigError: `search.fields` names a column that has no words.
    """
    if not config.search.fields:
        texts = [name for name, column in catalogue.columns.items() if column.kind == "text"]
        return {name: FIRST if place == 0 else 1 for place, name in enumerate(texts)}
    known = [name for name, column in catalogue.columns.items() if column.kind in SEARCHABLE]
    for name in config.search.fields:
        if name not in known:
            raise ConfigError(
                f"search.fields names {name!r}, which is no text and no keyword of the catalogue.",
                remedy=did_you_mean(name, known) or "Name a column of data.items.text.",
            )
    return dict(config.search.fields)


def words_of(
    catalogue: Catalogue, fields: dict[str, int], analyzer: Analyzer
) -> Iterator[dict[str, list[str]]]:
    """Of every item, in the order of rows: field → its terms in order."""
    columns = {name: catalogue.columns[name] for name in fields}
    known: dict[str, dict[str, list[str]]] = {name: {} for name in fields}
    for row in range(len(catalogue)):
        yield {name: _terms(column, row, analyzer, known[name]) for name, column in columns.items()}


def _terms(column: Column, row: int, analyzer: Analyzer, known: dict[str, list[str]]) -> list[str]:
    value = column.value(row)
    if not value:
        return []
    if column.kind == "text":
        return analyzer.terms(str(value))
    terms: list[str] = []
    for word in value if isinstance(value, list) else [str(value)]:
        if word not in known:  # keywords come again
            known[word] = analyzer.terms(word)
        terms += known[word]
    return terms
