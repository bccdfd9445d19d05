"""A search, from top to bottom: understand, retrieve, merge, measure, rank, show."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from shortlist.config.schema import Config
from shortlist.core.bitmap import Bitmap, clear_rows, rows_of, set_rows
from shortlist.core.catalogue import Catalogue
from shortlist.core.context import check_context
from shortlist.core.errors import ReleaseError, RequestError
from shortlist.core.order import best_first
from shortlist.core.search import Measured, SearchAnswer, SearchRequest
from shortlist.core.times import now
from shortlist.features.contract import HISTORY
from shortlist.online.filters import Filters
from shortlist.online.live import Live
from shortlist.online.pipeline import LONGEST_WHERE, MOST, MOST_EXCLUDED
from shortlist.online.retrieval.contract import NOTHING, Found
from shortlist.online.retrieval.knowledge import near
from shortlist.online.retrieval.lexical import LexicalSource
from shortlist.online.search.fuse import WEIGHTS, reciprocal, weighted
from shortlist.online.search.measure import Measure
from shortlist.online.search.parts import SearchParts
from shortlist.online.search.reading import Reading, check_query, read
from shortlist.online.search.show import check_facets, facet_counts, highlight
from shortlist.online.search.suggest import suggest
from shortlist.online.search.ways import vector_ways
from shortlist.online.snapshot import Snapshot
from shortlist.release.tree_scores import score
from shortlist.stores.contract import AvailabilityStore, HistoryReader

DEFAULT = "weighted"
"""The name of the default fusion's score among what a ranker may know."""
COUNTED = 10_000
"""At most so many matches of a query with quoted or unfinished words are counted by facets."""


@dataclass(slots=True)
class _Search:
    """One search on its way: what `Query` is to a recommendation."""

    request: SearchRequest
    reading: Reading
    now: int
    allow: Bitmap
    filtered: bool
    banned: NDArray[np.int32]
    history: tuple[NDArray[np.int32], NDArray[np.int64]]


