"""What the types of `shortlist.toml` cannot say: ranges, spans and references between keys."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from shortlist.config.schema import (
    Config,
    EventsSection,
    FactorsRetriever,
    ItemGraphRetriever,
    ItemsSection,
    PopularRetriever,
    Section,
    SequenceRetriever,
    TransitionsRetriever,
)
from shortlist.config.toml import dotted, key_text, value_text
from shortlist.core.errors import ConfigError, did_you_mean
from shortlist.core.times import parse_span

FLOOR_METRICS = ("ndcg@10", "recall@20", "mrr", "coverage")
HISTORY_SCHEMES = ("redis", "rediss", "unix")
_NAME = re.compile(r"[A-Za-z0-9_-]+")

# key: lowest, highest; both allowed.
_RANGES: dict[str, tuple[float, float]] = {
    "project.seed": (0, 2**63 - 1),
    "prepare.min_item_events": (1, math.inf),
    "prepare.min_user_events": (1, math.inf),
    "index.at": (1, 10_000),
    "ranker.candidates": (1, 10_000),
    "ranker.trees": (1, 10_000),
    "ranker.leaves": (2, 64),
    "ranker.requests": (1, math.inf),
    "serve.history_size": (1, 1_000_000),
    "serve.sources": (0, 10_000),
    "serve.filter_cache": (0, math.inf),
    "serve.max_batch": (1, 4_096),
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
_RETRIEVER_RANGES: dict[str, tuple[float, float]] = {
    "dim": (1, 4_096),
    "walks": (1, 10_000),
    "walk_length": (2, 10_000),
    "window": (1, 1_000),
    "negatives": (1, 1_000),
    "epochs": (1, 10_000),
    "neighbours": (0, 10_000),
    "reach": (1, 1_000),
    "distance": (0, 10),
    "back": (0, 10),
    "power": (0, 4),
    "target_power": (-2, 2),
    "damping": (0.01, 4),
    "decay": (0.01, 1),
    "history": (1, 10_000),
    "recent": (1, 1_000_000),
    "nearest": (1, 100_000),
    "rarity": (0, 4),
    "length_power": (0, 4),
    "agreement": (0.1, 4),
    "regularisation": (0, 1e6),
    "support": (1, 2_000),
    "unseen": (0, 100),
    "frequencies": (0, 4_096),
    "ideal": (0, 1_000),
    "blocks": (1, 24),
    "heads": (1, 64),
    "dropout": (0, 0.9),
    "patience": (1, 1_000),
    "learning_rate": (1e-6, 1),
    "batch": (1, 1_000_000),
    "samples": (1, 1_000_000),
    "temperature": (0.001, 10),
    "hard": (0, 100),
}
_SPANS = {"prepare.session_gap": False, "prepare.holdout": True, "ranker.window": True}


def check_rules(config: Config) -> None:
    """Check everything that needs more than the type of one key.

    Raises:
        ConfigError: the first rule that does not hold; names the key, the value and the remedy.
    """
    if not config.project.name.strip():
        raise ConfigError('project.name = "" is empty.', remedy="Give the project a name.")
    _check_ranges(config)
    for key, auto in _SPANS.items():
        _span(key, _lookup(config, key), auto=auto)
    _check_events(config.data.events)
    if config.data.items is not None:
        _check_items(config.data.items)
    _check_retrievers(config)
    for attribute, most in config.arrange.max_per.items():
        key = dotted(("arrange", "max_per", attribute))
        _attribute(config, key, attribute)
        _between(key, most, 1, math.inf)
    _check_history(config.serve.history)
    for metric, floor in config.releases.floor.items():
        key = dotted(("releases", "floor", metric))
        if metric not in FLOOR_METRICS:
            raise ConfigError(
                f"{key} = {value_text(floor)} names a metric that evaluation does not have.",
                remedy=_offer(metric, FLOOR_METRICS),
            )
        _between(key, floor, 0, 1)


def _check_ranges(config: Config) -> None:
    for key, (low, high) in _RANGES.items():
        _between(key, _lookup(config, key), low, high)
    for key, high in _POSITIVE.items():
        _above_zero(key, _lookup(config, key), high)


def _check_events(events: EventsSection) -> None:
    for name in ("path", "user", "item", "time"):
        if not getattr(events, name):
            raise ConfigError(
                f'data.events.{name} = "" is empty.',
                remedy="Name the file." if name == "path" else f"Name the column of {name}s.",
            )
    _distinct("data.events", {n: getattr(events, n) for n in ("user", "item", "time", "kind")})
    _span("data.events.lateness", events.lateness, zero=True)
    for kind, weight in events.weights.items():
        key = dotted(("data", "events", "weights", kind))
        _between(key, weight, 0, math.inf)
        if kind == events.impression and weight > 0:
            raise ConfigError(
                f"{key} = {value_text(weight)} gives weight to impressions, which never count.",
                remedy=f"Take it out, or set data.events.impression to another kind "
                f"(it is {value_text(events.impression)}).",
            )
    if not events.weights:
        return
    if not events.kind and "event" not in events.weights:
        raise ConfigError(
            f"data.events.weights = {value_text(events.weights)} but data.events.kind names no "
            "column, so no event would count.",
            remedy="Name the column of kinds in data.events.kind, or take the weights out.",
        )
    if not any(events.weights.values()):
        raise ConfigError(
            f"data.events.weights = {value_text(events.weights)} lets no event count.",
            remedy="Give at least one kind a weight above 0.",
        )


def _check_items(items: ItemsSection) -> None:
    for name in ("path", "id"):
        if not getattr(items, name):
            raise ConfigError(
                f'data.items.{name} = "" is empty.',
                remedy="Name the file." if name == "path" else "Name the column of item ids.",
            )
    for name in ("text", "attributes"):
        columns: list[str] = getattr(items, name)
        for number, column in enumerate(columns):
            if column in columns[:number]:
                raise ConfigError(
                    f"data.items.{name}[{number}] = {value_text(column)} is there twice.",
                    remedy="Name each column once.",
                )
    for column in items.text:
        if column in items.attributes:
            raise ConfigError(
                f"data.items.text and data.items.attributes both name {value_text(column)}.",
                remedy="Keep it as text (for display and search) or as an attribute (to filter "
                "and rank by).",
            )
    for name in ("category", "price"):
        column = getattr(items, name)
        if column and column not in items.attributes:
            raise ConfigError(
                f"data.items.{name} = {value_text(column)} is not one of data.items.attributes.",
                remedy=_listed(column, items.attributes),
            )


def _check_retrievers(config: Config) -> None:
    for name, retriever in config.retrievers.items():
        path = f"retrievers.{key_text(name)}"
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"{path} is not a name that a folder of a release can have.",
                remedy="Use letters, digits, `_` and `-`.",
            )
        for key in retriever.__struct_fields__:
            if key in _RETRIEVER_RANGES and getattr(retriever, key) != "auto":
                _between(f"{path}.{key}", getattr(retriever, key), *_RETRIEVER_RANGES[key])
        if isinstance(retriever, ItemGraphRetriever):
            _between(f"{path}.neighbours", retriever.neighbours, 1, 10_000)
        if isinstance(retriever, FactorsRetriever):
            _between(f"{path}.dim", retriever.dim, 1, 128)
        if isinstance(retriever, SequenceRetriever):
            _check_heads(path, retriever)
        if isinstance(retriever, TransitionsRetriever) and retriever.half_life != "none":
            _span(f"{path}.half_life", retriever.half_life, auto=True)
        if isinstance(retriever, PopularRetriever):
            _span(f"{path}.half_life", retriever.half_life)
            if retriever.segment:
                _attribute(config, f"{path}.segment", retriever.segment, value=True)


def _check_heads(path: str, retriever: SequenceRetriever) -> None:
    dim, heads = retriever.dim, retriever.heads
    if heads != "auto" and (dim == "auto" or dim % heads):
        raise ConfigError(
            f"{path}.heads = {heads} does not divide {path}.dim = {value_text(dim)}.",
            remedy="Set both, so that it does, or leave heads at auto.",
        )


def _check_history(history: str) -> None:
    scheme, colon, rest = history.partition("://")
    if history == "sqlite" or (colon and scheme in HISTORY_SCHEMES and rest):
        return
    known = ["sqlite", *(f"{scheme}://" for scheme in HISTORY_SCHEMES)]
    raise ConfigError(
        f"serve.history = {value_text(history)} is not a kind of store.",
        remedy=f'{_offer(scheme + colon, known)} Write "sqlite" or "redis://host:6379/0".',
    )


def _attribute(config: Config, key: str, attribute: str, *, value: bool = False) -> None:
    said = f"{key} = {value_text(attribute)}" if value else key
    if config.data.items is None:
        raise ConfigError(
            f"{said} names an attribute, but there is no catalogue to have any.",
            remedy="Add [data.items] with its attributes.",
        )
    if attribute not in config.data.items.attributes:
        raise ConfigError(
            f"{said} names an attribute that is not one of data.items.attributes.",
            remedy=_listed(attribute, config.data.items.attributes),
        )


def _listed(column: str, attributes: list[str]) -> str:
    near = did_you_mean(column, attributes)
    return f"{near} Otherwise add {value_text(column)} to data.items.attributes.".strip()


def _offer(name: str, known: tuple[str, ...] | list[str]) -> str:
    return did_you_mean(name, known)


def _lookup(config: Config, key: str) -> float | str:
    value: object = config
    for part in key.split("."):
        assert isinstance(value, Section)
        value = getattr(value, part)
    assert isinstance(value, int | float | str)
    return value


def _between(key: str, value: object, low: float, high: float) -> None:
    assert isinstance(value, int | float)
    # Written so that NaN fails too; no key means anything at infinity.
    if not (low <= value <= high and math.isfinite(value)):
        allowed = f"from {low:,} to {high:,}" if math.isfinite(high) else f"{low:,} or more"
        _out_of_range(key, value, allowed)


def _above_zero(key: str, value: object, high: float) -> None:
    assert isinstance(value, int | float)
    if not 0 < value <= high:
        _out_of_range(key, value, f"above 0 and at most {high:,}")


def _out_of_range(key: str, value: float, allowed: str) -> None:
    raise ConfigError(
        f"{key} = {value_text(value)} is out of range.", remedy=f"It must be {allowed}."
    )


def _span(key: str, text: object, *, auto: bool = False, zero: bool = False) -> None:
    if auto and text == "auto":
        return
    try:
        span = parse_span(str(text))
    except ValueError:
        raise ConfigError(
            f"{key} = {value_text(text)} is not a span of time.",
            remedy='Write a number and one of s, m, h, d, w, such as "30m" or "7d"'
            + (', or "auto".' if auto else "."),
        ) from None
    if span <= 0 and not zero:
        raise ConfigError(
            f"{key} = {value_text(text)} is no time at all.", remedy='Write a span such as "7d".'
        )


def _distinct(table: str, columns: Mapping[str, str]) -> None:
    """Two roles may not be played by one column."""
    roles: dict[str, str] = {}
    for role, column in columns.items():
        if column and column in roles:
            raise ConfigError(
                f"{table}.{roles[column]} and {table}.{role} both name the column "
                f"{value_text(column)}.",
                remedy="Name the column of each.",
            )
        roles[column] = role
