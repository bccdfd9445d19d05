"""Past sessions that share items with a history, and what they went on with."""

from __future__ import annotations

from collections.abc import Sequence

from shortlist.core.order import best_first
from shortlist.online.marks import Marks
from shortlist.online.query import Query
from shortlist.online.retrieval.contract import Found
from shortlist.release.artefacts import SessionIndex
from shortlist.release.session_votes import SessionVotes


class NeighboursSource:
    """Scores sessions by the items they share, and lets the nearest vote."""

    def __init__(self, name: str, index: SessionIndex) -> None:
        self.name = name
        self._votes = SessionVotes(index)

    def search(self, queries: Sequence[Query], k: int, marks: Marks) -> list[Found]:
        """See `Source.search`."""
        return [self._one(query, k, marks) for query in queries]

    def _one(self, query: Query, k: int, marks: Marks) -> Found:
        token = marks.ban(query.banned)
        rows, sums = self._votes(query.seeds, query.allow, marks.stamp, token)
        best = best_first(sums, k)
        return rows[best], sums[best]
