"""`shortlist.toml` as types: every key, its default and what it means.

The docstrings here are the reference; `docs/reference/shortlist-toml.md` is made from them.
`config.load` reads a file into these and cross-checks it.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from shortlist.config.retrievers import (
    FactorsRetriever,
    GraphFilterRetriever,
    ItemGraphRetriever,
    LinearRetriever,
    NeighboursRetriever,
    PopularRetriever,
    Retriever,
    SequenceRetriever,
    TransitionsRetriever,
    TwoTowerRetriever,
)
from shortlist.config.section import Section

__all__ = [
    "ArrangeSection",
    "Config",
    "DataSection",
    "EvaluateSection",
    "EventsSection",
    "FactorsRetriever",
    "GraphFilterRetriever",
    "IndexSection",
    "ItemGraphRetriever",
    "ItemsSection",
    "LinearRetriever",
    "NeighboursRetriever",
    "PopularRetriever",
    "PrepareSection",
    "ProjectSection",
    "RankerSection",
    "ReleasesSection",
    "Retriever",
    "Section",
    "SequenceRetriever",
    "ServeSection",
    "TransitionsRetriever",
    "TwoTowerRetriever",
]


class ProjectSection(Section, frozen=True):
    """`[project]`

    Attributes:
        name: the project's name.
        seed: everything random starts from it; the same inputs and seed give the same release.
    """

    name: str
    seed: int = 0


class EventsSection(Section, frozen=True):
    """`[data.events]`: the event log.

    Attributes:
        path: a CSV, JSON lines or Parquet file, a glob of such files (relative to the project
            folder or absolute), or a database URL that Ibis opens (`postgres://…`, `duckdb://…`).
        table: the table to read when `path` is a database URL.
        user: the column of user ids.
        item: the column of item ids.
        time: the column of event times: a timestamp, ISO 8601 text, or a number of seconds,
            milliseconds or microseconds since the epoch (told apart by size). Text and
            timestamps without an offset are UTC.
        kind: the column that says what happened; empty when every event means the same
            (the kind is then `event`).
        weights: what each kind counts; once any kind is named, one that is not counts 0. Empty:
            every kind counts 1. An event that counts 0 (an impression) is not an interaction.
        impression: the kind that means "was shown"; it trains the ranker and never counts.
        position: the column with the position an item was shown at, counted from 0.
        request: the column that groups impressions (and the events they led to) by request.
        lateness: how far behind the newest event collected so far a late event may arrive and
            still be taken in.
    """

    path: str
    table: str = ""
    user: str = "user_id"
    item: str = "item_id"
    time: str = "timestamp"
    kind: str = ""
    weights: dict[str, float] = msgspec.field(default_factory=dict)
    impression: str = "impression"
    position: str = ""
    request: str = ""
    lateness: str = "2d"


class ItemsSection(Section, frozen=True):
    """`[data.items]`: the catalogue.

    Attributes:
        path: a CSV, JSON lines or Parquet file, a glob, or a database URL.
        table: the table to read when `path` is a database URL.
        id: the column of item ids.
        text: columns of text, kept for display and search.
        attributes: columns to filter, segment and rank by: numbers, keywords, lists of keywords,
            booleans, times. Each keeps the kind it has in the file.
        category: the attribute that says what kind of thing an item is; popularity is counted
            within it and user tastes are measured over it. Empty: none.
        price: the number attribute that is a price. Empty: none.
        available: a boolean column; items where it is false are never shown. Empty: all are.
        expires: a time column; items are never shown from then on. Empty: none expires.
    """

    path: str
    table: str = ""
    id: str = "item_id"
    text: list[str] = msgspec.field(default_factory=list)
    attributes: list[str] = msgspec.field(default_factory=list)
    category: str = ""
    price: str = ""
    available: str = ""
    expires: str = ""


class DataSection(Section, frozen=True):
    """`[data]`: events and items. Without items the catalogue is what the events name."""

    events: EventsSection
    items: ItemsSection | None = None


class PrepareSection(Section, frozen=True):
    """`[prepare]`

    Attributes:
        session_gap: a pause longer than this ends a session.
        min_item_events: retrievers leave out items with fewer interactions.
        min_user_events: retrievers leave out users with fewer interactions.
        holdout: the newest part of the log that evaluation is on: a span such as `7d`, or `auto`
            (the shortest number of whole days, at most a third of the log's length, that holds a
            tenth of the interactions).
    """

    session_gap: str = "30m"
    min_item_events: int = 1
    min_user_events: int = 1
    holdout: str = "auto"


class IndexSection(Section, frozen=True):
    """`[index]`

    Attributes:
        kind: `exact`, `ivf`, or `auto` (exact up to 50,000 vectors).
        recall: the recall that `ivf` is tuned to reach against `exact`.
        at: the number of neighbours that the recall is measured at.
    """

    kind: Literal["auto", "exact", "ivf"] = "auto"
    recall: float = 0.95
    at: int = 100


class RankerSection(Section, frozen=True):
    """`[ranker]`

    Attributes:
        kind: `boosted` (LightGBM trees) or `none` (candidates stay in fused retrieval order).
        objective: `lambdarank` or `binary`.
        candidates: how many candidates are ranked.
        window: the newest part of the training log that training rows come from: a span, or
            `auto` (by the rule of `prepare.holdout`).
        trees: at most how many trees; fewer when the validation metric stops improving.
        leaves: leaves of a tree, at most 64.
        learning_rate: shrinkage.
        requests: at most how many requests training rows are made from.
    """

    kind: Literal["boosted", "none"] = "boosted"
    objective: Literal["lambdarank", "binary"] = "lambdarank"
    candidates: int = 500
    window: str = "auto"
    trees: int = 300
    leaves: int = 31
    learning_rate: float = 0.05
    requests: int = 20_000


class ArrangeSection(Section, frozen=True):
    """`[arrange]`

    Attributes:
        seen: whether items of the user's own history may be shown.
        max_per: at most this many items of one value of a keyword attribute in a list.
    """

    seen: bool = False
    max_per: dict[str, int] = msgspec.field(default_factory=dict)


class ServeSection(Section, frozen=True):
    """`[serve]`

    Attributes:
        history: where user histories live: `sqlite`, or `redis://host:port/db`.
        history_size: how many events of a user are kept.
        sources: at most how many candidates each retrieval source returns; 0 for
            `ranker.candidates`.
        filter_cache: memory for the bitmaps of filter expressions, per worker, in megabytes.
        log_impressions: whether answers are logged as impression events, which training uses.
        reload_seconds: how often a server looks for a new release.
        max_batch: at most how many waiting requests are answered together.
    """

    history: str = "sqlite"
    history_size: int = 500
    sources: int = 0
    filter_cache: int = 64
    log_impressions: bool = True
    reload_seconds: float = 1.0
    max_batch: int = 16


class EvaluateSection(Section, frozen=True):
    """`[evaluate]`

    Attributes:
        users: at most how many users are asked for.
        requests_per_user: at most how many requests each of them makes.
    """

    users: int = 2_000
    requests_per_user: int = 5


class ReleasesSection(Section, frozen=True):
    """`[releases]`

    Attributes:
        keep: how many releases are kept; the current one always is.
        floor: metrics (`ndcg@10`, `recall@20`, `mrr`, `coverage`) below which a release is not
            made current.
    """

    keep: int = 5
    floor: dict[str, float] = msgspec.field(default_factory=dict)


class Config(Section, frozen=True):
    """The whole file. Without a table of `[retrievers]`, training chooses by the data."""

    project: ProjectSection
    data: DataSection
    prepare: PrepareSection = PrepareSection()
    index: IndexSection = IndexSection()
    retrievers: dict[str, Retriever] = msgspec.field(default_factory=dict)
    ranker: RankerSection = RankerSection()
    arrange: ArrangeSection = ArrangeSection()
    serve: ServeSection = ServeSection()
    evaluate: EvaluateSection = EvaluateSection()
    releases: ReleasesSection = ReleasesSection()
