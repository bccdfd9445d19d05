"""What the types of `shortlist.toml` cannot say: ranges, spans and references between keys."""

from __future__ import annotations

import math

from shortlist.config.checks import (
    above_zero,
    between,
    distinct,
    languages,
    listed,
    offer,
    span,
)
from shortlist.config.rules_arrange import check_arrange
from shortlist.config.rules_data import (
    check_events,
    check_items,
    check_knowledge,
    check_quality,
    check_users,
)
from shortlist.config.rules_experiments import check_experiments
from shortlist.config.rules_features import check_features
from shortlist.config.rules_retrievers import check_retrievers
from shortlist.config.schema import (
    Config,
    Section,
)
from shortlist.config.toml import dotted, value_text
from shortlist.core.errors import ConfigError

FLOOR_METRICS = ("ndcg@10", "recall@20", "mrr", "coverage")
SEARCH_WEIGHTS = ("lexical", "vector", "knowledge", "exact", "popularity", "affinity", "place")
HISTORY_SCHEMES = ("redis", "rediss", "unix")

# key: lowest, highest; both allowed.
_RANGES: dict[str, tuple[float, float]] = {
    "project.seed": (0, 2**63 - 1),
    "prepare.min_item_events": (1, math.inf),
    "prepare.min_user_events": (1, math.inf),
    "search.confidence": (0, 1),
    "search.candidates": (1, 10_000),
    "index.at": (1, 10_000),
    "index.memory": (0, math.inf),
    "ranker.candidates": (1, 10_000),
    "ranker.trees": (1, 10_000),
    "ranker.leaves": (2, 64),
    "ranker.requests": (1, math.inf),
    "ranker.unshown": (0, 10_000),
    "ranker.keep": (1, 10_000),
    "ranker.interactions": (0, 1_000),
    "ranker.sweeps": (1, 1_000),
    "ranker.dim": (1, 1_024),
    "ranker.reach": (1, 100),
    "ranker.epochs": (1, 1_000),
    "serve.history_size": (1, 1_000_000),
    "serve.sources": (0, 10_000),
    "serve.filter_cache": (0, math.inf),
    "serve.max_batch": (1, 4_096),
    "serve.tensorflow_port": (0, 65_535),
    "serve.tensorflow_k": (1, 10_000),
    "serve.grpc_port": (0, 65_535),
    "serve.log_features": (0, 1),
    "evaluate.users": (1, math.inf),
    "evaluate.requests_per_user": (1, math.inf),
    "releases.keep": (1, math.inf),
}
# key: the highest allowed value; the value must be above 0.
_POSITIVE: dict[str, float] = {
    "index.recall": 1,
    "ranker.learning_rate": 1,
    "serve.reload_seconds": 86_400,
}
# Keys of [retrievers.NAME], whatever its kind.
_SPANS = {
    "prepare.session_gap": False,
    "prepare.holdout": True,
    "ranker.window": True,
    "ranker.refresh": False,
}


def check_rules(config: Config) -> None:
    """Check everything that needs more than the type of one key.

    Raises:
        ConfigError: the first rule that does not hold; names the key, the value and the remedy.
    """
    if not config.project.name.strip():
        raise ConfigError('project.name = "" is empty.', remedy="Give the project a name.")
    _check_ranges(config)
    for key, auto in _SPANS.items():
        span(key, _lookup(config, key), auto=auto)
    check_events(config.data.events)
    if config.data.items is not None:
        check_items(config.data.items)
        if config.data.items.quality is not None:
            check_quality(config.data.items.quality)
    if config.data.users is not None:
        check_users(config.data.users)
    if config.data.knowledge is not None:
        check_knowledge(config.data.knowledge)
    languages(config.text.languages, "text.languages")
    _check_search(config)
    check_retrievers(config)
    _check_ranker(config)
    check_features(config)
    check_arrange(config, config.arrange, "arrange")
    check_experiments(config)
    _check_history(config.serve.history)
    _check_tensorflow_index(config)
    for metric, floor in config.releases.floor.items():
        key = dotted(("releases", "floor", metric))
        if metric not in FLOOR_METRICS:
            raise ConfigError(
                f"{key} = {value_text(floor)} names a metric that evaluation does not have.",
                remedy=offer(metric, FLOOR_METRICS),
            )
        between(key, floor, 0, 1)


