"""The request, from top to bottom.

`answer` is the whole path. A batch goes through it together, because indexes and rankers do
several requests at once cheaper than one by one; a batch equals its singles.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from shortlist.config.schema import Config
from shortlist.core.catalogue import Catalogue
from shortlist.core.context import check_context
from shortlist.core.errors import ConfigError, RequestError
from shortlist.core.request import Candidates, Request, Shortlist, Weighed
from shortlist.core.times import now
from shortlist.core.vocabulary import UNKNOWN
from shortlist.features.contract import HISTORY, VectorsOf
from shortlist.features.skew import FeatureLog
from shortlist.online.arrange import Arrange
from shortlist.online.evidence import evidence_of
from shortlist.online.experiments import ARRANGE, Experiments
from shortlist.online.filters import Filters
from shortlist.online.fuse import Fuse, head_of
from shortlist.online.live import Live
from shortlist.online.marks import Marks
from shortlist.online.merge import merge
from shortlist.online.query import Query
from shortlist.online.ranking.stage import Ranking, item_vectors
from shortlist.online.retrieval import sources_of
from shortlist.online.retrieval.contract import Found
from shortlist.online.snapshot import Snapshot
from shortlist.stores.contract import AvailabilityStore, Events, HistoryReader

Merged = tuple[Query, list[Found], int, Candidates, NDArray[np.float32]]
"""A query, what each source found, how many each was asked for, and both merged."""

MOST = 1_000
MOST_EXCLUDED = 100_000
LONGEST_WHERE = 10_000


class RequestPipeline:
    """One release, opened, with the stores beside it; answers requests.

    Safe to call from several threads: requests are answered one batch at a time.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        config: Config,
        history: HistoryReader,
        availability: AvailabilityStore,
        feature_log: FeatureLog | None = None,
        live: Live | None = None,
        experiments: Experiments | None = None,
    ) -> None:
        self.snapshot = snapshot
        self._live = live
        self._config = config
        self._history = history
        catalogue = snapshot.catalogue
        self.filters = Filters(catalogue, availability, config.serve.filter_cache << 20, live)
        self._marks = Marks(len(catalogue))
        self._sources, self._similar, self._filler = sources_of(snapshot, live)
        self._evidence = evidence_of(snapshot, [source.name for source in self._sources])
        self._fuse = Fuse(snapshot.manifest.fusion, snapshot.fusion_trees, self._evidence)
        self._ranking = Ranking(snapshot, history, feature_log, live)
        self._experiments = experiments or Experiments({})
        self._rules = {ARRANGE: config.arrange, **self._experiments.arrangements}
        self._arrange = self._arrangements(catalogue)
        self._lock = Lock()

    def recommend(self, requests: Sequence[Request]) -> list[Shortlist]:
        """The answer to each request (neighbours of an item where the request names one).

        Raises:
            RequestError: a request is malformed; names the field.
        """
        if not requests:
            return []
        with self._lock:
            queries = self._hydrate(requests)
            found = [
                self._arrange[query.treatment.arrange].bring(query, *one)
                for query, one in zip(queries, self._retrieve(queries), strict=True)
            ]
            candidates = [one for one, _ in found]
            scores = self._rank(queries, candidates, [fused for _, fused in found])
            return [
                self._show(query, one, fused, score)
                for query, (one, fused), score in zip(queries, found, scores, strict=True)
            ]

    def retrieve(self, requests: Sequence[Request]) -> list[Candidates]:
        """The merged candidates of each request, before ranking."""
        return [found for found, _ in self.fused(requests)]

    def fused(self, requests: Sequence[Request]) -> list[tuple[Candidates, NDArray[np.float32]]]:
        """The merged candidates of each request, and the scores that they are in order of."""
        if not requests:
            return []
        with self._lock:
            return self._retrieve(self._hydrate(requests))

    def weigh(self, requests: Sequence[Request]) -> list[Weighed]:
        """The first candidates of each request, and the evidence that fusion is learned from."""
        if not requests:
            return []
        with self._lock:
            queries = self._hydrate(requests)
            weighed = []
            for query, lists, k, found, consensus in self._merged(queries):
                head = head_of(found)
                values = self._evidence(query, lists, k, head, consensus[: len(head.rows)])
                weighed.append(Weighed(head, self._evidence.names, values))
            return weighed

    @property
    def vectors(self) -> Mapping[str, VectorsOf]:
        """Retriever → its item vectors."""
        return item_vectors(self.snapshot, self._live)

    def check(self, request: Request) -> None:
        """Raise the RequestError that a request deserves, if it deserves one."""
        if not 1 <= request.k <= MOST:
            raise RequestError(
                f"{request.k} items are wanted.", remedy=f"Ask for 1 to {MOST:,}.", where="k"
            )
        if len(request.exclude) > MOST_EXCLUDED:
            raise RequestError(
                f"{len(request.exclude):,} items are excluded.",
                remedy=f"At most {MOST_EXCLUDED:,} can be; filter by an attribute with `where`.",
                where="exclude",
            )
        if len(request.where) > LONGEST_WHERE:
            raise RequestError(
                f"the expression has {len(request.where):,} characters.",
                remedy=f"At most {LONGEST_WHERE:,} can be; exclude items by `exclude`.",
                where="where",
            )
        check_context(request.context, self._config.data.events.context, "context")
        self.filters.check(request.where)
        if request.item is not None:
            known = self.snapshot.catalogue.vocabulary.rows([request.item])
            if known[0] == UNKNOWN and not (self._live and self._live.knows(request.item)):
                raise RequestError(
                    f"no item has the id {request.item!r}.",
                    remedy="Ask for an item of the catalogue.",
                    where="item",
                )

    @property
    def _catalogue(self) -> Catalogue:
        """The release's items and those written since."""
        return self.snapshot.catalogue if self._live is None else self._live.catalogue

    def _follow(self) -> None:
        """Take over the items that were written since the last batch."""
        if self._live is not None and self._live.refresh():
            self._marks.grow(self._live.size)
            self._evidence.grow(self._live.size)
            for arrange in self._arrange.values():
                arrange.follow(self._live)

    def _arrangements(self, catalogue: Catalogue) -> dict[str, Arrange]:
        snapshot, seed = self.snapshot, self._config.project.seed
        made, vectors = {}, self.vectors
        for table, rules in self._rules.items():
            try:
                made[table] = Arrange(catalogue, rules, vectors, snapshot.retrievers, seed)
            except ConfigError as error:
                where = error.where.replace(ARRANGE, table, 1)
                raise ConfigError(error.problem, remedy=error.remedy, where=where) from None
        return made

    def _hydrate(self, requests: Sequence[Request]) -> list[Query]:
        """Understand requests: filters to bitmaps, ids to rows, users to histories."""
        self._follow()
        instants = np.array([request.now or now() for request in requests], np.int64)
        histories = self._history.read([request.user for request in requests], instants)
        vocabulary = self._catalogue.vocabulary
        items = len(self.snapshot.catalogue)
        queries = []
        for request, instant, events in zip(requests, instants.tolist(), histories, strict=True):
            self.check(request)
            rows, times, kinds = _known(vocabulary.rows_of_keys(_column(events, "item")), events)
            banned = [vocabulary.rows(request.exclude)] if request.exclude else []
            treatment = self._experiments.of(request)
            rules = self._rules[treatment.arrange]
            seen = rules.seen if request.seen is None else request.seen
            if not seen:
                banned.append(rows)
            seeds = rows[::-1]
            if request.item is not None:
                seeds = vocabulary.rows([request.item])
                seeds = seeds[seeds >= 0]  # one that was written this instant has no row yet
                banned.append(seeds)
            live_seeds = None
            if self._live is not None and (seeds >= items).any():
                live_seeds, seeds = seeds, seeds[seeds < items]
            if self._live is not None and (rows >= items).any():
                known = rows < items
                rows, times, kinds = rows[known], times[known], kinds[known]
            queries.append(
                Query(
                    request=request,
                    now=instant,
                    limit=max(self._config.ranker.candidates, request.k),
                    allow=self.filters.allow(request.where, instant),
                    filtered=bool(request.where),
                    banned=np.concatenate(banned) if banned else np.empty(0, np.int32),
                    seeds=seeds,
                    history_rows=rows[-HISTORY:],
                    history_times=times[-HISTORY:],
                    history_kinds=kinds[-HISTORY:],
                    live_seeds=live_seeds,
                    treatment=treatment,
                )
            )
        return queries

    def _retrieve(self, queries: Sequence[Query]) -> list[tuple[Candidates, NDArray[np.float32]]]:
        """Candidates of each query in fused order, and their fused scores."""
        return [
            self._fuse(query, lists, k, found, consensus)
            if query.request.item is None
            else (found, consensus)
            for query, lists, k, found, consensus in self._merged(queries)
        ]

    def _merged(self, queries: Sequence[Query]) -> list[Merged]:
        """Ask every source, and merge what they found for each query."""
        merged = {}
        groups: dict[tuple[bool, int], list[Query]] = {}
        for query in queries:  # how deep sources are asked must not depend on who else asks
            groups.setdefault((query.request.item is None, query.limit), []).append(query)
        for (is_feed, limit), group in groups.items():
            sources = self._sources if is_feed else self._similar
            k = self._config.serve.sources or limit
            names = tuple(source.name for source in sources)
            answers = [source.search(group, k, self._marks) for source in sources]
            for i, query in enumerate(group):
                lists = [answer[i] for answer in answers]
                found, consensus = merge(query, lists, names, self._filler, self._marks)
                merged[id(query)] = (query, lists, k, found, consensus)
        return [merged[id(query)] for query in queries]

    def _rank(
        self,
        queries: Sequence[Query],
        candidates: Sequence[Candidates],
        fused: Sequence[NDArray[np.float32]],
    ) -> list[NDArray[np.float32]]:
        """A score for every candidate; the fused one without a ranker or for neighbours."""
        feeds = [i for i, query in enumerate(queries) if _is_ranked(query)]
        scores = list(fused)
        if feeds and self._ranking.ready:
            ranked = self._ranking(
                [queries[i] for i in feeds],
                [candidates[i] for i in feeds],
                [fused[i] for i in feeds],
            )
            for i, score in zip(feeds, ranked, strict=True):
                scores[i] = score
        return scores

    def _show(
        self,
        query: Query,
        candidates: Candidates,
        fused: NDArray[np.float32],
        scores: NDArray[np.float32],
    ) -> Shortlist:
        """Arrange scored candidates, and bring ids back."""
        arranged = self._arrange[query.treatment.arrange](query, candidates, scores)
        chosen = arranged.chosen
        rows, shown = candidates.rows[chosen], scores[chosen]
        explain: list[dict[str, Mapping[str, float]]] = []
        if query.request.explain:
            explain = self._ranking.explain(query, candidates, fused, chosen)
            for why, told in zip(explain, arranged.told, strict=False):
                why["arranged"] = told
            if not query.treatment.ranked:
                for why in explain:
                    why.pop("contributions", None)
        return Shortlist(
            ids=self._catalogue.vocabulary.ids(rows),
            scores=self._ranking.told(shown) if _is_ranked(query) else shown,
            rows=rows,
            release=self.snapshot.id,
            request=secrets.token_hex(8),
            explain=explain,
            propensities=arranged.propensities,
            variants=query.treatment.variants,
            context=query.request.context,
        )


def _is_ranked(query: Query) -> bool:
    return query.request.item is None and query.treatment.ranked


def _column(events: Events, name: str) -> NDArray[np.uint64]:
    return np.ascontiguousarray(events[name])


def _known(
    rows: NDArray[np.int32], events: Events
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.uint32]]:
    """Rows, times and kinds of the events whose items the catalogue knows."""
    times, kinds = np.ascontiguousarray(events["time"]), np.ascontiguousarray(events["kind"])
    known = rows >= 0
    return (rows, times, kinds) if known.all() else (rows[known], times[known], kinds[known])
