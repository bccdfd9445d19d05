"""Logs with kinds, catalogues and users, as both sides of declared features see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shortlist.config.features import FeatureSection
from shortlist.core.catalogue import Catalogue, Column
from shortlist.core.context import Context, Contexts
from shortlist.core.keys import item_key, item_keys, kind_code
from shortlist.core.users import UserTable
from shortlist.core.vocabulary import Vocabulary
from shortlist.features.contract import HISTORY, View
from shortlist.features.counters import Counter, Log, Series
from shortlist.features.declared import declare
from shortlist.features.sets import FeatureSet
from shortlist.testing.declared_sections import (
    CONTEXTS,
    KINDS,
    PEOPLE,
    SHOWN,
    WEIGHTS,
    Person,
    sections,
)

if TYPE_CHECKING:
    from shortlist.features.contract import AsOf


@dataclass(frozen=True)
class Happening:
    """An event."""

    user: int
    item: int
    time: int
    kind: str
    context: Context = field(default_factory=dict)


@dataclass(frozen=True)
class DeclaredWorld:
    """A log, a catalogue with `kind`, `tags`, `price` and `made`, and requests.

    Attributes:
        events: the log, in any order.
        kinds, tags, prices, made: the attributes of each item.
        asks: (user, time, candidates) of each request.
        declared: the features.
        others: events that are no interactions, in any order.
        people: the first users; nothing is known of others.
        contexts: those of the first requests; of others nothing is known.
    """

    events: Sequence[Happening]
    kinds: Sequence[str | None]
    tags: Sequence[Sequence[str]]
    prices: Sequence[float | None]
    made: Sequence[int | None]
    asks: Sequence[tuple[int, int, Sequence[int]]]
    declared: dict[str, FeatureSection] = field(default_factory=sections)
    others: Sequence[Happening] = ()
    people: Sequence[Person] = PEOPLE
    contexts: Sequence[Context] = ()

    def context(self, number: int) -> Context:
        """That of a request."""
        return self.contexts[number] if number < len(self.contexts) else {}

    @cached_property
    def catalogue(self) -> Catalogue:
        n = len(self.kinds)
        return Catalogue(
            Vocabulary.of([f"item {row}" for row in range(n)]),
            {
                "kind": Column.keyword(self.kinds),
                "tags": Column.keywords(self.tags),
                "price": Column.number(self.prices),
                "made": Column.time(self.made),
            },
            np.ones(n, np.bool_),
            np.full(n, np.iinfo(np.int64).max),
        )

    @cached_property
    def features(self) -> FeatureSet:
        columns = {name: column.kind for name, column in self.catalogue.columns.items()}
        return FeatureSet(declare(self.declared, WEIGHTS, columns, self.users.kinds, SHOWN))

    @cached_property
    def users(self) -> UserTable:
        return UserTable(
            Vocabulary.of([f"user {row}" for row in range(len(self.people))]),
            {
                "age": Column.number([p.age for p in self.people]),
                "joined": Column.time([p.joined for p in self.people]),
                "favourite": Column.keyword([p.favourite for p in self.people]),
                "likes": Column.keywords([p.likes for p in self.people]),
            },
        )

    @cached_property
    def matrix(self) -> NDArray[np.float32]:
        """A vector for each item, every third of them zero."""
        made = np.random.default_rng(7).normal(size=(len(self.kinds), 4)).astype(np.float32)
        made[::3] = 0
        return made

    def vectors_of(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """As an index has them."""
        return self.matrix[rows]

    def log(self, events: Sequence[Happening]) -> Log:
        """Events as columns."""
        return Log(
            np.array([e.item for e in events], np.int32),
            np.array([item_key(f"user {e.user}") for e in events], np.uint64),
            np.array([e.time for e in events], np.int64),
            np.array([kind_code(e.kind) for e in events], np.uint32),
            self.columns(events).codes_of(CONTEXTS),
        )

    def columns(self, events: Sequence[Happening]) -> Contexts:
        """The contexts of events as columns."""
        places = {
            name: [values.index(e.context[name]) if name in e.context else -1 for e in events]
            for name, values in CONTEXTS.items()
        }
        return Contexts(CONTEXTS, {name: np.array(of, np.int32) for name, of in places.items()})

    def counters(self, until: int) -> dict[str, Counter]:
        """Those of a release whose watermark is `until`."""
        log = self.log(self.events)
        more = log.joined(self.log(self.others))
        series = {
            feature.name: Series.of(
                feature, more if feature.beyond else log, self.catalogue, until, self.users
            )
            for feature in self.features.counted
        }
        return {
            feature.name: Counter(feature, series[feature.name], self.catalogue, self.users)
            for feature in self.features.counted
        }

    def post(self, counters: dict[str, Counter], events: Sequence[Happening]) -> None:
        """Let events move the counters; what is no interaction only those that count it."""
        log, more = self.log([e for e in events if e.kind in KINDS]), self.log(events)
        for feature in self.features.counted:
            counters[feature.name].add(more if feature.beyond else log)

    def history(self, user: int, now: int) -> list[Happening]:
        """The user's newest events before an instant, oldest first."""
        found = [e for e in self.events if e.user == user and e.time < now]
        return sorted(found, key=lambda e: (e.time, e.item))[-HISTORY:]

    def view(
        self,
        user: int,
        now: int,
        rows: Sequence[int],
        counters: dict[str, Counter],
        context: Context | None = None,
    ) -> View:
        """What the online side sees of one request."""
        past = self.history(user, now)
        return View(
            now=now,
            rows=np.array(rows, np.int32),
            history_rows=np.array([e.item for e in past], np.int32),
            history_times=np.array([e.time for e in past], np.int64),
            scores={},
            ranks={},
            fused=np.zeros(len(rows), np.float32),
            catalogue=self.catalogue,
            items={},
            history_kinds=np.array([kind_code(e.kind) for e in past], np.uint32),
            counters=counters,
            users=self.users,
            user_row=user if user < len(self.people) else -1,
            vectors={"near": self.vectors_of},
            context=context or {},
            terms=CONTEXTS,
        )

    def as_of(self) -> AsOf:
        """What the offline side joins, on DuckDB."""
        import ibis
        import pyarrow as pa

        from shortlist.features.contexts import columns_of_events, columns_of_requests
        from shortlist.features.contract import AsOf, Others
        from shortlist.features.offline import catalogue_table, others_of, users_of

        lines = [(n, item) for n, (_, _, items) in enumerate(self.asks) for item in items]
        tables = (
            pa.table(
                {
                    "user": pa.array([e.user for e in self.events], pa.int32()),
                    "item": pa.array([e.item for e in self.events], pa.int32()),
                    "time": pa.array([e.time for e in self.events], pa.int64()),
                    "kind": pa.array([kind_code(e.kind) for e in self.events], pa.int64()),
                    "weight": pa.array([WEIGHTS[e.kind] for e in self.events], pa.float64()),
                    **columns_of_events(tuple(CONTEXTS), self.columns(self.events)),
                }
            ),
            pa.table(
                {
                    "request": pa.array(range(len(self.asks)), pa.int64()),
                    "user": pa.array([user for user, _, _ in self.asks], pa.int32()),
                    "time": pa.array([time for _, time, _ in self.asks], pa.int64()),
                    **columns_of_requests(
                        tuple(CONTEXTS),
                        [self.context(n) for n in range(len(self.asks))],
                        CONTEXTS,
                    ),
                }
            ),
            pa.table(
                {
                    "request": pa.array([n for n, _ in lines], pa.int64()),
                    "item": pa.array([item for _, item in lines], pa.int32()),
                }
            ),
            catalogue_table(self.catalogue, ["kind", "tags", "price", "made"], ["kind", "tags"]),
        )
        log, requests, candidates, items = (ibis.memtable(table) for table in tables)
        asking = sorted(
            {e.user for e in [*self.events, *self.others]} | {user for user, _, _ in self.asks}
        )
        keys = item_keys([f"user {user}" for user in asking])
        others = self.log(self.others)
        who = np.array([e.user for e in self.others], np.int32)
        return AsOf(
            log,
            requests,
            candidates,
            items,
            users=users_of(self.features, self.users, np.array(asking, np.int32), keys),
            others=others_of(
                self.features,
                Others(who, others.item, others.time, others.kind, self.columns(self.others)),
            ),
            vectors={"near": self.vectors_of},
        )
