"""`Reading`: a query as search understands it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from shortlist.config.schema import KnowledgeSection
from shortlist.core.errors import RequestError
from shortlist.core.search import Correction, SearchRequest
from shortlist.index.lexical import Wanted
from shortlist.online.retrieval.contract import NOTHING, Found
from shortlist.online.search.understanding import Understanding
from shortlist.online.understand.understand import Understood, understand
from shortlist.text.analyzer import Analyzer
from shortlist.text.languages import function_words
from shortlist.text.spelling import Speller

LONGEST = 10_000
"""Characters of a query."""
WORDS = 64
"""Words of a query that are searched for; a longer one is a text, and these tell what of."""

SENTENCE = 5
"""A query of so many words is a sentence, in which function words say less than the others."""
FUNCTION_WORD = 0.5
"""What they count there."""
BEGUN = 256
"""So many words that begin as an unfinished one does are looked at."""

_QUOTED = re.compile(r'["“”„]([^"“”„]*)["“”]')


@dataclass(frozen=True, slots=True)
class Reading:
    """A query as it is searched for.

    Attributes:
        text: the query, corrections applied.
        order: its own terms, in order.
        terms: term → weight: its own ones 1 (or as often as they stand in it), and what they
            were expanded to.
        phrases: what must stand side by side.
        prefix: what the last word, still being typed, begins with; empty where it is finished.
        begun: terms of words that begin with it; stems may not begin so themselves.
        corrections: words that were or could be corrected.
        suggestion: the query with all corrections; empty where that is `text`.
        near: rows that the knowledge graph leads to, and how strongly (0 to 1), best first.
        notes: what else was understood.
    """

    text: str
    order: list[str]
    terms: Mapping[str, float]
    phrases: tuple[tuple[str, ...], ...] = ()
    prefix: str = ""
    begun: tuple[str, ...] = ()
    corrections: list[Correction] = field(default_factory=list)
    suggestion: str = ""
    near: Found = NOTHING
    notes: Mapping[str, object] = field(default_factory=dict)

    @property
    def wanted(self) -> Wanted:
        """What the words are looked up by."""
        stems = tuple(term for term in self.begun if not term.startswith(self.prefix))
        return Wanted(self.terms, self.phrases, self.prefix, stems)


def read(
    request: SearchRequest,
    analyzer: Analyzer,
    known: Understanding,
    confidence: float,
    walk: KnowledgeSection | None,
) -> Reading:
    """Understand a query.

    Args:
        request: what was typed. Quoted words are taken as they are, and so is a last word that is
            still being typed.
        analyzer: the release's.
        known: what the release knows to understand queries by.
        confidence: how sure a correction must be to be searched for unasked.
        walk: how the knowledge graph is walked; None without one.

    Raises:
        RequestError: the query is empty or too long.
    """
    check_query(request.query)
    text = request.query
    quoted = [tuple(analyzer.terms(inner)) for inner in _QUOTED.findall(text)]
    phrases = tuple(phrase[:WORDS] for phrase in quoted if phrase)
    prefix, finished = "", text
    if request.unfinished and not text[-1].isspace():
        words = analyzer.tokens(text)
        if words and words[-1].end == len(text):
            prefix, finished = words[-1].text, text[: words[-1].start]
    understood = understand(
        finished,
        analyzer,
        None if phrases or prefix else known.speller,
        known.synonyms,
        known.classifier,
        known.graph,
        confidence=confidence if request.correct else math.inf,
    )
    order = list(understood.terms[:WORDS])
    terms = _weighed(order, understood, analyzer)
    entities = [entity for link in understood.entities for entity in link.entities.tolist()]
    near: Found = NOTHING
    if known.graph is not None and walk is not None and entities:
        reached = known.graph.expand(
            np.array(entities, np.int32), walk.relations, walk.decay, walk.hops
        )
        near = _scaled(known.graph.items_of(*reached), understood)
    return Reading(
        text=understood.text + text[len(finished) :],
        order=order,
        terms=terms,
        phrases=phrases,
        prefix=prefix,
        begun=_begun(prefix, analyzer, known.speller) if prefix else (),
        corrections=_corrections(understood),
        suggestion=understood.suggestion,
        near=near,
        notes=_notes(understood, known, entities),
    )


def _begun(prefix: str, analyzer: Analyzer, speller: Speller | None) -> tuple[str, ...]:
    """The terms of the commonest words that begin so, and of the beginning as a word of its own."""
    words = [prefix]
    if speller is not None:
        rows = speller.lexicon.words.beginning(prefix, BEGUN)
        words += speller.lexicon.words.ids(rows)
    return tuple(dict.fromkeys(term for word in words for term in analyzer.variants(word)))


def _scaled(near: Found, understood: Understood) -> Found:
    """What the walk found, the best of it the square of the share of the words that are names.

    A name of a word or two in a long query is mostly an accident; one that is all of the query is
    what is meant.
    """
    rows, scores = near
    if not len(rows):
        return near
    named = sum(link.end - link.start for link in understood.entities)
    share = min(named / max(len(understood.terms), 1), 1.0)
    return rows, np.asarray(scores * (share**2 / float(scores.max())), np.float32)


def _weighed(order: list[str], understood: Understood, analyzer: Analyzer) -> dict[str, float]:
    terms: dict[str, float] = {}
    for term in order:
        terms[term] = terms.get(term, 0.0) + 1.0
    for expansion in understood.expansions:
        for term in expansion.terms:  # a phrase of several words shares the weight of one
            weight = expansion.weight / len(expansion.terms)
            terms[term] = max(terms.get(term, 0.0), weight)
    if len(understood.words) >= SENTENCE:
        little = _function_terms(analyzer, analyzer.detect(understood.text))
        if not little.issuperset(order):
            for term in little & terms.keys():
                terms[term] *= FUNCTION_WORD
    return terms


@lru_cache(16)
def _function_terms(analyzer: Analyzer, language: str) -> frozenset[str]:
    """What the function words of a language are indexed by; none for one that is not known."""
    words = function_words(language, analyzer.settings.diacritics)
    return frozenset(term for word in words for term in analyzer.terms(word, language))


def _corrections(understood: Understood) -> list[Correction]:
    return [
        Correction(" ".join(c.typed), " ".join(c.meant), float(c.confidence), applied=True)
        for c in understood.corrections
    ]


def _notes(understood: Understood, known: Understanding, entities: list[int]) -> dict[str, object]:
    """What was understood, as plain values."""
    names = known.graph.entities.ids(np.array(entities, np.int32)) if known.graph else []
    return {
        "terms": list(understood.terms),
        "expansions": {
            " ".join(expansion.terms): expansion.weight for expansion in understood.expansions
        },
        "intents": {i.category: round(float(i.probability), 4) for i in understood.intents},
        "entities": names,
    }


def check_query(query: str) -> None:
    """Raise the RequestError that a query deserves, if it deserves one."""
    if not query.strip():
        raise RequestError("the query is empty.", remedy="Say what to look for.", where="query")
    if len(query) > LONGEST:
        raise RequestError(
            f"the query has {len(query):,} characters.",
            remedy=f"At most {LONGEST:,} can be; search for the words that matter.",
            where="query",
        )
