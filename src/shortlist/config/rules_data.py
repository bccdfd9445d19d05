"""The rules of `[data]`."""

from __future__ import annotations

import math
import re

from shortlist.config.checks import (
    above_zero,
    between,
    distinct,
    languages,
    listed,
    span,
)
from shortlist.config.schema import (
    EventsSection,
    ItemsSection,
    KnowledgeSection,
    QualitySection,
    UsersSection,
)
from shortlist.config.toml import dotted, value_text
from shortlist.core.errors import ConfigError

_CONTEXT = re.compile(r"[^\W\d][\w .-]*")


def check_events(events: EventsSection) -> None:
    """Check `events`."""
    for name in ("path", "user", "item", "time"):
        if not getattr(events, name):
            raise ConfigError(
                f'data.events.{name} = "" is empty.',
                remedy="Name the file." if name == "path" else f"Name the column of {name}s.",
            )
    distinct("data.events", {n: getattr(events, n) for n in ("user", "item", "time", "kind")})
    _check_context(events)
    span("data.events.lateness", events.lateness, zero=True)
    for kind, weight in events.weights.items():
        key = dotted(("data", "events", "weights", kind))
        between(key, weight, 0, math.inf)
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


def _check_context(events: EventsSection) -> None:
    for number, column in enumerate(events.context):
        key = f"data.events.context[{number}] = {value_text(column)}"
        if not _CONTEXT.fullmatch(column):
            raise ConfigError(
                f"{key} is not a name that a context can have.",
                remedy="Use letters, digits, spaces, `_`, `-` and `.`, and begin with a letter.",
            )
        if column in events.context[:number]:
            raise ConfigError(f"{key} is there twice.", remedy="Name each column once.")
        for role in ("user", "item", "time"):
            if column == getattr(events, role):
                raise ConfigError(
                    f"{key} is the column of data.events.{role}.", remedy="Take it out."
                )


def check_items(items: ItemsSection) -> None:
    """Check `items`."""
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
    for name in ("category", "price", "place"):
        column = getattr(items, name)
        if column and column not in items.attributes:
            raise ConfigError(
                f"data.items.{name} = {value_text(column)} is not one of data.items.attributes.",
                remedy=listed(column, items.attributes),
            )


def check_users(users: UsersSection) -> None:
    """Check `users`."""
    for name in ("path", "id"):
        if not getattr(users, name):
            raise ConfigError(
                f'data.users.{name} = "" is empty.',
                remedy="Name the file." if name == "path" else "Name the column of user ids.",
            )
    for number, column in enumerate(users.attributes):
        key = f"data.users.attributes[{number}] = {value_text(column)}"
        if column in users.attributes[:number]:
            raise ConfigError(f"{key} is there twice.", remedy="Name each column once.")
        if column == users.id:
            raise ConfigError(
                f"{key} is the column of ids.", remedy="Every user has another; take it out."
            )


def check_quality(quality: QualitySection) -> None:
    """Check `quality`."""
    key = "data.items.quality"
    between(f"{key}.min_length", quality.min_length, 0, math.inf)
    between(f"{key}.max_length", quality.max_length, 0, math.inf)
    between(f"{key}.duplicates", quality.duplicates, 0, 1)
    if 0 < quality.max_length < quality.min_length:
        raise ConfigError(
            f"{key}.max_length = {quality.max_length} is less than {key}.min_length = "
            f"{quality.min_length}.",
            remedy="No text has both; change one of them.",
        )
    languages(quality.languages, f"{key}.languages")
    if quality.rule and not re.fullmatch(r"[\w.]+:\w+", quality.rule):
        raise ConfigError(
            f"{key}.rule = {value_text(quality.rule)} names no function.",
            remedy='Write "module:function".',
        )


def check_knowledge(knowledge: KnowledgeSection) -> None:
    """Check `knowledge`."""
    for name in ("path", "head", "relation", "tail"):
        if not getattr(knowledge, name):
            raise ConfigError(
                f'data.knowledge.{name} = "" is empty.',
                remedy="Name the file." if name == "path" else f"Name the column of {name}s.",
            )
    columns = {name: getattr(knowledge, name) for name in ("head", "relation", "tail", "weight")}
    distinct("data.knowledge", columns)
    above_zero("data.knowledge.decay", knowledge.decay, 1)
    between("data.knowledge.hops", knowledge.hops, 0, 10)
