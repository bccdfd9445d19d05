"""What goes with the items of an answer: highlights and facet counts."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import Catalogue
from shortlist.core.errors import RequestError
from shortlist.core.jit import kernel
from shortlist.text.analyzer import Analyzer

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
    hits = analyzer.matches(text, terms)
    if not hits:
        return ""
    first, last = _window(hits)
    start = _edge(text, max(hits[first][0] - PIECE // 4, 0), back=True)
    stop = _edge(text, min(max(hits[last][1], start + PIECE), len(text)), back=False)
    parts, at = ["…" if start or before else ""], start
    for begin, end in hits[first:]:
        if end > stop:
            break
        parts += [escape(text[at:begin]), "<em>", escape(text[begin:end]), "</em>"]
        at = end
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


def _window(hits: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The first and last of the most hits within a piece; the earliest such."""
    best, first = (0, 0), 0
    for last, (_, end) in enumerate(hits):
        while end - hits[first][0] > PIECE:
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
    codes = column.arrays["codes"]
    counted = np.zeros(len(column.terms), np.int64)
    if column.kind == "keyword":
        _count(codes, rows, counted)
    else:
        _count_lists(column.arrays["offsets"], codes, rows, counted)
    there = np.flatnonzero(counted)
    if len(there) > VALUES:  # of those that tie for the last place, the names decide
        last = np.partition(counted[there], -VALUES)[-VALUES]
        there = there[counted[there] >= last]
    told = [(column.terms[code], int(counted[code])) for code in there.tolist()]
    return dict(sorted(told, key=lambda pair: (-pair[1], pair[0]))[:VALUES])


@kernel
def _count(codes: NDArray[np.int32], rows: NDArray[np.int32], out: NDArray[np.int64]) -> None:
    for row in rows:
        if codes[row] >= 0:
            out[codes[row]] += 1


@kernel
def _count_lists(
    offsets: NDArray[np.int64],
    codes: NDArray[np.int32],
    rows: NDArray[np.int32],
    out: NDArray[np.int64],
) -> None:
    for row in rows:
        for at in range(offsets[row], offsets[row + 1]):
            out[codes[at]] += 1
