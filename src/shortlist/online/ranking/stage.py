"""Rank: look the features of every candidate up, and score them all in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from shortlist.config.feast import FeastSection
from shortlist.core.catalogue import Catalogue
from shortlist.core.context import read, value_code
from shortlist.core.request import Candidates
from shortlist.core.vocabulary import UNKNOWN
from shortlist.features.contract import VectorsOf, View
from shortlist.features.counters import Counter, Log
from shortlist.features.remote import Feast
from shortlist.features.skew import ROWS, FeatureLog, Logged
from shortlist.features.statistics import floor_hour
from shortlist.index.contract import Index
from shortlist.online.live import Live
from shortlist.online.live.vectors import LiveVectors
from shortlist.online.query import Query
from shortlist.online.snapshot import Snapshot
from shortlist.release.ranking.batch import Batch, user_keys
from shortlist.release.ranking.scorers import largest, scorer_of
from shortlist.stores.contract import HistoryReader, Posted

TERMS = 10
"""How many contributions an explanation names."""


class Ranking:
    """The ranker of one release.

    Args:
        snapshot: the release.
        history: asked, once an hour, for the events that were posted since the release; where
            features are declared, at every batch.
        log: where a share of the features is logged; None for nowhere.
        live: items written since, whose rows may be among the candidates.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        history: HistoryReader,
        log: FeatureLog | None = None,
        live: Live | None = None,
    ) -> None:
        self._snapshot = snapshot
        self._live = live
        self._history = history
        self._log = log
        ranker = snapshot.ranker
        self._score = scorer_of(ranker.model) if ranker else None
        self._calibration = ranker.calibration if ranker else None
        self._counters = {
            feature.name: Counter(
                feature, snapshot.series[feature.name], snapshot.catalogue, snapshot.users
            )
            for feature in snapshot.features.counted
        }
        self._vectors = {
            name: vectors
            for name, vectors in item_vectors(snapshot, live).items()
            if name in snapshot.features.vectors
        }
        features = snapshot.features
        self._asks_users = bool(features.user_attributes or features.user_texts)
        self._feast = None
        section = snapshot.manifest.config.get("feast")
        if features.remote and section:
            self._feast = Feast(features.remote, msgspec.convert(section, FeastSection))
        self._heard = ""
        self._noted = ""
        self._hour: int | None = None
        self._items: dict[str, NDArray[np.float32]] = {}
        self._room = 0

    @property
    def _catalogue(self) -> Catalogue:
        return self._snapshot.catalogue if self._live is None else self._live.catalogue

    @property
    def ready(self) -> bool:
        """Whether the release has a ranker."""
        return self._score is not None

    def __call__(
        self,
        queries: Sequence[Query],
        candidates: Sequence[Candidates],
        fused: Sequence[NDArray[np.float32]],
    ) -> list[NDArray[np.float32]]:
        """A score for every candidate of every query, in their order."""
        assert self._score is not None
        batch = self.batch(queries, candidates, fused)
        scores = self._score(batch)
        if self._log is not None:
            self._write(self._log, queries, batch)
        return [scores[a:b] for a, b in pairwise(batch.bounds.tolist())]

    def told(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """What scores mean: probabilities where the release has a calibration."""
        return scores if self._calibration is None else self._calibration(scores)

    def batch(
        self,
        queries: Sequence[Query],
        candidates: Sequence[Candidates],
        fused: Sequence[NDArray[np.float32]],
    ) -> Batch:
        """What the ranker scores: the candidates of all queries with their features."""
        bounds = np.cumsum([0, *(len(found.rows) for found in candidates)])
        return Batch(
            self._matrix(queries, candidates, fused, bounds),
            np.concatenate([found.rows for found in candidates]),
            bounds,
            user_keys([query.request.user for query in queries]),
            [query.history_rows for query in queries],
        )

    def explain(
        self,
        query: Query,
        candidates: Candidates,
        fused: NDArray[np.float32],
        chosen: NDArray[np.int64],
    ) -> list[dict[str, Mapping[str, float]]]:
        """Why each chosen candidate is there.

        `sources`: those that found it, with their ranks. `features`: all of them. Where a ranker
        scored it, `contributions`: the largest terms of its score by feature, `base`, and what
        the `others` add together; their sum is the score before calibration.
        """
        batch = self.batch([query], [candidates], [fused])
        matrix = batch.x
        why = None
        if self._score is not None and query.request.item is None and len(chosen):
            why = self._score.explain(batch, chosen)
        names = self._snapshot.features.names
        told: list[dict[str, Mapping[str, float]]] = []
        for i, position in enumerate(chosen.tolist()):
            ranks = candidates.ranks[:, position].tolist()
            found: Mapping[str, float] = {
                source: round(1 / rank)
                for source, rank in zip(candidates.sources, ranks, strict=True)
                if rank > 0
            }
            values = dict(zip(names, matrix[:, position].tolist(), strict=True))
            told.append({"sources": found, "features": values})
            if why is not None:
                told[-1]["contributions"] = largest(why, i, TERMS)
        return told

    def _matrix(
        self,
        queries: Sequence[Query],
        candidates: Sequence[Candidates],
        fused: Sequence[NDArray[np.float32]],
        bounds: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """The features of all candidates, `float32[features, total]`."""
        features = self._snapshot.features
        self._listen()
        users = self._user_rows(queries)
        remote = self._remote(queries, candidates)
        matrix = np.empty((len(features), int(bounds[-1])), np.float32)
        for i, (query, found) in enumerate(zip(queries, candidates, strict=True)):
            view = View(
                now=query.now,
                rows=found.rows,
                history_rows=query.history_rows,
                history_times=query.history_times,
                scores=dict(zip(found.sources, found.scores, strict=True)),
                ranks=dict(zip(found.sources, found.ranks, strict=True)),
                fused=fused[i],
                catalogue=self._catalogue,
                items=self._item_columns(query.now),
                history_kinds=query.history_kinds,
                counters=self._counters,
                users=self._snapshot.users,
                user_row=users[i],
                vectors=self._vectors,
                remote=remote[i],
                context=query.request.context,
                terms=self._snapshot.terms,
            )
            features.online(view, matrix[:, bounds[i] : bounds[i + 1]])
        return matrix

    def _user_rows(self, queries: Sequence[Query]) -> list[int]:
        """Where the users of queries are in the release's table of users."""
        if self._snapshot.users is None or not self._asks_users:
            return [UNKNOWN] * len(queries)
        rows: list[int] = self._snapshot.users.rows([q.request.user for q in queries]).tolist()
        return rows

    def _remote(
        self, queries: Sequence[Query], candidates: Sequence[Candidates]
    ) -> list[Mapping[str, NDArray[np.float32]]]:
        """What Feast says for each query, asked once for all; nothing for those of an instant that
        the request names, as which the online store cannot be read."""
        told: list[dict[str, NDArray[np.float32]]] = [{} for _ in queries]
        live = [i for i, query in enumerate(queries) if not query.request.now]
        if self._feast is None or not live:
            return [*told]
        of_users = self._feast.users([queries[i].request.user for i in live])
        rows = np.concatenate([candidates[i].rows for i in live])
        ids = self._catalogue.vocabulary.ids(rows) if self._feast.asks_items else []
        of_items = self._feast.items(ids)
        start = 0
        for place, i in enumerate(live):
            n = len(candidates[i].rows)
            for name, values in of_users.items():
                told[i][name] = np.full(n, values[place])
            for name, values in of_items.items():
                told[i][name] = values[start : start + n]
            start += n
        return [*told]

    def _write(self, log: FeatureLog, queries: Sequence[Query], batch: Batch) -> None:
        """Log the features of some requests."""
        for query, (start, stop) in zip(queries, pairwise(batch.bounds.tolist()), strict=True):
            if query.request.user and log.wanted():
                part = slice(start, min(stop, start + ROWS))
                ids = self._catalogue.vocabulary.ids(batch.rows[part])
                values = batch.x[:, part].tolist()
                asked, context = query.request, dict(query.request.context)
                log.write(Logged(self._snapshot.id, asked.user, query.now, ids, values, context))

    def _listen(self) -> None:
        """Let events that were posted to any process move the counters."""
        if not self._counters:
            return
        posted = self._history.posted(self._heard)
        self._heard = posted.after
        self._count(posted, list(self._counters.values()))
        beyond = [self._counters[one.name] for one in self._snapshot.features.counted if one.beyond]
        if beyond:
            noted = self._history.noted(self._noted)
            self._noted = noted.after
            self._count(noted, beyond)

    def _count(self, posted: Posted, counters: Sequence[Counter]) -> None:
        events = posted.events
        if len(events):
            rows = self._snapshot.catalogue.vocabulary.rows_of_keys(_plain(events["item"]))
            user, time, kind = (_plain(events[name]) for name in ("user", "time", "kind"))
            contexts = _codes(posted, self._snapshot.features.contexts)
            log = Log(rows, user, time, kind, contexts)
            for counter in counters:
                counter.add(log)

    def _item_columns(self, instant: int) -> dict[str, NDArray[np.float32]]:
        """Item columns as of the hour; one hour's are kept."""
        hour = floor_hour(instant)
        live = self._live if self._live is not None and self._live.fresh else None
        if hour != self._hour or (live is not None and live.size > self._room):
            statistics = self._snapshot.statistics
            keys, times = self._history.since(statistics.until)
            rows = self._snapshot.catalogue.vocabulary.rows_of_keys(keys)
            self._items, self._hour = statistics.at(instant, (rows, times)), hour
            if live is not None:
                self._items = live.item_columns(self._items, statistics, instant, keys, times)
            self._room = len(next(iter(self._items.values())))
        return self._items


def item_vectors(snapshot: Snapshot, live: Live | None) -> dict[str, VectorsOf]:
    """Retriever → its item vectors, those of items written since among them."""
    made: dict[str, VectorsOf] = {}
    for name, index in snapshot.indexes.items():
        newer = live.vectors.get(name) if live is not None else None
        made[name] = index.vectors_of if newer is None else partial(_over, index, newer)
    return made


def _over(index: Index, newer: LiveVectors, rows: NDArray[np.int32]) -> NDArray[np.float32]:
    return newer.over(rows, index.vectors_of(rows))


def _codes(posted: Posted, names: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    """The codes of the contexts of events, by name."""
    contexts = [read(text) for text in posted.contexts] if names else []
    codes = {name: [value_code(one.get(name, "")) for one in contexts] for name in names}
    return {name: np.array([*of, -1], np.int64)[posted.place] for name, of in codes.items()}


def _plain(column: NDArray[Any]) -> NDArray[Any]:
    """A field of records on its own."""
    return np.ascontiguousarray(column)
