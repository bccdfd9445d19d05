"""A tiny shop with obvious answers: a published release small enough to check by hand.

Sixty items in three categories of twenty: rows 0–19 are `fruit`, 20–39 `tools`, 40–59 `books`.
Item `i` costs `i`. Popularity falls with the row. Neighbours of an item are the rest of its
category, next row first. Vectors of a category point the same way.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shortlist.config.load import parse_config
from shortlist.config.schema import Config
from shortlist.core.catalogue import Catalogue, Column
from shortlist.core.keys import item_keys
from shortlist.core.progress import Silent
from shortlist.core.times import DAY
from shortlist.core.vocabulary import Vocabulary
from shortlist.features.statistics import ItemStatistics
from shortlist.index import build_index
from shortlist.offline.data.training import TrainingData
from shortlist.offline.search.build import build_search
from shortlist.release.artefacts import (
    Artefact,
    ItemToItem,
    ItemVectors,
    PopularLists,
    save_artefact,
)
from shortlist.release.fusion import Fusion
from shortlist.release.publish import Releases
from shortlist.stores.contract import EVENT, Events, kind_code

ITEMS = 60
CATEGORIES = ("fruit", "tools", "books")
EXPIRES = 1_000 * DAY
"""When item 59 expires."""
IDS = [f"{CATEGORIES[row // 20]}-{row}" for row in range(ITEMS)]

CONFIG = """
[project]
name = "shop"
[data.events]
path = "events.csv"
kind = "event"
weights = { view = 1, buy = 3 }
[data.items]
path = "items.csv"
text = ["title"]
attributes = ["category", "price"]
category = "category"
price = "price"
[retrievers.popular]
[retrievers.item_graph]
"""


def config(extra: str = "") -> Config:
    """The shop's configuration, with more tables after it."""
    return parse_config(CONFIG + extra)


def catalogue() -> Catalogue:
    """The shop's items; the last one expires."""
    expires = np.full(ITEMS, np.iinfo(np.int64).max)
    expires[-1] = EXPIRES
    return Catalogue(
        Vocabulary.of(IDS),
        {
            "category": Column.keyword([CATEGORIES[row // 20] for row in range(ITEMS)]),
            "price": Column.number([float(row) for row in range(ITEMS)]),
            "title": Column.text([f"Number {row}" for row in range(ITEMS)]),
        },
        np.ones(ITEMS, np.bool_),
        expires,
    )


def artefacts() -> dict[str, dict[str, Artefact]]:
    """What the shop's retrievers left, by retriever and kind."""
    rows = np.arange(ITEMS, dtype=np.int32)
    falling = np.arange(ITEMS, 0, -1).astype(np.float32)
    popular = PopularLists(
        rows, falling, "category", np.array([0, 20, 40, 60]), rows, falling.copy()
    )
    starts = rows // 20 * 20
    steps = np.arange(1, 20)
    neighbours = (starts[:, None] + (rows[:, None] - starts[:, None] + steps) % 20).astype(np.int32)
    scores = np.broadcast_to(1 / steps, (ITEMS, 19)).astype(np.float32)
    vectors = np.zeros((ITEMS, 8), np.float32)
    vectors[rows, rows // 20] = 1
    vectors[:, 3:] = np.random.default_rng(0).normal(0, 0.05, (ITEMS, 5))
    return {
        "popular": {"popular": popular},
        "item_graph": {
            "item_to_item": ItemToItem(neighbours, scores),
            "vector": ItemVectors(rows, vectors),
        },
    }


def publish(
    folder: Path,
    *,
    settings: Config | None = None,
    fusion: Fusion | None = None,
    searchable: bool = True,
) -> str:
    """Publish the shop as a release of the project folder; returns its id."""
    told = settings or config()
    releases = Releases(folder / ".shortlist" / "releases")
    entries, indexes = [], {}
    with releases.draft() as draft:
        shop = catalogue()
        shop.save(draft.path / "catalogue")
        for name, made in artefacts().items():
            for kind, artefact in made.items():
                if isinstance(artefact, ItemVectors):
                    place = f"indexes/{name}"
                    index, report = build_index(artefact, told.index, 0)
                    index.save(draft.path / place)
                    indexes[name] = report.to_dict()
                else:
                    place = f"artefacts/{name}.{kind}"
                    save_artefact(artefact, draft.path / place)
                entries.append({"name": name, "kind": kind, "folder": place})
        nothing = np.empty(0, np.int64)
        search = (
            build_search(told, popular(shop), folder, draft.path, Silent()) if searchable else None
        )
        statistics = ItemStatistics.of(nothing.astype(np.int32), nothing, ITEMS, 100 * DAY)
        statistics.save(draft.path / "features")
        manifest = draft.commit(
            {
                "config": {"retrievers": {"popular": {}, "item_graph": {}}},
                "watermark": 100 * DAY,
                "items": ITEMS,
                "artefacts": entries,
                "fusion": fusion or Fusion(),
                "indexes": indexes,
                "search": search,
            }
        )
    releases.promote(manifest.id)
    return manifest.id


def popular(shop: Catalogue) -> TrainingData:
    """A log in which popularity falls with the row."""
    item = np.repeat(np.arange(ITEMS, dtype=np.int32), np.arange(ITEMS, 0, -1))
    n = len(item)
    return TrainingData(
        catalogue=shop,
        users=1,
        user=np.zeros(n, np.int32),
        item=item,
        time=np.arange(n, dtype=np.int64),
        weight=np.ones(n, np.float32),
        session=np.zeros(n, np.int64),
        until=n,
    )


def events(ids: list[str], *, start: int = DAY, kind: str = "view") -> Events:
    """One event a second on each item, in order."""
    made = np.zeros(len(ids), EVENT)
    made["item"] = item_keys(ids)
    made["time"] = start + np.arange(len(ids)) * 1_000_000
    made["kind"] = kind_code(kind)
    return made
