"""`shortlist.toml` as types: every key, its default and what it means.

The docstrings here are the reference; `docs/reference/shortlist-toml.md` is made from them.
`config.load` reads a file into these and cross-checks it.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from shortlist.config.arrange import ArrangeSection
from shortlist.config.experiments import ExperimentSection
from shortlist.config.feast import FeastSection
from shortlist.config.features import FeatureOrSwitch, FeatureSection
from shortlist.config.retrievers import (
    FactorsRetriever,
    GraphFilterRetriever,
    ItemGraphRetriever,
    LinearRetriever,
    NeighboursRetriever,
    PopularRetriever,
    Retriever,
    SequenceRetriever,
    TextEncoderRetriever,
    TransitionsRetriever,
    TwoTowerRetriever,
)
from shortlist.config.search import (
    KnowledgeSection,
    QueriesSection,
    SearchSection,
    TextSection,
)
from shortlist.config.section import Section

__all__ = [
    "ArrangeSection",
    "Config",
    "DataSection",
    "EvaluateSection",
    "EventsSection",
    "FactorsRetriever",
    "FeastSection",
    "FeatureSection",
    "GraphFilterRetriever",
    "IndexSection",
    "ItemGraphRetriever",
    "ItemsSection",
    "KnowledgeSection",
    "LinearRetriever",
    "NeighboursRetriever",
    "PopularRetriever",
    "PrepareSection",
    "ProjectSection",
    "QualitySection",
    "QueriesSection",
    "RankerSection",
    "ReleasesSection",
    "Retriever",
    "SearchSection",
    "Section",
    "SequenceRetriever",
    "ServeSection",
    "TextEncoderRetriever",
    "TextSection",
    "TransitionsRetriever",
    "TwoTowerRetriever",
    "UsersSection",
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
        propensity: the column with the chance, above 0 and at most 1, that an item was shown where
            it was, for logs whose places were drawn by lot.
        variants: the column with the variants of experiments that an impression was under: a JSON
            object as text, experiment to variant.
        context: columns of keywords that say what an event happened in: a device, a surface.
            Requests name theirs, and features read both. Few values each; one may be missing.
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
    propensity: str = ""
    variants: str = ""
    context: list[str] = msgspec.field(default_factory=list)
    lateness: str = "2d"


class QualitySection(Section, frozen=True):
    """`[data.items.quality]`: which items are fit to be shown; others are left out, and counted.

    Attributes:
        min_length: characters that the texts of an item have together at least.
        max_length: and at most; 0 for no limit.
        languages: ISO 639-1 codes of the languages that texts may be in; empty for any.
        duplicates: an item goes whose text is like that of an item before it: the share of equal
            pieces of four characters (Jaccard) from which on it is, about; 0 for none.
        blocked: words and phrases that a text may not have.
        blocklists: files of more of them, one on a line.
        rule: a function `module:function` that is given an item's columns as a dictionary and says
            whether it stays; the module is a file in the project folder, or installed.
    """

    min_length: int = 0
    max_length: int = 0
    languages: list[str] = msgspec.field(default_factory=list)
    duplicates: float = 0.0
    blocked: list[str] = msgspec.field(default_factory=list)
    blocklists: list[str] = msgspec.field(default_factory=list)
    rule: str = ""


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
        place: the attribute that says where an item is to be had: cities, regions. A search from
            there prefers it. Empty: none.
        available: a boolean column; items where it is false are never shown. Empty: all are.
        expires: a time column; items are never shown from then on. Empty: none expires.
        quality: which items are fit to be shown; without the table all are.
    """

    path: str
    table: str = ""
    id: str = "item_id"
    text: list[str] = msgspec.field(default_factory=list)
    attributes: list[str] = msgspec.field(default_factory=list)
    category: str = ""
    price: str = ""
    place: str = ""
    available: str = ""
    expires: str = ""
    quality: QualitySection | None = None


class UsersSection(Section, frozen=True):
    """`[data.users]`: what is known of users, for features to read. Releases hold these columns.

    Attributes:
        path: a CSV, JSON lines or Parquet file, a glob, or a database URL.
        table: the table to read when `path` is a database URL.
        id: the column of user ids, as `data.events.user` has them.
        attributes: the columns: numbers, keywords, lists of keywords, booleans, times. Each keeps
            the kind it has in the file. They are taken as they are now, whatever instant a
            feature is as of.
    """

    path: str
    table: str = ""
    id: str = "user_id"
    attributes: list[str] = msgspec.field(default_factory=list)