def _check_ranker(config: Config) -> None:
    ranker, events = config.ranker, config.data.events
    kinds: dict[str, str] = {"kind": ranker.kind}
    if ranker.kind == "cascade":
        kinds["second"] = ranker.second
    for key, kind in kinds.items():
        if kind == "relational" and config.data.knowledge is None:
            raise ConfigError(
                f'ranker.{key} = "relational" reads a knowledge graph, and there is none.',
                remedy="Name one in [data.knowledge], or choose another kind.",
            )
    if (ranker.objective == "multi") != bool(ranker.weights):
        raise ConfigError(
            'ranker.weights and ranker.objective = "multi" need each other.',
            remedy="Set `weights` to what each kind of event counts, or leave both out.",
        )
    if ranker.weights and not any(ranker.weights.values()):
        raise ConfigError(
            "ranker.weights are all 0, and every score would be.",
            remedy="Set what each kind of event counts, such as { click = 1.0, purchase = 4.0 }.",
        )
    for name in ("prior_global", "prior_user", "prior_item"):
        prior = getattr(ranker, name)
        if prior != "auto":
            between(f"ranker.{name}", prior, 1e-6, 1e9)
    for kind, weight in ranker.weights.items():
        key = dotted(("ranker", "weights", kind))
        between(key, weight, -1e6, 1e6)
        counting = [name for name, counts in events.weights.items() if counts > 0] or ["event"]
        if kind not in counting:
            raise ConfigError(
                f"{key} = {value_text(weight)} is not a kind of event that counts.",
                remedy=offer(kind, counting),
            )


def _check_ranges(config: Config) -> None:
    for key, (low, high) in _RANGES.items():
        between(key, _lookup(config, key), low, high)
    for key, high in _POSITIVE.items():
        above_zero(key, _lookup(config, key), high)


def _check_search(config: Config) -> None:
    items = config.data.items
    known = [*items.text, *items.attributes] if items else []
    for field, weight in config.search.fields.items():
        key = dotted(("search", "fields", field))
        if field not in known:
            raise ConfigError(
                f"{key} = {weight} names a column that is neither one of data.items.text nor of "
                "data.items.attributes.",
                remedy=listed(field, known),
            )
        between(key, weight, 1, 100)
    for name, value in config.search.weights.items():
        key = dotted(("search", "weights", name))
        if name not in SEARCH_WEIGHTS:
            raise ConfigError(
                f"{key} = {value} names nothing that search weighs.",
                remedy=offer(name, SEARCH_WEIGHTS),
            )
        between(key, value, 0, 1_000)
    backend = config.search.backend
    if backend != "tantivy" and not backend.startswith(("http://", "https://")):
        raise ConfigError(
            f"search.backend = {value_text(backend)} is not a kind of index.",
            remedy='Write "tantivy" or the address of Milvus, such as "http://localhost:19530".',
        )
    queries = config.data.queries
    if queries is not None:
        for name in ("path", "query"):
            if not getattr(queries, name):
                raise ConfigError(
                    f'data.queries.{name} = "" is empty.',
                    remedy="Name the file." if name == "path" else "Name the column of queries.",
                )
        columns = {name: getattr(queries, name) for name in ("query", "item", "user", "time")}
        distinct("data.queries", columns)


def _check_history(history: str) -> None:
    scheme, colon, rest = history.partition("://")
    if history == "sqlite" or (colon and scheme in HISTORY_SCHEMES and rest):
        return
    known = ["sqlite", *(f"{scheme}://" for scheme in HISTORY_SCHEMES)]
    raise ConfigError(
        f"serve.history = {value_text(history)} is not a kind of store.",
        remedy=f'{offer(scheme + colon, known)} Write "sqlite" or "redis://host:6379/0".',
    )


def _check_tensorflow_index(config: Config) -> None:
    name, known = config.serve.tensorflow_index, config.retrievers
    if name and known and name not in known:  # without a table, training chooses retrievers
        raise ConfigError(
            f"serve.tensorflow_index = {value_text(name)} is not a retriever.",
            remedy=offer(name, [*known]),
        )


def _lookup(config: Config, key: str) -> float | str:
    value: object = config
    for part in key.split("."):
        assert isinstance(value, Section)
        value = getattr(value, part)
    assert isinstance(value, int | float | str)
    return value
