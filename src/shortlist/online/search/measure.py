"""What is known of each candidate of a search: how it matches, and what it is to whom asks.

The one place where these numbers are made: a search ranker is trained on what this file gives for
replayed queries, and serves on what it gives for live ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import Catalogue
from shortlist.core.jit import kernel
from shortlist.features import FeatureSet, default_features, floor_hour
from shortlist.features.contract import View
from shortlist.index.contract import Index
from shortlist.online.live import Live
from shortlist.online.retrieval.contract import Found
from shortlist.online.search.context import nearness, taken_now
from shortlist.online.search.parts import SearchParts
from shortlist.online.search.reading import Reading
from shortlist.online.search.ways import VectorWay
from shortlist.online.snapshot import Snapshot
from shortlist.stores.contract import HistoryReader

SEEDS = 30
"""So many of a user's newest items say what the user likes."""
LIKES = "likeness"
POPULARITY = "popularity"
TAKEN_NOW = "taken_now"
PLACE = "place"


class Measure:
    """Numbers on candidates, over one release.

    Args:
        snapshot: the release.
        parts: its search part.
        vectors: the ways by meaning.
        history: asked, once an hour, for the events that were posted since the release.
        category, price: as in `features.default_features`.
        place: the attribute that says where items are; empty for none.
        live: items written since the release, which may be among the candidates.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        parts: SearchParts,
        vectors: Sequence[VectorWay],
        history: HistoryReader,
        category: str,
        price: str,
        place: str = "",
        live: Live | None = None,
    ) -> None:
        self._live = live
        self._snapshot, self._parts, self._vectors = snapshot, parts, vectors
        self._history, self._place = history, place
        self.ways = ("lexical", *(way.name for way in vectors), "knowledge")
        kinds = {name: column.kind for name, column in snapshot.catalogue.columns.items()}
        self._features: FeatureSet = default_features(category, price, kinds, self.ways)
        self._tastes = self._taste_index()
        self._hour: int | None = None
        self._items: dict[str, NDArray[np.float32]] = {}
        self._popular = self._taken_now = np.empty(0, np.float32)
        own = [*parts.forward.names, *(f"similarity:{way.name}" for way in vectors)]
        self.names = (
            *(*own, "knowledge", LIKES, POPULARITY, TAKEN_NOW, PLACE),
            *self._features.names,
        )

    def __call__(
        self,
        reading: Reading,
        rows: NDArray[np.int32],
        found: Sequence[Found],
        fused: NDArray[np.float32],
        vectors: Sequence[NDArray[np.float32]],
        history: tuple[NDArray[np.int32], NDArray[np.int64]],
        now: int,
        place: str = "",
    ) -> NDArray[np.float32]:
        """The numbers of one search's candidates.

        Args:
            reading: the query.
            rows: `int32[n]`, the candidates.
            found: what each of `ways` found, in their order.
            fused: `float32[n]`, reciprocal rank fusion of those.
            vectors: of each way by meaning, the query's vector.
            history: rows and times of the user's newest interactions, oldest first.
            now: the instant, microseconds.
            place: where it is asked from; empty for unknown.

        Returns:
            `float32[len(names), n]`, finite.
        """
        out = np.zeros((len(self.names), len(rows)), np.float32)
        forward = self._parts.forward
        at = len(forward.names)
        out[:at] = self._words(reading, rows)
        for way, vector in zip(self._vectors, vectors, strict=True):
            out[at] = way.similarity(vector, rows) if vector.any() else 0
            at += 1
        _scatter(*reading.near, rows, out[at])
        out[at + 1] = self._likeness(history[0], rows)
        items = self._item_columns(now)
        out[at + 2] = self._popular[rows]
        known = rows < len(self._taken_now)  # an item written since was taken by nobody
        out[at + 3, known] = self._taken_now[rows[known]]
        out[at + 4] = nearness(self._catalogue, self._place, place, rows)
        scores = np.zeros((len(self.ways), len(rows)), np.float32)
        ranks = np.zeros_like(scores)
        for line, (found_rows, found_scores) in enumerate(found):
            _scatter(found_rows, found_scores, rows, scores[line])
            places = (1 / np.arange(1, len(found_rows) + 1)).astype(np.float32)
            _scatter(found_rows, places, rows, ranks[line])
        view = View(
            now=now,
            rows=rows,
            history_rows=history[0],
            history_times=history[1],
            scores=dict(zip(self.ways, scores, strict=True)),
            ranks=dict(zip(self.ways, ranks, strict=True)),
            fused=fused,
            catalogue=self._catalogue,
            items=items,
        )
        self._features.online(view, out[at + 5 :])
        return out

    @property
    def _catalogue(self) -> Catalogue:
        """The release's items and those written since."""
        return self._snapshot.catalogue if self._live is None else self._live.catalogue

    def _words(self, reading: Reading, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """What `Forward.measure` says of rows, whether the release has them or not."""
        forward = self._parts.forward
        if self._live is None or not self._live.version:
            return forward.measure(reading.terms, reading.order, rows)
        there = np.where(rows < len(forward), rows, 0).astype(np.int32)
        out = forward.measure(reading.terms, reading.order, there)
        if self._live.words is not None:
            self._live.words.over(reading.terms, reading.order, rows, out)
        return out

    def _likeness(self, history: NDArray[np.int32], rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """The cosine of each row with the mean of the user's newest items; 0 without either."""
        if self._tastes is None or not len(history):
            return np.zeros(len(rows), np.float32)
        liked = _unit(self._tastes.vectors_of(history[-SEEDS:])).sum(axis=0, keepdims=True)
        return np.asarray((_unit(self._tastes.vectors_of(rows)) @ _unit(liked)[0]), np.float32)

    def _taste_index(self) -> Index | None:
        """Vectors of what goes with what: those of behaviour before those of words."""
        texts = {way.name for way in self._vectors}
        names = sorted(self._snapshot.indexes, key=lambda name: name in texts)
        return self._snapshot.indexes[names[0]] if names else None

    def _item_columns(self, instant: int) -> dict[str, NDArray[np.float32]]:
        """Item columns as of the hour; one hour's are kept."""
        hour = floor_hour(instant)
        live = self._live if self._live is not None and self._live.fresh else None
        if hour != self._hour or (live is not None and live.size > len(self._popular)):
            statistics = self._snapshot.statistics
            keys, times = self._history.since(statistics.until)
            rows = self._snapshot.catalogue.vocabulary.rows_of_keys(keys)
            self._items, self._hour = statistics.at(instant, (rows, times)), hour
            if live is not None:
                self._items = live.item_columns(self._items, statistics, instant, keys, times)
            self._taken_now = taken_now(statistics, instant, rows, times)
            counts = np.log1p(self._items["item_count"])
            self._popular = (counts / max(float(counts.max(initial=0)), 1e-9)).astype(np.float32)
        return self._items


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-9), np.float32)


def _scatter(
    found: NDArray[np.int32],
    values: NDArray[np.float32],
    rows: NDArray[np.int32],
    out: NDArray[np.float32],
) -> None:
    """Write the value of each row that was found; the others keep theirs."""
    order = np.argsort(found, kind="stable")
    _look_up(found[order], values[order], rows, out)


@kernel
def _look_up(
    keys: NDArray[np.int32],
    values: NDArray[np.float32],
    rows: NDArray[np.int32],
    out: NDArray[np.float32],
) -> None:
    for i in range(len(rows)):
        at = np.searchsorted(keys, rows[i])
        if at < len(keys) and keys[at] == rows[i]:
            out[i] = values[at]
