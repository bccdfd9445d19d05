"""What goes with the items of an answer: highlights and facet counts."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import Catalogue
from shortlist.core.errors import RequestError
from shortlist.text.analyzer import Analyzer, Token

PIECE = 200
"""Characters of a highlighted piece of text, about."""
REACH = PIECE + PIECE // 2
"""Words are told apart in so many characters, from a little before the first that looks like a
match: telling them apart in whole texts would take longer than the rest of a search."""
LOOKED_AT = 20_000
"""Characters of a text that are looked through."""
ALIKE = 6
"""A word that begins like a term, for so many letters, may be one of its forms."""
VALUES = 50
"""At most so many values of a facet."""
COUNTABLE = ("keyword", "keywords")


def highlight(text: str, terms: frozenset[str], analyzer: Analyzer) -> str:
    """The piece of a text with most of the terms, marked; empty where there is none.

    Matching words stand between `<em>` and `</em>`; the rest is escaped for HTML.
    """
    begins, ends = _neighbourhood(text[:LOOKED_AT], terms)
    before, after = begins > 0, ends < len(text)
    text = text[begins:ends]
    hits = [token for token in analyzer.tokens(text) if not terms.isdisjoint(token.terms)]
    if not hits:
        return ""
    first, last = _window(hits)
    start = _edge(text, max(hits[first].start - PIECE // 4, 0), back=True)
    stop = _edge(text, min(max(hits[last].end, start + PIECE), len(text)), back=False)
    parts, at = ["…" if start or before else ""], start
    for token in hits[first:]:
        if token.end > stop:
            break
        parts += [escape(text[at : token.start]), "<em>", escape(text[token.start : token.end])]
        parts.append("</em>")
        at = token.end
    return "".join([*parts, escape(text[at:stop]), "…" if stop < len(text) or after else ""])


def _neighbourhood(text: str, terms: frozenset[str]) -> tuple[int, int]:
    """Where the part of a long text is in which the first word stands that looks like a term."""
    if len(text) <= REACH:
        return 0, len(text)
    lowered = text.lower()
    if len(lowered) != len(text):  # places would not agree
        return 0, REACH
    places = [lowered.find(term[: max(min(len(term) - 1, ALIKE), 3)]) for term in terms]
    first = min((place for place in places if place >= 0), default=0)
    start = _edge(text, max(first - PIECE // 4, 0), back=True)
    return start, min(start + REACH, len(text))


def _window(hits: Sequence[Token]) -> tuple[int, int]:
    """The first and last of the most hits within a piece; the earliest such."""
    best, first = (0, 0), 0
    for last, token in enumerate(hits):
        while token.end - hits[first].start > PIECE:
            first += 1
        if last - first > best[1] - best[0]:
            best = (first, last)
    return best


def _edge(text: str, at: int, *, back: bool) -> int:
    """The nearest place between words, at most twenty characters away."""
    if at in (0, len(text)):
        return at
    for step in range(20):
        place = at - step if back else at + step
        if place in (0, len(text)) or text[place - 1].isspace():
            return place
    return at


def facet_counts(
    catalogue: Catalogue, names: Sequence[str], rows: NDArray[np.int32]
) -> dict[str, dict[str, int]]:
    """Attribute → value → how many of the rows have it, most first, then by name.

    Raises:
        RequestError: an attribute does not exist, or has no values to count.
    """
    return {name: _counts(catalogue, name, rows) for name in names}


def check_facets(catalogue: Catalogue, names: Sequence[str]) -> None:
    """Raise the RequestError that facets deserve, if they deserve one."""
    for name in names:
        column = catalogue.column(name, field="facets")
        if column.kind not in COUNTABLE:
            raise RequestError(
                f"{name!r} is a {column.kind} attribute; its values are not counted.",
                remedy="Name keywords or lists of keywords.",
                where="facets",
            )


def _counts(catalogue: Catalogue, name: str, rows: NDArray[np.int32]) -> dict[str, int]:
    column = catalogue.column(name, field="facets")
    if column.kind == "keyword":
        codes = column.arrays["codes"][rows]
    else:
        offsets, values = column.lists()
        parts = [values[offsets[row] : offsets[row + 1]] for row in rows.tolist()]
        codes = np.concatenate([*parts, np.empty(0, np.int32)]).astype(np.int64)
    counted = np.bincount(codes[codes >= 0], minlength=len(column.terms))
    told = [(column.terms[code], int(counted[code])) for code in np.flatnonzero(counted)]
    return dict(sorted(told, key=lambda pair: (-pair[1], pair[0]))[:VALUES])
