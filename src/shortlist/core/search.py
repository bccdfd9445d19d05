"""A search and its answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shortlist.core.context import Context
from shortlist.core.request import Shortlist


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """One search.

    Attributes:
        query: what was typed. Words in double quotes must stand side by side, in that order.
        user: whose taste counts; empty for nobody's.
        place: where it is asked from, as `data.items.place` calls places; empty for unknown.
        k: how many items to return, 1 to 1,000.
        where: a filter expression over item attributes; empty for none.
        exclude: ids of items that must not be returned.
        facets: attributes whose values are counted over what was found.
        now: the instant it is made at, microseconds; 0 for this instant.
        seen: whether items of the user's history may be returned.
        correct: whether a sure correction is searched for instead of what was typed.
        unfinished: whether the last word is still being typed: any word that begins so matches.
        highlight: whether the answer says where in an item's texts the query matches.
        explain: whether the answer says what each item scores by.
        context: what it is made in, as `core.Request` has it; the impressions of the answer are
            logged with it.
    """

    query: str
    user: str = ""
    k: int = 10
    where: str = ""
    exclude: Sequence[str] = ()
    facets: Sequence[str] = ()
    now: int = 0
    seen: bool = True
    correct: bool = True
    unfinished: bool = False
    highlight: bool = True
    explain: bool = False
    place: str = ""
    context: Context = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Correction:
    """A word that was probably meant.

    Attributes:
        typed: what stands in the query.
        meant: what was probably meant.
        confidence: how sure that is, 0 to 1.
        applied: whether it was searched for.
    """

    typed: str
    meant: str
    confidence: float
    applied: bool


@dataclass(frozen=True, slots=True)
class SearchAnswer(Shortlist):
    """The answer to a search: a shortlist, and what was made of the query.

    Attributes:
        query: what was searched for, corrections applied.
        corrections: words that were, or could be, corrected.
        suggestion: the query with all corrections ("did you mean"); empty where it is `query`.
        found: how many items matched before the best k were taken; with `capped`, at least so many.
        capped: whether retrieval stopped at its limit.
        highlights: per item, field → the piece of its text where the query matches, the matching
            words between `<em>` and `</em>`, everything else escaped for HTML.
        facets: attribute → value → how many of the found items have it, most first.
        notes: what the query was understood as, for `explain`.
    """

    query: str = ""
    corrections: list[Correction] = field(default_factory=list)
    suggestion: str = ""
    found: int = 0
    capped: bool = False
    highlights: list[dict[str, str]] = field(default_factory=list)
    facets: dict[str, dict[str, int]] = field(default_factory=dict)
    notes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measured:
    """The candidates of one search with what a ranker may know of them.

    Attributes:
        rows: `int32[n]`, in fused order.
        names: what the lines of `values` are.
        values: `float32[names, n]`, finite.
    """

    rows: NDArray[np.int32]
    names: tuple[str, ...]
    values: NDArray[np.float32]
