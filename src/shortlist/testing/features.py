"""Small random worlds, and every feature of them in plain Python: slow, and obviously right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import Catalogue, Column
from shortlist.core.times import DAY, HOUR
from shortlist.core.vocabulary import Vocabulary
from shortlist.features.contract import HISTORY, View
from shortlist.features.statistics import ItemStatistics, floor_hour

if TYPE_CHECKING:
    from shortlist.features.contract import AsOf

Event = tuple[int, int, int]
"""User row, item row, time."""


@dataclass(frozen=True)
class Ask:
    """A request with its candidates: item → source → (score, rank value)."""

    user: int
    time: int
    candidates: dict[int, dict[str, tuple[float, float]]]


@dataclass(frozen=True)
class FeatureWorld:
    """A log, a catalogue with `kind`, `tags` and `price`, and requests.

    Attributes:
        events: the log, in any order.
        kinds: the keyword of each item, or None.
        tags: the keywords of each item.
        prices: the price of each item, or None.
        asks: the requests.
        sources: names of the retrieval sources.
    """

    events: Sequence[Event]
    kinds: Sequence[str | None]
    tags: Sequence[Sequence[str]]
    prices: Sequence[float | None]
    asks: Sequence[Ask]
    sources: tuple[str, ...] = ("near", "hot")

    def catalogue(self) -> Catalogue:
        """The items."""
        n = len(self.kinds)
        return Catalogue(
            Vocabulary.of([f"item {row}" for row in range(n)]),
            {
                "kind": Column.keyword(self.kinds),
                "tags": Column.keywords(self.tags),
                "price": Column.number(self.prices),
            },
            np.ones(n, np.bool_),
            np.full(n, np.iinfo(np.int64).max),
        )

    def history(self, user: int, now: int) -> list[tuple[int, int]]:
        """(time, item) of the user's newest interactions before an instant, oldest first."""
        found = sorted((time, item) for u, item, time in self.events if u == user and time < now)
        return found[-HISTORY:]

    def as_of(self) -> AsOf:
        """What the offline side joins, on DuckDB."""
        import ibis
        import pyarrow as pa

        from shortlist.features.contract import AsOf
        from shortlist.features.offline import catalogue_table

        lines = [
            (n, item, found)
            for n, a in enumerate(self.asks)
            for item, found in a.candidates.items()
        ]
        missing = (0.0, 0.0)
        candidates = {
            "request": pa.array([n for n, _, _ in lines], pa.int64()),
            "item": pa.array([item for _, item, _ in lines], pa.int32()),
        }
        for source in self.sources:
            for place, column in enumerate(("score", "rank")):
                values = [found.get(source, missing)[place] for _, _, found in lines]
                candidates[f"{column}:{source}"] = pa.array(values, pa.float32())
        for family in ("fused", "fused_rank", "fused_gap"):
            fused = [self._fused(family, self.asks[n], item) for n, item, _ in lines]
            candidates[family] = pa.array(fused, pa.float32())
        tables = (
            pa.table(
                {
                    "user": pa.array([u for u, _, _ in self.events], pa.int32()),
                    "item": pa.array([i for _, i, _ in self.events], pa.int32()),
                    "time": pa.array([t for _, _, t in self.events], pa.int64()),
                }
            ),
            pa.table(
                {
                    "request": pa.array(range(len(self.asks)), pa.int64()),
                    "user": pa.array([a.user for a in self.asks], pa.int32()),
                    "time": pa.array([a.time for a in self.asks], pa.int64()),
                }
            ),
            pa.table(candidates),
            catalogue_table(self.catalogue(), ["kind", "tags", "price"]),
        )
        return AsOf(*(ibis.memtable(table) for table in tables))

    def view(self, ask: Ask, until: int) -> View:
        """What the online side sees, from a release that ends at `until` and events since."""
        rows = np.array(list(ask.candidates), np.int32)
        history = self.history(ask.user, ask.time)
        log_rows = np.array([item for _, item, _ in self.events], np.int32)
        log_times = np.array([time for _, _, time in self.events], np.int64)
        catalogue = self.catalogue()
        statistics = ItemStatistics.of(log_rows, log_times, len(catalogue), until)

        def column(source: str, place: int) -> NDArray[np.float32]:
            found = [ask.candidates[int(row)].get(source, (0.0, 0.0))[place] for row in rows]
            return np.array(found, np.float32)

        return View(
            now=ask.time,
            rows=rows,
            history_rows=np.array([item for _, item in history], np.int32),
            history_times=np.array([time for time, _ in history], np.int64),
            scores={source: column(source, 0) for source in self.sources},
            ranks={source: column(source, 1) for source in self.sources},
            fused=np.array([self._fused("fused", ask, int(row)) for row in rows], np.float32),
            catalogue=catalogue,
            items=statistics.at(ask.time, (log_rows, log_times)),
        )

    def oracle(self, name: str, ask: Ask, item: int) -> float:
        """The value of a feature by its definition."""
        family, _, argument = name.partition(":")
        if family.startswith("item_"):
            return self._item(name, item, floor_hour(ask.time))
        if family in ("hour", "weekday"):
            return ask.time // HOUR % 24 if name == "hour" else (ask.time // DAY + 3) % 7
        if family in ("score", "rank"):
            return ask.candidates[item].get(argument, (0.0, 0.0))[family == "rank"]
        if family.startswith("fused"):
            return self._fused(name, ask, item)
        if family == "sources":
            return sum(rank > 0 for _, rank in ask.candidates[item].values())
        return self._personal(family, argument, ask, item)

    @staticmethod
    def _fused(name: str, ask: Ask, item: int) -> float:
        """Candidates are in fused order; the score falls by a half from each to the next."""
        place = list(ask.candidates).index(item)
        return {"fused": 4 - place / 2, "fused_rank": 1 / (place + 1), "fused_gap": -place / 2}[
            name
        ]

    def _personal(self, family: str, argument: str, ask: Ask, item: int) -> float:
        history = self.history(ask.user, ask.time)
        items = [i for _, i in history]
        match family:
            case "user_count":
                return len(history)
            case "user_count_1d" | "user_count_7d":
                days = int(family[-2])
                return sum(time >= ask.time - days * DAY for time, _ in history)
            case "user_idle":
                return (ask.time - history[-1][0]) / DAY if history else 36_500.0
            case "user_item_count":
                return items.count(item)
            case "affinity":
                return self._affinity(argument, items, item)
            case "affinity_idle":
                values = self._values(argument, item)
                met = [time for time, i in history if values & self._values(argument, i)]
                return (ask.time - max(met)) / DAY if met else 36_500.0
        return self._money(family, items, item)

    def _money(self, family: str, items: Sequence[int], item: int) -> float:
        price = self._price(item)
        prices = [p for p in map(self._price, items) if p is not None]
        if family == "price":
            return -1.0 if price is None else math.log1p(price)
        assert family == "price_relative", f"no oracle for {family}"
        if price is None or not prices:
            return 0.0
        return math.log1p(price) - math.log1p(median(prices))

    def _item(self, name: str, item: int, hour: int) -> float:
        times = [time for _, i, time in self.events if i == item and time < hour]
        day, week, month = (sum(t >= hour - d * DAY for t in times) for d in (1, 7, 30))
        match name:
            case "item_count_1d":
                return day
            case "item_count_7d":
                return week
            case "item_count_30d":
                return month
            case "item_count":
                return len(times)
            case "item_trend":
                return (day + 1) / (week / 7 + 1)
            case "item_age":
                return (hour - min(times)) / DAY if times else -1.0
        raise AssertionError(f"no oracle for {name}")

    def _values(self, attribute: str, item: int) -> set[str]:
        if attribute == "tags":
            return set(self.tags[item])
        kind = self.kinds[item]
        return set() if kind is None else {kind}

    def _price(self, item: int) -> float | None:
        price = self.prices[item]
        return None if price is None or not math.isfinite(price) else max(price, 0.0)

    def _affinity(self, attribute: str, items: Sequence[int], item: int) -> float:
        values = self._values(attribute, item)
        if not items or not values:
            return 0.0
        return fmean(
            sum(value in self._values(attribute, i) for i in items) / len(items) for value in values
        )


