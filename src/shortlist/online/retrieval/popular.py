"""Popularity, over everything and within the segments that the seeds belong to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import Bitmap, holds
from shortlist.core.catalogue import Catalogue
from shortlist.core.jit import kernel
from shortlist.core.order import best_first
from shortlist.online.live import Live
from shortlist.online.live.columns import sealed
from shortlist.online.marks import Marks
from shortlist.online.query import Query
from shortlist.online.retrieval.contract import NOTHING, Found
from shortlist.release.artefacts import PopularLists

SEEDS = 50
SEGMENTS = 5


class PopularSource:
    """The most popular items, the same for everybody but for what is filtered."""

    def __init__(self, name: str, lists: PopularLists) -> None:
        self.name = name
        self._lists = lists

    def search(self, queries: Sequence[Query], k: int, marks: Marks) -> list[Found]:
        """See `Source.search`. Walks down the whole list, so it is never starved."""
        return [self._walk(query, k, marks) for query in queries]

    def _walk(self, query: Query, k: int, marks: Marks) -> Found:
        token = marks.ban(query.banned)
        return _walk(self._lists.order, self._lists.scores, query.allow, marks.stamp, token, k)


class SegmentSource:
    """The most popular items within the categories that the seeds are from."""

    def __init__(self, name: str, lists: PopularLists, catalogue: Catalogue) -> None:
        self.name = name
        self._lists = lists
        column = catalogue.columns[lists.segment]
        self._offsets, self._codes = column.lists()
        self._counts = np.zeros(len(column.terms), np.float32)

    def search(self, queries: Sequence[Query], k: int, marks: Marks) -> list[Found]:
        """See `Source.search`. Each segment gives rows in proportion to its share of the seeds."""
        return [self.walk(query, k, marks, marks.ban(query.banned)) for query in queries]

    def walk(self, query: Query, k: int, marks: Marks, token: int) -> Found:
        """At most k rows of one query that are fresh under a token of the marks."""
        lists = self._lists
        seeds = query.seeds[:SEEDS]
        terms, shares = _top_terms(self._offsets, self._codes, seeds, self._counts, SEGMENTS)
        found = []
        for term, share in zip(terms.tolist(), shares.tolist(), strict=True):
            part = slice(lists.segment_offsets[term], lists.segment_offsets[term + 1])
            order, popularity = lists.segment_order[part], lists.segment_scores[part]
            wanted = int(np.ceil(k * share))
            rows, scores = _walk(order, popularity, query.allow, marks.stamp, token, wanted)
            if len(rows):
                found.append((rows, scores * np.float32(share / max(scores[0], 1e-9))))
        if not found:
            return NOTHING
        rows = np.concatenate([rows for rows, _ in found])
        scores = np.concatenate([scores for _, scores in found])
        best = best_first(scores, k)
        return rows[best], scores[best]


class Filler:
    """Fills lists that the sources leave short: the most popular of the segment, then of all.

    Items written since the release come last, the newest first.
    """

    def __init__(self, lists: PopularLists, catalogue: Catalogue, live: Live | None = None) -> None:
        self._lists = lists
        self._live = live
        self._segment = SegmentSource("", lists, catalogue) if lists.segment else None

    def fill(self, query: Query, k: int, marks: Marks, token: int) -> NDArray[np.int32]:
        """k more rows that are allowed and fresh under the token; fewer only if there are none."""
        near = NOTHING[0]
        if self._segment is not None and query.request.item is not None:
            near, _ = self._segment.walk(query, k, marks, token)
        lists = self._lists
        rest, _ = _walk(lists.order, lists.scores, query.allow, marks.stamp, token, k - len(near))
        found = [near, rest]
        if self._live is not None and self._live.fresh and len(near) + len(rest) < k:
            newest = np.arange(self._live.size - 1, self._live.first - 1, -1, dtype=np.int32)
            more = k - len(near) - len(rest)
            alike = sealed(np.zeros(len(newest), np.float32))
            sealed(newest)
            found.append(_walk(newest, alike, query.allow, marks.stamp, token, more)[0])
        return np.concatenate(found)


@kernel
def _walk(
    order: NDArray[np.int32],
    scores: NDArray[np.float32],
    allow: Bitmap,
    stamp: NDArray[np.int32],
    token: int,
    k: int,
) -> Found:
    rows = np.empty(k, np.int32)
    kept = np.empty(k, np.float32)
    n = 0
    for i in range(len(order)):
        if n == k:
            break
        row = order[i]
        if holds(allow, row) and stamp[row] < token:
            stamp[row] = token + 1
            rows[n] = row
            kept[n] = scores[i]
            n += 1
    return rows[:n], kept[:n]


@kernel
def _top_terms(
    offsets: NDArray[np.int64],
    codes: NDArray[np.int32],
    seeds: NDArray[np.int32],
    counts: NDArray[np.float32],
    most: int,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The commonest terms among the seeds and their shares; `counts` is zero before and after."""
    seen = np.empty(0, np.int32)
    for seed in seeds:
        seen = np.append(seen, codes[offsets[seed] : offsets[seed + 1]])
    for code in seen:
        counts[code] += 1
    terms = np.empty(most, np.int32)
    shares = np.empty(most, np.float32)
    n = 0
    total = np.float32(0)
    while n < most:
        best = np.int32(-1)
        for code in seen:
            if counts[code] > 0 and (best < 0 or counts[code] > counts[best]):
                best = code
        if best < 0:
            break
        terms[n], shares[n] = best, counts[best]
        total += counts[best]
        counts[best] = 0
        n += 1
    for code in seen:
        counts[code] = 0
    return terms[:n], shares[:n] / max(total, np.float32(1))
