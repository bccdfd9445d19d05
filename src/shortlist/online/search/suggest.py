"""Autocomplete: what a few typed letters may become."""

from __future__ import annotations

from shortlist.core.bitmap import Bitmap, holds
from shortlist.core.errors import RequestError
from shortlist.online.live.titles import LiveTitles
from shortlist.online.search.parts import SearchParts

MOST = 100
LONGEST = 200
"""Characters of a query that is being typed."""


def suggest(
    parts: SearchParts, typed: str, k: int, visible: Bitmap, live: LiveTitles | None = None
) -> list[str]:
    """Titles and earlier queries that begin so, the most popular first; empty for nothing typed.

    Titles that are new since the release, which nobody can have taken, are the last; a fifth of the
    places is kept for them.

    Args:
        parts: the search part of a release.
        typed: what was typed so far.
        k: how many, 1 to 100.
        visible: items whose titles may be shown.
        live: the titles of items written since the release.

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
    if live is None or not normalised:
        return parts.completions.search(normalised, k, lambda row: holds(visible, row))
    new = live.search(normalised, k, lambda row: holds(visible, row))
    old = parts.completions.search(
        normalised, k, lambda row: holds(visible, row) and row not in live
    )
    kept = max(k - max(-(-k // 5), 1), k - len(new)) if k > 1 else k
    return list(dict.fromkeys([*old[:kept], *new, *old[kept:]]))[:k]
