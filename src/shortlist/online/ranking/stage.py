"""Rank: look the features of every candidate up, and score them all in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from shortlist.core.request import Candidates
from shortlist.features.contract import View
from shortlist.features.statistics import floor_hour
from shortlist.online.query import Query
from shortlist.online.ranking.boosted import score
from shortlist.online.snapshot import Snapshot
from shortlist.stores.contract import HistoryReader


class Ranking:
    """The ranker of one release.

    Args:
        snapshot: the release.
        history: asked, once an hour, for the events that were posted since the release.
    """

    def __init__(self, snapshot: Snapshot, history: HistoryReader) -> None:
        self._snapshot = snapshot
        self._history = history
        self._hour: int | None = None
        self._items: dict[str, NDArray[np.float32]] = {}

    @property
    def ready(self) -> bool:
        """Whether the release has a ranker."""
        return self._snapshot.trees is not None

    def __call__(
        self, queries: Sequence[Query], candidates: Sequence[Candidates]
    ) -> list[NDArray[np.float32]]:
        """A score for every candidate of every query, in their order."""
        trees = self._snapshot.trees
        assert trees is not None
        bounds = np.cumsum([0, *(len(found.rows) for found in candidates)])
        matrix = self._matrix(queries, candidates, bounds)
        scores = np.empty(int(bounds[-1]), np.float32)
        score(trees, matrix, scores)
        return [scores[a:b] for a, b in pairwise(bounds.tolist())]

    def explain(
        self, query: Query, candidates: Candidates, chosen: NDArray[np.int64]
    ) -> list[dict[str, Mapping[str, float]]]:
        """Of each chosen candidate the sources that found it (their ranks) and its features."""
        matrix = self._matrix([query], [candidates], np.array([0, len(candidates.rows)]))
        names = self._snapshot.features.names
        told: list[dict[str, Mapping[str, float]]] = []
        for position in chosen.tolist():
            ranks = candidates.ranks[:, position].tolist()
            found: Mapping[str, float] = {
                source: round(1 / rank)
                for source, rank in zip(candidates.sources, ranks, strict=True)
                if rank > 0
            }
            values = dict(zip(names, matrix[:, position].tolist(), strict=True))
            told.append({"sources": found, "features": values})
        return told

    def _matrix(
        self,
        queries: Sequence[Query],
        candidates: Sequence[Candidates],
        bounds: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """The features of all candidates, `float32[features, total]`."""
        features = self._snapshot.features
        matrix = np.empty((len(features), int(bounds[-1])), np.float32)
        for i, (query, found) in enumerate(zip(queries, candidates, strict=True)):
            view = View(
                now=query.now,
                rows=found.rows,
                history_rows=query.history_rows,
                history_times=query.history_times,
                scores=dict(zip(found.sources, found.scores, strict=True)),
                ranks=dict(zip(found.sources, found.ranks, strict=True)),
                catalogue=self._snapshot.catalogue,
                items=self._item_columns(query.now),
            )
            features.online(view, matrix[:, bounds[i] : bounds[i + 1]])
        return matrix

    def _item_columns(self, instant: int) -> dict[str, NDArray[np.float32]]:
        """Item columns as of the hour; one hour's are kept."""
        hour = floor_hour(instant)
        if hour != self._hour:
            statistics = self._snapshot.statistics
            keys, times = self._history.since(statistics.until)
            rows = self._snapshot.catalogue.vocabulary.rows_of_keys(keys)
            self._items, self._hour = statistics.at(instant, (rows, times)), hour
        return self._items
