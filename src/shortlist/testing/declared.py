"""Random logs with kinds, and every declared feature in plain Python: slow, and obviously right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from shortlist.config.features import FeatureSection
from shortlist.core.catalogue import Catalogue, Column
from shortlist.core.keys import item_key, kind_code
from shortlist.core.times import DAY, HOUR, parse_span
from shortlist.core.vocabulary import Vocabulary
from shortlist.features.contract import HISTORY, View
from shortlist.features.counters import Counter, Log, Series
from shortlist.features.declared import declare
from shortlist.features.sets import FeatureSet

if TYPE_CHECKING:
    from shortlist.features.contract import AsOf

KINDS = ("view", "like", "buy")
WEIGHTS = {"view": 1.0, "like": 3.0, "buy": 5.0}
START = 1_700_000_000_000_000 // HOUR * HOUR


def sections() -> dict[str, FeatureSection]:
    """Every aggregation, over every span, by everything, and columns and crosses."""
    made = {
        "price": FeatureSection(value="column", of="price"),
        "days_since_made": FeatureSection(value="column", of="made", default=-1.0),
    }
    spans = {"": ("", ""), "_1d": ("1d", ""), "_half": ("", "12h")}
    by = {
        "item": ["item"],
        "user": ["user"],
        "kind": ["kind"],
        "tags": ["tags"],
        "user_item": ["user", "item"],
        "user_kind": ["user", "kind"],
        "user_tags": ["user", "tags"],
    }
    for who, names in by.items():
        user = names[0] == "user"
        for suffix, (window, half) in spans.items():
            made[f"count_{who}{suffix}"] = FeatureSection(
                value="count", by=names, window=window, half_life=half
            )
            made[f"sum_{who}{suffix}"] = FeatureSection(
                value="sum",
                of="weight",
                kinds=["like", "buy"],
                by=names,
                window=window,
                half_life=half,
            )
            made[f"mean_{who}{suffix}"] = FeatureSection(
                value="mean", of="price", by=names, default=-2.0, window=window, half_life=half
            )
            made[f"rate_{who}{suffix}"] = FeatureSection(
                value="rate",
                kinds=["buy"],
                among=["view", "like"],
                by=names,
                window=window,
                half_life=half,
            )
            if suffix != "_half":
                made[f"last_{who}{suffix}"] = FeatureSection(
                    value="last",
                    kinds=["view"],
                    by=names,
                    default=999.0,
                    window=window,
                    half_life=half,
                )
                of = "item" if user and names[-1] != "item" else "tags" if user else "user"
                made[f"distinct_{who}{suffix}"] = FeatureSection(
                    value="distinct", of=of, by=names, window=window, half_life=half
                )
    made["distinct_kind_items"] = FeatureSection(value="distinct", of="item", by=["kind"])
    made["distinct_user_kinds"] = FeatureSection(value="distinct", of="kind", by=["user"])
    made["price_to_mean"] = FeatureSection(
        value="cross", cross=["price", "mean_user"], how="ratio", default=1.0
    )
    made["product"] = FeatureSection(value="cross", cross=["count_item_1d", "rate_user_kind"])
    made["difference"] = FeatureSection(
        value="cross", cross=["count_user", "count_item"], how="difference"
    )
    return made


@dataclass(frozen=True)
class Happening:
    """An event."""

    user: int
    item: int
    time: int
    kind: str


@dataclass(frozen=True)
class DeclaredWorld:
    """A log, a catalogue with `kind`, `tags`, `price` and `made`, and requests.

    Attributes:
        events: the log, in any order.
        kinds, tags, prices, made: the attributes of each item.
        asks: (user, time, candidates) of each request.
        declared: the features.
    """

    events: Sequence[Happening]
    kinds: Sequence[str | None]
    tags: Sequence[Sequence[str]]
    prices: Sequence[float | None]
    made: Sequence[int | None]
    asks: Sequence[tuple[int, int, Sequence[int]]]
    declared: dict[str, FeatureSection] = field(default_factory=sections)

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
        return FeatureSet(declare(self.declared, WEIGHTS, columns))

    def log(self, events: Sequence[Happening]) -> Log:
        """Events as columns."""
        return Log(
            np.array([e.item for e in events], np.int32),
            np.array([item_key(f"user {e.user}") for e in events], np.uint64),
            np.array([e.time for e in events], np.int64),
            np.array([kind_code(e.kind) for e in events], np.uint32),
        )

    def counters(self, until: int) -> dict[str, Counter]:
        """Those of a release whose watermark is `until`."""
        log = self.log(self.events)
        return {
            feature.name: Counter(
                feature, Series.of(feature, log, self.catalogue, until), self.catalogue
            )
            for feature in self.features.counted
        }

    def history(self, user: int, now: int) -> list[Happening]:
        """The user's newest events before an instant, oldest first."""
        found = [e for e in self.events if e.user == user and e.time < now]
        return sorted(found, key=lambda e: (e.time, e.item))[-HISTORY:]

    def view(self, user: int, now: int, rows: Sequence[int], counters: dict[str, Counter]) -> View:
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
        )

    def as_of(self) -> AsOf:
        """What the offline side joins, on DuckDB."""
        import ibis
        import pyarrow as pa

        from shortlist.features.contract import AsOf
        from shortlist.features.offline import catalogue_table

        lines = [(n, item) for n, (_, _, items) in enumerate(self.asks) for item in items]
        tables = (
            pa.table(
                {
                    "user": pa.array([e.user for e in self.events], pa.int32()),
                    "item": pa.array([e.item for e in self.events], pa.int32()),
                    "time": pa.array([e.time for e in self.events], pa.int64()),
                    "kind": pa.array([kind_code(e.kind) for e in self.events], pa.int64()),
                    "weight": pa.array([WEIGHTS[e.kind] for e in self.events], pa.float64()),
                }
            ),
            pa.table(
                {
                    "request": pa.array(range(len(self.asks)), pa.int64()),
                    "user": pa.array([user for user, _, _ in self.asks], pa.int32()),
                    "time": pa.array([time for _, time, _ in self.asks], pa.int64()),
                }
            ),
            pa.table(
                {
                    "request": pa.array([n for n, _ in lines], pa.int64()),
                    "item": pa.array([item for _, item in lines], pa.int32()),
                }
            ),
            catalogue_table(self.catalogue, ["kind", "tags", "price", "made"]),
        )
        return AsOf(*(ibis.memtable(table) for table in tables))

    def oracle(self, name: str, user: int, now: int, item: int) -> float:
        """The value of a feature by its definition."""
        section = self.declared[name]
        if section.value == "column":
            value = (self.prices if section.of == "price" else self.made)[item]
            if value is None or not math.isfinite(value):
                return section.default
            return value if section.of == "price" else (now - value) / DAY
        if section.value == "cross":
            a, b = (float(np.float32(self.oracle(n, user, now, item))) for n in section.cross)
            match section.how:
                case "product":
                    return a * b
                case "ratio":
                    return a / b if b else section.default
                case _:
                    return a - b
        events = [e for e in self.events if e.time < now]
        if section.by[0] == "user":
            events = self.history(user, now)
        if section.window:
            events = [e for e in events if now - e.time <= parse_span(section.window)]
        key = section.by[-1]
        if key == "user":
            told = [self._over(section, events, now)]
        elif key == "item":
            told = [self._over(section, [e for e in events if e.item == item], now)]
        else:
            told = [
                self._over(section, [e for e in events if value in self._of(key, e.item)], now)
                for value in self._of(key, item)
            ]
        known = [value for value in told if value is not None]
        if not known:
            return section.default
        return min(known) if section.value == "last" else sum(known) / len(known)

    def _of(self, attribute: str, item: int) -> set[str]:
        if attribute == "tags":
            return set(self.tags[item])
        kind = self.kinds[item]
        return set() if kind is None else {kind}

    def _over(self, section: FeatureSection, events: list[Happening], now: int) -> float | None:
        def fade(event: Happening) -> float:
            if not section.half_life:
                return 1.0
            return float(2.0 ** (-(now - event.time) / parse_span(section.half_life)))

        counting = [e for e in events if not section.kinds or e.kind in section.kinds]
        match section.value:
            case "count":
                return sum(map(fade, counting))
            case "last":
                return (now - max(e.time for e in counting)) / DAY if counting else None
            case "distinct":
                if section.of in ("user", "item"):
                    return len({getattr(e, section.of) for e in counting})
                return len({value for e in counting for value in self._of(section.of, e.item)})
            case "rate":
                below = sum(fade(e) for e in events if e.kind in section.among)
                return sum(map(fade, counting)) / below if below else None
        told = [(fade(e), self._amount(section, e)) for e in counting]
        known = [(weight, amount) for weight, amount in told if amount is not None]
        total = sum(weight * amount for weight, amount in known)
        if section.value == "sum":
            return total
        return total / sum(weight for weight, _ in known) if known else None

    def _amount(self, section: FeatureSection, event: Happening) -> float | None:
        if section.of == "weight":
            return WEIGHTS[event.kind]
        price = self.prices[event.item]
        return price if price is not None and math.isfinite(price) else None


