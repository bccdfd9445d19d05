"""The world that `benchmarks/serve.py` serves: a generated release and generated histories.

Items are points around centres in a space of few dimensions, embedded in many: what trained
vectors look like to an index. A user's items come from a few centres, the popular ones more often.
The ranker is trained on the features that the release itself computes, so that its trees branch
where real ones would.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import lightgbm
import msgspec
import numpy as np
from numpy.typing import NDArray

from shortlist.config.load import parse_config
from shortlist.config.schema import Config
from shortlist.core.catalogue import Catalogue, Column
from shortlist.core.progress import Progress
from shortlist.core.request import Request, Shortlist
from shortlist.core.times import DAY, HOUR, now
from shortlist.core.vocabulary import Vocabulary
from shortlist.features import ItemStatistics, default_features
from shortlist.index import build_index
from shortlist.offline.ranking.lightgbm_trees import to_trees
from shortlist.online.engine import Engine
from shortlist.release.artefacts import ItemVectors, PopularLists, save_artefact
from shortlist.release.publish import Releases
from shortlist.release.ranking.models import Ranker
from shortlist.release.trees import Trees
from shortlist.stores.contract import EVENT, Events, kind_code
from shortlist.stores.sqlite import SqliteHistory

HISTORY = 50
INTRINSIC = 24
CATEGORIES = 200
SOURCES = ("popular", "item_graph.vector")
USERS_AT_ONCE = 20_000
CONFIG = """
[project]
name = "bench"
[data.events]
path = "events.parquet"
[data.items]
path = "items.parquet"
attributes = ["category", "price"]
category = "category"
price = "price"
[retrievers.popular]
[retrievers.item_graph]
dim = {dim}
[ranker]
candidates = 500
trees = 300
leaves = 31
objective = "binary"
[serve]
log_impressions = {log}
"""


@dataclass(frozen=True)
class Size:
    """How large a world is."""

    items: int
    dim: int
    users: int
    training_users: int

    @property
    def centres(self) -> int:
        """Clusters of items."""
        return max(self.items // 500, 8)


FULL = Size(1_500_000, 384, 1_000_000, 300)
SMALL = Size(20_000, 64, 20_000, 100)


class World:
    """Generated items and users of a size; the same every time.

    Attributes:
        order: `int32[items]`, rows by centre; within a centre the popular ones first.
        bounds: `int64[centres + 1]` into `order`.
    """

    def __init__(self, size: Size) -> None:
        self.size = size
        random = np.random.default_rng(1)
        shares = random.dirichlet(np.full(size.centres, 2.0))
        counts = random.multinomial(size.items, shares)
        self.bounds = np.concatenate([[0], np.cumsum(counts)])
        self.order = random.permutation(size.items).astype(np.int32)
        self.centre_of = np.empty(size.items, np.int32)
        self.centre_of[self.order] = np.repeat(np.arange(size.centres, dtype=np.int32), counts)
        self.weight = counts.cumsum() / size.items
        self.today = now() // HOUR * HOUR

    def catalogue(self) -> Catalogue:
        """Items `i0`, `i1`, … with a category and a price."""
        n = self.size.items
        terms = tuple(f"category {c}" for c in range(CATEGORIES))
        codes = (self.centre_of % CATEGORIES).astype(np.int32)
        prices = np.exp(np.random.default_rng(2).normal(3, 1, n))
        return Catalogue(
            Vocabulary.of([f"i{row}" for row in range(n)]),
            {
                "category": Column("keyword", {"codes": codes}, terms),
                "price": Column("number", {"values": prices}),
            },
            np.ones(n, np.bool_),
            np.full(n, np.iinfo(np.int64).max),
        )

    def vectors(self) -> NDArray[np.float32]:
        """Unit vectors around their centres, `float32[items, dim]`."""
        size, random = self.size, np.random.default_rng(3)
        centres = random.normal(size=(size.centres, INTRINSIC)).astype(np.float32)
        lift = random.normal(size=(INTRINSIC, size.dim)).astype(np.float32)
        out = np.empty((size.items, size.dim), np.float32)
        for start in range(0, size.items, 50_000):
            part = centres[self.centre_of[start : start + 50_000]]
            part = part + 0.5 * random.normal(size=part.shape).astype(np.float32)
            lifted = part @ lift
            lifted += 0.3 * random.normal(size=lifted.shape).astype(np.float32)
            out[start : start + 50_000] = lifted / np.linalg.norm(lifted, axis=1, keepdims=True)
        return out

    def histories(self) -> Iterator[tuple[list[str], NDArray[np.int64], NDArray[np.int32], Events]]:
        """Users `u0`, `u1`, …, in batches: ids, offsets, the rows of their items, the events."""
        keys = self.catalogue().vocabulary.keys()
        kind = kind_code("event")
        for start in range(0, self.size.users, USERS_AT_ONCE):
            count = min(USERS_AT_ONCE, self.size.users - start)
            random = np.random.default_rng([4, start])
            tastes = np.searchsorted(self.weight, random.random((count, 3)))
            centre = tastes[np.arange(count)[:, None], random.integers(0, 3, (count, HISTORY))]
            width = self.bounds[centre + 1] - self.bounds[centre]
            place = self.bounds[centre] + (width * random.random(centre.shape) ** 2).astype(int)
            rows = self.order[np.minimum(place, self.size.items - 1)].ravel()
            times = np.sort(self.today - random.integers(HOUR, 60 * DAY, (count, HISTORY)), axis=1)
            events = np.empty(count * HISTORY, EVENT)
            events["item"], events["time"], events["kind"] = keys[rows], times.ravel(), kind
            offsets = np.arange(0, count * HISTORY + 1, HISTORY)
            yield [f"u{user}" for user in range(start, start + count)], offsets, rows, events


def configuration(size: Size, *, log_impressions: bool) -> Config:
    """The project's configuration."""
    return parse_config(text_of(size, log_impressions=log_impressions))


