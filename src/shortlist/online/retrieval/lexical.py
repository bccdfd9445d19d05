"""Items that hold the words of a query, by BM25."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import Bitmap, clear_rows, count, held, rows_of
from shortlist.index.lexical import LexicalIndex, Wanted
from shortlist.index.lexical.forward import Forward
from shortlist.online.live.words import LiveWords
from shortlist.online.retrieval.contract import NOTHING, Found

NARROW = 2_000
"""Up to so many allowed items the index is asked about them alone."""
GROWTH = 4
"""How many times as many are asked for where too few of them are allowed."""


class LexicalSource:
    """Searches a release's inverted index, whose keys are catalogue rows.

    Args:
        index: the index.
        forward: the words of the release's items, asked in the index's place where a filter leaves
            items out: the index would rank what it must not find.
        live: the words of items written since.
    """

    name = "lexical"

    def __init__(
        self, index: LexicalIndex, forward: Forward, live: LiveWords | None = None
    ) -> None:
        self._index, self._forward, self._live = index, forward, live

    def search(
        self, wanted: Wanted, k: int, allow: Bitmap, banned: NDArray[np.int32], *, filtered: bool
    ) -> Found:
        """At most k rows that are allowed and not banned, best first.

        Fewer only when fewer hold a word of the query.
        """
        if wanted.empty:
            return NOTHING
        if self._live is None or not len(self._live):
            return self._search(wanted, k, allow, banned, filtered=filtered)
        without = np.concatenate([banned, self._live.replaced])
        found = self._search(wanted, k, allow, without, filtered=filtered)
        return self._live.join(found, wanted, k, allow, banned)

    def _search(
        self, wanted: Wanted, k: int, allow: Bitmap, banned: NDArray[np.int32], *, filtered: bool
    ) -> Found:
        """What the index finds."""
        if len(banned):
            allow = allow.copy()
            clear_rows(allow, banned)
        if filtered and not (wanted.phrases or wanted.prefix):
            return self._forward.best(wanted.terms, k, allow)
        only = None
        if filtered and count(allow) <= NARROW:
            only = rows_of(allow, len(self._forward)).astype(np.uint64)
        ask = k
        while True:
            keys, scores = self._index.search(wanted, ask, only=only)
            rows = keys.astype(np.int32)
            kept = held(allow, rows)
            if kept.sum() >= k or len(rows) < ask:
                return rows[kept][:k], scores[kept][:k]
            ask *= GROWTH