def declared_world(
    seed: int, *, users: int, items: int, events: int, asks: int, days: int = 6
) -> DeclaredWorld:
    """A world with ties in time, missing values, repeats, new users and new items."""
    rng = np.random.default_rng(seed)
    names = ["book", "car", "café", "책"]
    when = START + rng.integers(0, days * 24 * 4, events) * (HOUR // 4)
    who = np.minimum(rng.geometric(3 / users, events) - 1, users - 2)
    what = np.minimum(rng.geometric(4 / items, events) - 1, items - 2)

    def ask() -> tuple[int, int, list[int]]:
        n = int(rng.integers(0, events))
        time = int(when[n] + rng.choice([0, 0, 1, HOUR]))
        picked = rng.choice(items, size=min(items, 6), replace=False)
        return int(rng.choice([who[n], users - 1])), time, [int(item) for item in picked]

    return DeclaredWorld(
        events=[
            Happening(int(u), int(i), int(t), str(k))
            for u, i, t, k in zip(who, what, when, rng.choice(KINDS, events), strict=True)
        ],
        kinds=[None if rng.random() < 0.2 else str(rng.choice(names)) for _ in range(items)],
        tags=[[str(t) for t in rng.choice(names, rng.integers(0, 4))] for _ in range(items)],
        prices=[
            None if rng.random() < 0.3 else float(rng.choice([0, 9.99, math.inf, rng.normal()]))
            for _ in range(items)
        ],
        made=[None if rng.random() < 0.3 else START - int(rng.integers(DAY)) for _ in range(items)],
        asks=[ask() for _ in range(asks)],
    )