def text_of(size: Size, *, log_impressions: bool) -> str:
    """The project's `shortlist.toml`."""
    return CONFIG.format(dim=size.dim, log=str(log_impressions).lower())


def build(folder: Path, size: Size, progress: Progress) -> dict[str, float]:
    """Write the world into a project folder; how long each part took, in seconds."""
    took: dict[str, float] = {}
    config = configuration(size, log_impressions=False)
    folder.mkdir(parents=True, exist_ok=True)
    world = World(size)
    state = folder / ".shortlist"

    start = time.perf_counter()
    store = SqliteHistory(state / "state" / "history.sqlite")
    seen: list[tuple[NDArray[np.int32], NDArray[np.int64]]] = []

    def load() -> Iterator[tuple[list[str], NDArray[np.int64], Events]]:
        for users, offsets, rows, events in world.histories():
            seen.append((rows, events["time"].copy()))
            yield users, offsets, events

    progress.step("load histories")
    store.load(load())
    store.close()
    took["histories_s"] = time.perf_counter() - start

    start = time.perf_counter()
    rows, times = (np.concatenate(column) for column in zip(*seen, strict=True))
    statistics = ItemStatistics.of(rows, times, size.items, world.today)
    popular = popular_of(rows, size.items)
    took["statistics_s"] = time.perf_counter() - start

    start = time.perf_counter()
    vectors = ItemVectors(np.arange(size.items, dtype=np.int32), world.vectors())
    index, tuning = build_index(vectors, config.index, 0, progress)
    took["index_s"] = time.perf_counter() - start

    names = default_features(
        "category", "price", {"category": "keyword", "price": "number"}, SOURCES
    ).names
    releases = Releases(state / "releases")

    def publish(trees: Trees) -> str:
        with releases.draft() as draft:
            world.catalogue().save(draft.path / "catalogue")
            save_artefact(popular, draft.path / "artefacts/popular.popular")
            # the index holds the vectors; the artefact beside it would only take up the disk
            none = ItemVectors(vectors.rows[:0], vectors.vectors[:0])
            save_artefact(none, draft.path / "artefacts/item_graph.vector")
            index.save(draft.path / "indexes" / "item_graph")
            statistics.save(draft.path / "features")
            Ranker(trees).save(draft.path / "ranker")
            manifest = draft.commit(
                {
                    "config": msgspec.to_builtins(config),
                    "watermark": world.today,
                    "items": size.items,
                    "artefacts": [
                        {"name": name, "kind": kind, "folder": f"artefacts/{name}.{kind}"}
                        for name, kind in (("popular", "popular"), ("item_graph", "vector"))
                    ],
                    "indexes": {"item_graph": tuning.to_dict()},
                    "ranker": {"kind": "boosted", "objective": "binary"},
                    "features": list(names),
                }
            )
        releases.promote(manifest.id)
        return manifest.id

    start = time.perf_counter()
    progress.step("train the ranker")
    random = np.random.default_rng(5)
    noise = random.random((len(names), 4_000), np.float32)
    publish(trees_of(names, noise, 1, config.ranker.leaves))
    engine = Engine.open(config, folder)
    publish(trees_of(names, features_of(engine, size, names), 300, config.ranker.leaves))
    engine.close()
    releases.prune(1)
    took["ranker_and_publish_s"] = time.perf_counter() - start
    (folder / "shortlist.toml").write_text(text_of(size, log_impressions=True))
    return took


def popular_of(rows: NDArray[np.int32], items: int) -> PopularLists:
    """Items by number of interactions."""
    counts = np.bincount(rows, minlength=items).astype(np.float32)
    order = np.argsort(-counts, kind="stable").astype(np.int32)
    none = np.empty(0, np.int32)
    return PopularLists(
        order, counts[order], "", np.zeros(1, np.int64), none, none.astype(np.float32)
    )


def explained(engine: Engine, users: list[str]) -> Iterator[Shortlist]:
    """Answers that carry the features of all 500 candidates."""
    for user in users:
        yield from engine.answer([Request(user=user, k=500, explain=True)])


def matrix_of(answer: Shortlist, names: tuple[str, ...]) -> NDArray[np.float32]:
    """The features of an answer's items, `float32[features, items]`."""
    told = [item["features"] for item in answer.explain]
    return np.array([[features[name] for features in told] for name in names], np.float32)


def features_of(engine: Engine, size: Size, names: tuple[str, ...]) -> NDArray[np.float32]:
    """The features that the release computes for some users' candidates."""
    users = [f"u{user}" for user in range(size.training_users)]
    return np.hstack([matrix_of(answer, names) for answer in explained(engine, users)])


def trees_of(names: tuple[str, ...], x: NDArray[np.float32], trees: int, leaves: int) -> Trees:
    """A ranker of that size: the label depends on every feature a little, and on chance."""
    random = np.random.default_rng(6)
    ranks = np.argsort(np.argsort(x, axis=1, kind="stable"), axis=1) / x.shape[1]
    slopes, waves = random.normal(size=(2, len(names), 1))
    taste = (slopes * ranks + waves * np.sin(9 * ranks)).sum(axis=0)
    label = taste + random.normal(size=x.shape[1]) > np.quantile(taste, 0.8)
    parameters = {
        "objective": "binary",
        "num_leaves": leaves,
        "learning_rate": 0.05,
        "num_threads": 1,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(x.T, label.astype(np.float32))
    booster = lightgbm.train(parameters, data, trees)
    return to_trees(booster, names)