class DataSection(Section, frozen=True):
    """`[data]`: events and items. Without items the catalogue is what the events name."""

    events: EventsSection
    items: ItemsSection | None = None
    users: UsersSection | None = None
    knowledge: KnowledgeSection | None = None
    queries: QueriesSection | None = None


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
        kind: `exact`, `ivf`, `hnsw`, `scann` (needs `pip install shortlist[scann]`), or `auto`:
            exact up to 50,000 vectors, else ivf; within `memory`.
        recall: the recall that all kinds but `exact` are tuned to reach against it.
        at: the number of neighbours that the recall is measured at.
        memory: at most so many megabytes for one index; 0 for no limit.
        codes: how `ivf` shortens vectors: `pq`, `rabitq`, `sq8` or `sq4`.
    """

    kind: Literal["auto", "exact", "ivf", "hnsw", "scann"] = "auto"
    recall: float = 0.95
    at: int = 100
    memory: int = 0
    codes: Literal["pq", "rabitq", "sq8", "sq4"] = "pq"


class RankerSection(Section, frozen=True):
    """`[ranker]`

    Attributes:
        kind: `boosted` (trees), `cascade` (trees over all candidates, `second` over the best
            `keep` of them), `glmix` (trees, then global, per-user and per-item coefficients),
            `attention` (a neural network over the user's history; needs the extra `deep`),
            `relational` (the same and `[data.knowledge]`), or `none` (candidates stay in fused
            retrieval order).
        library: what boosted trees are trained by: `lightgbm` or `xgboost`.
        objective: `lambdarank`, `binary`, or `multi` (a log loss for every kind of `weights`).
        weights: what each kind of event counts for `multi`, as `{ click = 1.0, purchase = 4.0 }`.
        when_worse: what a training does whose ranker orders the holdout worse than the fused order
            that it starts from: `warn` and publish it, `skip` it and publish without a ranker, or
            `stop` and leave the release that serves in place.
        calibration: how scores become probabilities: `platt`, `isotonic`, or `none` (they do
            not).
        candidates: how many candidates are ranked.
        window: the newest part of the training log that training rows come from: a span, or
            `auto` (by the rule of `prepare.holdout`).
        trees: at most how many trees; fewer when the validation metric stops improving.
        leaves: leaves of a tree, at most 64.
        learning_rate: shrinkage.
        requests: at most how many requests training rows are made from.
        unshown: how many candidates that were not shown join the items of each logged request that
            were. Fewer, or 0, where what was shown had little to do with taste: the ranker learns
            from them what used to be shown.
        keep: how many candidates the second stage of `cascade` looks at.
        second: the second stage of `cascade`.
        interactions: how many trees of the first model `glmix` makes interactions of.
        prior_global: of `glmix`: how strongly coefficients for everybody are drawn to 0 (the
            inverse of their prior variance), or `auto`: estimated from the training rows
            (empirical Bayes).
        prior_user: the same, of users.
        prior_item: the same, of items.
        sweeps: at most how often `glmix` goes through its three levels.
        refresh: how old the first model of `glmix` may grow before it is trained again; until
            then a training starts from the coefficients of the release that serves.
        dim: of `attention` and `relational`: components of an embedding.
        reach: of both: how many of the newest items of a history are looked at.
        epochs: of both: at most how often training goes through its rows.
    """

    kind: Literal["boosted", "cascade", "glmix", "attention", "relational", "none"] = "boosted"
    library: Literal["lightgbm", "xgboost"] = "lightgbm"
    objective: Literal["lambdarank", "binary", "multi"] = "lambdarank"
    weights: dict[str, float] = msgspec.field(default_factory=dict)
    when_worse: Literal["warn", "skip", "stop"] = "warn"
    calibration: Literal["none", "platt", "isotonic"] = "none"
    candidates: int = 500
    window: str = "auto"
    trees: int = 300
    leaves: int = 31
    learning_rate: float = 0.05
    requests: int = 20_000
    unshown: int = 30
    keep: int = 200
    second: Literal["boosted", "glmix", "attention", "relational"] = "glmix"
    interactions: int = 50
    prior_global: float | Literal["auto"] = "auto"
    prior_user: float | Literal["auto"] = "auto"
    prior_item: float | Literal["auto"] = "auto"
    sweeps: int = 10
    refresh: str = "7d"
    dim: int = 16
    reach: int = 30
    epochs: int = 10


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
        tensorflow_port: a port beside the main one for clients of TensorFlow Serving; 0 for none
            (its routes are on the main port in any case).
        tensorflow_k: how many neighbours an index gives to a client of TensorFlow Serving.
        tensorflow_index: the retriever whose vectors are the servable `index`; empty for the first
            that has any.
        grpc_port: the port of the gRPC services; 0 for none. Needs `shortlist[grpc]`.
        log_features: the share of answers whose features are logged, to compare them with what
            training computes (`shortlist features --skew`).
    """

    history: str = "sqlite"
    history_size: int = 500
    sources: int = 0
    filter_cache: int = 64
    log_impressions: bool = True
    reload_seconds: float = 1.0
    max_batch: int = 16
    tensorflow_port: int = 0
    tensorflow_k: int = 100
    tensorflow_index: str = ""
    grpc_port: int = 0
    log_features: float = 0.0


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
    text: TextSection = TextSection()
    search: SearchSection = SearchSection()
    index: IndexSection = IndexSection()
    retrievers: dict[str, Retriever] = msgspec.field(default_factory=dict)
    features: dict[str, FeatureOrSwitch] = msgspec.field(default_factory=dict)
    feast: FeastSection | None = None
    ranker: RankerSection = RankerSection()
    arrange: ArrangeSection = ArrangeSection()
    experiments: dict[str, ExperimentSection] = msgspec.field(default_factory=dict)
    serve: ServeSection = ServeSection()
    evaluate: EvaluateSection = EvaluateSection()
    releases: ReleasesSection = ReleasesSection()
