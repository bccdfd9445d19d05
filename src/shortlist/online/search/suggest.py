"""Autocomplete: what a few typed letters may become."""

from __future__ import annotations

from shortlist.core.bitmap import Bitmap, holds
from shortlist.core.errors import RequestError
from shortlist.online.search.parts import SearchParts

MOST = 100
LONGEST = 200
"""Characters of a query that is being typed."""


def suggest(parts: SearchParts, typed: str, k: int, visible: Bitmap) -> list[str]:
    """Titles and earlier queries that begin so, the most popular first; empty for nothing typed.

    Args:
        parts: the search part of a release.
        typed: what was typed so far.
        k: how many, 1 to 100.
        visible: items whose titles may be shown.

    Raises:
        RequestError: `k` is out of range.
    """
    if not 1 <= k <= MOST:
        raise RequestError(
            f"{k} suggestions are wanted.", remedy=f"Ask for 1 to {MOST}.", where="k"
        )
    if len(typed) > LONGEST:
        return []
    normalised = parts.analyzer.normalise(typed).lstrip()
    if typed[-1:].isspace() and normalised:  # a word that is finished
        normalised = normalised.rstrip() + " "
    return parts.completions.search(normalised, k, lambda row: holds(visible, row))