def random_world(seed: int, *, users: int, items: int, events: int, asks: int) -> FeatureWorld:
    """A world with ties in time, missing values, repeats, new users and new items."""
    rng = np.random.default_rng(seed)
    start, span = 1_700_000_000_000_000, 45 * DAY
    # A few heavy users, so that histories longer than HISTORY occur; a coarse clock, so that
    # events share their instant with each other, with requests and with the edges of hours.
    who = np.minimum(rng.geometric(3 / users, events) - 1, users - 2)
    when = start - start % HOUR + rng.integers(0, span // HOUR * 4, events) * (HOUR // 4)
    what = np.minimum(rng.geometric(4 / items, events) - 1, items - 2)
    names = ["book", "car", "café", "책", ""]

    def ask() -> Ask:
        n = int(rng.integers(0, len(when)))
        time = int(when[n] + rng.choice([0, 0, 1, HOUR - 1]))
        picked = rng.choice(items, size=min(items, 8), replace=False)
        found = {
            int(item): {
                source: (float(np.float32(rng.normal())), float(np.float32(1 / (rank + 1))))
                for source in ("near", "hot")
                if rng.random() < 0.6
            }
            for rank, item in enumerate(picked)
        }
        return Ask(int(rng.choice([who[n], users - 1, rng.integers(0, users)])), time, found)

    return FeatureWorld(
        events=[(int(u), int(i), int(t)) for u, i, t in zip(who, what, when, strict=True)],
        kinds=[None if rng.random() < 0.2 else str(rng.choice(names)) for _ in range(items)],
        tags=[[str(t) for t in rng.choice(names, rng.integers(0, 4))] for _ in range(items)],
        prices=[
            None
            if rng.random() < 0.3
            else float(rng.choice([-1, 0, 9.99, math.inf, 1e6, rng.normal()]))
            for _ in range(items)
        ],
        asks=[ask() for _ in range(asks)],
    )