class SearchPipeline:
    """Answers searches from one release, with the stores beside it.

    Args:
        snapshot: the release.
        parts: its search part.
        config: the project's configuration.
        history: what users did.
        availability: what is hidden while serving.
        live: items written since the release, with their words.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        parts: SearchParts,
        config: Config,
        history: HistoryReader,
        availability: AvailabilityStore,
        live: Live | None = None,
    ) -> None:
        self.snapshot, self.parts = snapshot, parts
        self._live = live
        self._config, self._history = config, history
        self.filters = Filters(
            snapshot.catalogue, availability, config.serve.filter_cache << 20, live
        )
        words = live.words if live is not None else None
        self._lexical = LexicalSource(parts.index, parts.forward, words)
        self._vectors = vector_ways(snapshot, live)
        items = config.data.items
        named = (items.category, items.price, items.place) if items else ("", "", "")
        self.measure = Measure(snapshot, parts, self._vectors, history, *named, live)
        self.names = (*self.measure.names, DEFAULT)
        self._check_ranker()
        self._lock = Lock()

    def search(self, requests: Sequence[SearchRequest]) -> list[SearchAnswer]:
        """The answer to each search; a batch equals its singles.

        Raises:
            RequestError: a request is malformed; names the field.
        """
        with self._lock:
            searches = self._understand(requests)
            answers = []
            for search, vectors in zip(searches, self._encode(searches), strict=True):
                found = self._retrieve(search, vectors)
                rows, fused = self._merge(found)
                values = self._measure(search, rows, found, fused, vectors)
                scores = self._rank(values, fused)
                answers.append(self._show(search, found, rows, values, scores))
            return answers

    def measured(self, requests: Sequence[SearchRequest]) -> list[Measured]:
        """What a ranker may know of each search's candidates, before ranking."""
        with self._lock:
            searches = self._understand(requests)
            told = []
            for search, vectors in zip(searches, self._encode(searches), strict=True):
                found = self._retrieve(search, vectors)
                rows, fused = self._merge(found)
                values = self._measure(search, rows, found, fused, vectors)
                told.append(Measured(rows, self.names, values))
            return told

    def suggest(self, typed: str, k: int) -> list[str]:
        """What the beginning of a query may become; see `online.search.suggest`."""
        with self._lock:
            if self._live is not None:
                self._live.refresh()
            titles = self._live.titles if self._live is not None else None
            return suggest(self.parts, typed, k, self.filters.visible(now()), titles)

    def check(self, request: SearchRequest) -> None:
        """Raise the RequestError that a search deserves, if it deserves one."""
        check_query(request.query)
        if not 1 <= request.k <= MOST:
            raise RequestError(
                f"{request.k} items are wanted.", remedy=f"Ask for 1 to {MOST:,}.", where="k"
            )
        for field, length, most in (
            ("exclude", len(request.exclude), MOST_EXCLUDED),
            ("where", len(request.where), LONGEST_WHERE),
            ("facets", len(request.facets), 20),
        ):
            if length > most:
                raise RequestError(
                    f"{length:,} are too many.", remedy=f"At most {most:,} can be.", where=field
                )
        check_context(request.context, self._config.data.events.context, "context")
        self.filters.check(request.where)
        check_facets(self.snapshot.catalogue, request.facets)

    @property
    def _catalogue(self) -> Catalogue:
        """The release's items and those written since."""
        return self.snapshot.catalogue if self._live is None else self._live.catalogue

    def _new_words(self, query: str) -> bool:
        """Whether a query has a word that only an item written since the release has."""
        words = self._live.words if self._live is not None else None
        if words is None or not len(words):
            return False
        return any(words.knows(term) for term in self.parts.analyzer.terms(query))

    def _understand(self, requests: Sequence[SearchRequest]) -> list[_Search]:
        """Queries to terms, filters to bitmaps, ids to rows, users to histories."""
        if self._live is not None:
            self._live.refresh()
        instants = np.array([request.now or now() for request in requests], np.int64)
        histories = self._history.read([request.user for request in requests], instants)
        vocabulary = self._catalogue.vocabulary
        items = len(self.snapshot.catalogue)
        searches = []
        for request, instant, events in zip(requests, instants.tolist(), histories, strict=True):
            self.check(request)
            rows = vocabulary.rows_of_keys(np.ascontiguousarray(events["item"]))
            banned = vocabulary.rows(request.exclude)
            banned = np.concatenate([banned, rows]) if not request.seen else banned
            known = (rows >= 0) & (rows < items)
            rows, times = rows[known], np.ascontiguousarray(events["time"])[known]
            asked = request
            if self._new_words(request.query):  # which the release would take for a mistake
                asked = replace(request, correct=False)
            searches.append(
                _Search(
                    request,
                    read(
                        asked,
                        self.parts.analyzer,
                        self.parts.understanding,
                        self._config.search.confidence,
                        self._config.data.knowledge,
                    ),
                    instant,
                    self.filters.allow(request.where, instant),
                    bool(request.where),
                    banned[banned >= 0],
                    (rows[-HISTORY:], times[-HISTORY:]),
                )
            )
        return searches

    def _encode(self, searches: Sequence[_Search]) -> list[list[NDArray[np.float32]]]:
        """The vectors of each query, one for each way by meaning."""
        texts = [search.reading.text for search in searches]
        encoded = [way.encode(texts) for way in self._vectors]
        return [[vectors[i] for vectors in encoded] for i in range(len(searches))]

    def _retrieve(self, search: _Search, vectors: Sequence[NDArray[np.float32]]) -> list[Found]:
        """What each way finds. Words that must stand side by side are found by words alone."""
        k = max(self._config.search.candidates, search.request.k)
        allowed = (k, search.allow, search.banned)
        found = [self._lexical.search(search.reading.wanted, *allowed, filtered=search.filtered)]
        loose = not (search.reading.phrases or search.reading.prefix)
        for way, vector in zip(self._vectors, vectors, strict=True):
            found.append(
                way.search(vector, *allowed, filtered=search.filtered) if loose else NOTHING
            )
        found.append(near(search.reading.near, *allowed) if loose else NOTHING)
        return found

    def _merge(self, found: Sequence[Found]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Every row once, by weighted reciprocal rank fusion, best first; and those scores."""
        rows, fused = reciprocal(found, self._weights())
        order = best_first(fused)
        return rows[order], fused[order]

    def _measure(
        self,
        search: _Search,
        rows: NDArray[np.int32],
        found: Sequence[Found],
        fused: NDArray[np.float32],
        vectors: Sequence[NDArray[np.float32]],
    ) -> NDArray[np.float32]:
        """What is known of each candidate, `float32[len(names), n]`; the default score last."""
        values = self.measure(
            search.reading,
            rows,
            found,
            fused,
            vectors,
            search.history,
            search.now,
            search.request.place,
        )
        ways = [way.name for way in self._vectors]
        score = weighted(self.measure, values, ways, self._config.search.weights)
        return np.concatenate([values, score[None]])

    def _rank(self, values: NDArray[np.float32], fused: NDArray[np.float32]) -> NDArray[np.float32]:
        """By the ranker trained on clicks, else by what the configuration fuses by."""
        if self.parts.ranker is not None:
            scores = np.empty(len(fused), np.float32)
            score(self.parts.ranker, values, scores)
            return scores
        return fused if self._config.search.fusion == "rrf" else values[-1]

    def _show(
        self,
        search: _Search,
        found: Sequence[Found],
        rows: NDArray[np.int32],
        values: NDArray[np.float32],
        scores: NDArray[np.float32],
    ) -> SearchAnswer:
        """The best k with their highlights, and what goes with the whole answer."""
        request, reading, catalogue = search.request, search.reading, self._catalogue
        chosen = best_first(scores, request.k)
        shown = rows[chosen]
        limit = max(self._config.search.candidates, request.k)
        return SearchAnswer(
            ids=catalogue.vocabulary.ids(shown),
            scores=scores[chosen],
            rows=shown,
            release=self.snapshot.id,
            request=secrets.token_hex(8),
            explain=self._explain(found, rows, values, chosen) if request.explain else [],
            query=reading.text,
            corrections=reading.corrections,
            suggestion=reading.suggestion,
            found=len(rows),
            capped=any(len(one) >= limit for one, _ in found),
            highlights=self._highlights(reading, shown) if request.highlight else [],
            facets=self._facets(search, rows),
            notes=reading.notes if request.explain else {},
            context=request.context,
        )

    def _highlights(self, reading: Reading, rows: NDArray[np.int32]) -> list[dict[str, str]]:
        quoted = (term for phrase in reading.phrases for term in phrase)
        terms = frozenset((*reading.terms, *quoted, *reading.begun))
        columns = {
            name: self._catalogue.columns[name]
            for name in self.parts.fields
            if self.snapshot.catalogue.columns[name].kind == "text"
        }
        told = []
        for row in rows.tolist():
            pieces = {
                name: highlight(str(column.value(row) or ""), terms, self.parts.analyzer)
                for name, column in columns.items()
            }
            told.append({name: piece for name, piece in pieces.items() if piece})
        return told

    def _facets(self, search: _Search, rows: NDArray[np.int32]) -> dict[str, dict[str, int]]:
        if not search.request.facets:
            return {}
        counted = self._matching(search)
        set_rows(counted, rows)
        facets = search.request.facets
        return facet_counts(self._catalogue, facets, rows_of(counted, len(self._catalogue)))

    def _matching(self, search: _Search) -> Bitmap:
        """The items that may be found and hold a word of the query, all of them."""
        reading, allow = search.reading, search.allow
        if reading.phrases or reading.prefix:  # what the index alone can tell
            found = self._lexical.search(
                reading.wanted, COUNTED, allow, search.banned, filtered=search.filtered
            )
            matching = np.zeros_like(allow)
            set_rows(matching, found[0])
            return matching
        words = self._live.words if self._live is not None else None
        matching = self.parts.forward.holding(reading.terms, allow)
        if words is not None and len(words):
            clear_rows(matching, words.replaced)
            found = words.join(NOTHING, reading.wanted, len(words), allow, search.banned)
            set_rows(matching, found[0])
        clear_rows(matching, search.banned)
        return matching

    def _explain(
        self,
        found: Sequence[Found],
        rows: NDArray[np.int32],
        values: NDArray[np.float32],
        chosen: NDArray[np.int64],
    ) -> list[dict[str, Mapping[str, float]]]:
        places = [{row: place + 1 for place, row in enumerate(one.tolist())} for one, _ in found]
        return [
            {
                "sources": {
                    way: float(place[int(rows[i])])
                    for way, place in zip(self.measure.ways, places, strict=True)
                    if int(rows[i]) in place
                },
                "features": dict(zip(self.names, values[:, i].tolist(), strict=True)),
            }
            for i in chosen.tolist()
        ]

    def _check_ranker(self) -> None:
        ranker = self.parts.ranker
        if ranker is not None and ranker.features != self.names:
            differ = sorted(set(ranker.features) ^ set(self.names))
            raise ReleaseError(
                f"the search ranker reads other numbers than this version makes: {differ[:5]}.",
                remedy="Train again with this version.",
                where=self.snapshot.id,
            )

    def _weights(self) -> list[float]:
        """What each way counts in the order of `Measure.ways`."""
        weights = WEIGHTS | self._config.search.weights
        share = weights["vector"] / max(len(self._vectors), 1)
        return [weights["lexical"], *([share] * len(self._vectors)), weights["knowledge"]]
