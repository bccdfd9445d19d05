"""The searchable words of every item."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from shortlist.config.schema import Config, TextSection
from shortlist.core.catalogue import Catalogue, Column
from shortlist.core.errors import ConfigError, did_you_mean
from shortlist.text.analyzer import Analyzer
from shortlist.text.settings import AnalyzerSettings

FIRST = 3
"""What the words of the first of several texts, mostly the title, count. Of 1, 2 and 3 the best on
the training queries of SciFact."""
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
        first = FIRST if len(texts) > 1 else 1
        return {name: first if place == 0 else 1 for place, name in enumerate(texts)}
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
    of_fields = [_words_of(catalogue.columns[name], analyzer) for name in fields]
    for words in zip(*of_fields, strict=True):
        yield dict(zip(fields, words, strict=True))


def _words_of(column: Column, analyzer: Analyzer) -> Iterator[list[str]]:
    if column.kind == "text":
        yield from map(analyzer.terms, column.texts())
        return
    terms = [analyzer.terms(word) for word in column.terms]  # keywords come again
    offsets, codes = column.lists()
    for start, stop in pairwise(offsets.tolist()):
        yield [term for code in codes[start:stop].tolist() for term in terms[code]]
