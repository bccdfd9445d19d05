"""`understand`: from what a person typed to what is searched for, top to bottom."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from shortlist.online.understand.writing import other_ways
from shortlist.text.analyzer import Analyzer, Token
from shortlist.text.intent import Intent, IntentClassifier
from shortlist.text.knowledge import KnowledgeGraph, Link
from shortlist.text.spelling import Change, Speller
from shortlist.text.synonyms import Synonyms

SYNONYM = 0.8
"""What a synonym counts beside the word that was said."""
OTHER_WRITING = 0.8
"""What another way to write a word counts."""
OTHER_FORM = 0.5
"""What a word's stem in another language counts, where the query does not tell its own."""

_MOST_FORMS = 32
"""So many words of a query are looked at for other forms."""


@dataclass(frozen=True)
class Expansion:
    """Terms that are searched for beside some of the query's.

    Attributes:
        start: the first of the query's terms that they stand beside.
        end: the one after the last.
        terms: what is searched for too.
        weight: how much it counts beside them, in (0, 1].
        why: a `synonym`, the `form` that a word has in another language, or another `writing`.
    """

    start: int
    end: int
    terms: tuple[str, ...]
    weight: float
    why: Literal["synonym", "form", "writing"]


@dataclass(frozen=True)
class Understood:
    """A query that is understood.

    Attributes:
        original: as it was typed.
        text: with the corrections that are sure enough.
        normalised: `text` in the form that is compared.
        words: its words.
        terms: what is searched for.
        corrections: what was corrected in `text`.
        suggestion: what may have been meant beyond that ("did you mean"); empty for nothing.
        expansions: what is searched for beside `terms`.
        intents: the likeliest categories, likeliest first.
        entities: the names of the knowledge graph in `terms`.
    """

    original: str
    text: str
    normalised: str
    words: tuple[str, ...]
    terms: tuple[str, ...]
    corrections: tuple[Change, ...]
    suggestion: str
    expansions: tuple[Expansion, ...]
    intents: tuple[Intent, ...]
    entities: tuple[Link, ...]


def understand(
    query: str,
    analyzer: Analyzer,
    speller: Speller | None = None,
    synonyms: Synonyms | None = None,
    classifier: IntentClassifier | None = None,
    graph: KnowledgeGraph | None = None,
    *,
    language: str = "",
    confidence: float = 0.7,
) -> Understood:
    """Understand a query by what a release holds; what it does not hold is passed over.

    Args:
        query: any text.
        analyzer: the release's.
        speller: corrects words.
        synonyms: what words mean too.
        classifier: tells categories.
        graph: holds the entities that a query may name.
        language: ISO 639-1 code of the query's language; empty to tell it by the query.
        confidence: how sure a correction must be to be searched for unasked, in [0, 1].
    """
    text, suggestion = query, ""
    corrections: tuple[Change, ...] = ()
    tokens = analyzer.tokens(query, language)
    if speller is not None:
        spelled = speller.correct([token.text for token in tokens])
        corrections = tuple(c for c in spelled.changes if c.confidence >= confidence)
        text = _rewritten(query, tokens, corrections)
        if len(corrections) < len(spelled.changes):
            suggestion = _rewritten(query, tokens, spelled.changes)
        if corrections:
            tokens = analyzer.tokens(text, language)
    terms = analyzer.terms(text, language)
    expansions = _forms(text, tokens, terms, analyzer)
    if synonyms is not None:
        expansions += [
            Expansion(found.start, found.end, found.terms, SYNONYM, "synonym")
            for found in synonyms.find(terms)
        ]
    return Understood(
        original=query,
        text=text,
        normalised=analyzer.normalise(text),
        words=tuple(token.text for token in tokens),
        terms=tuple(terms),
        corrections=corrections,
        suggestion=suggestion,
        expansions=tuple(expansions),
        intents=tuple(classifier.classify(terms)) if classifier is not None else (),
        entities=tuple(graph.link(terms)) if graph is not None else (),
    )


def _rewritten(query: str, tokens: list[Token], changes: tuple[Change, ...]) -> str:
    """The query with words in the place of others, and what is between them as it was."""
    parts, at = [], 0
    for change in changes:
        start, end = tokens[change.start].start, tokens[change.end - 1].end
        parts += [query[at:start], " ".join(change.meant)]
        at = end
    return "".join([*parts, query[at:]])


def _forms(text: str, tokens: list[Token], terms: list[str], analyzer: Analyzer) -> list[Expansion]:
    """The query's words written in other ways, and as the other languages have them."""
    if sum(len(token.terms) for token in tokens) != len(terms):
        return []  # nothing but stop words, which have no stems
    begins = [0, *accumulate(len(token.terms) for token in tokens)]
    found = [
        Expansion(begins[start], begins[end], tuple(said), OTHER_WRITING, "writing")
        for start, end, way in other_ways(text, tokens, analyzer)
        if begins[start] < begins[end]  # stop words have no terms
        and (said := analyzer.terms(way)) != terms[begins[start] : begins[end]]
    ]
    at = 0
    for token in tokens[:_MOST_FORMS]:
        if len(token.terms) == 1:
            found += [
                Expansion(at, at + 1, (form,), OTHER_FORM, "form")
                for form in analyzer.variants(token.text)
                if form != terms[at]
            ]
        at += len(token.terms)
    return found
