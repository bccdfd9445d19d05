"""Rules of the values of `[features]` that are not made of events, and of `[feast]`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shortlist.config.checks import with_vectors
from shortlist.config.feast import FeastSection
from shortlist.config.features import (
    CONTEXT,
    OF_TIME,
    OF_USERS,
    PARTS_OF_TIME,
    FeatureSection,
)
from shortlist.config.toml import value_text
from shortlist.core.errors import ConfigError, did_you_mean
from shortlist.core.times import parse_span

if TYPE_CHECKING:
    from shortlist.config.schema import Config

HISTORY = 100
"""As `features.contract.HISTORY`, which is above this package."""


def check_column(config: Config, key: str, feature: FeatureSection) -> None:
    """An attribute of the candidate or of the user, or a context of the request."""
    if feature.by == ["user"]:
        user_attribute(config, f"{key}.of", feature.of)
    elif feature.by == ["item"]:
        attribute(config, f"{key}.of", feature.of)
    elif feature.by == [CONTEXT]:
        context(config, f"{key}.of", feature.of)
    else:
        raise ConfigError(
            f"{key}.by = {value_text(feature.by)} says not whose attribute.",
            remedy='Write ["item"] (the candidate\'s), ["user"] or ["context"] (the request\'s).',
        )


def check_match(config: Config, key: str, feature: FeatureSection) -> None:
    """An attribute of users and one of items."""
    user_attribute(config, f"{key}.of", feature.of)
    if len(feature.by) != 1 or feature.by[0] in ("item", "user"):
        raise ConfigError(
            f"{key}.by = {value_text(feature.by)} is not an attribute of items to compare with.",
            remedy="Name one of data.items.attributes in a list of its own.",
        )
    attribute(config, f"{key}.by[0]", feature.by[0])


def check_similarity(config: Config, key: str, feature: FeatureSection) -> None:
    """A retriever, and how far back."""
    with_vectors(config, f"{key}.vectors", feature.vectors)
    if not 1 <= feature.reach <= HISTORY:
        raise ConfigError(
            f"{key}.reach = {feature.reach} is out of range.",
            remedy=f"It must be from 1 to {HISTORY}.",
        )


def check_remote(config: Config, key: str, feature: FeatureSection) -> None:
    """A feature of Feast."""
    if config.feast is None:
        raise ConfigError(
            f'{key}.value = "feast" reads a Feast repository, and none is named.',
            remedy="Add [feast] with its `url` and `repository`.",
        )
    if feature.by not in (["item"], ["user"]):
        raise ConfigError(
            f"{key}.by = {value_text(feature.by)} says not whose feature.",
            remedy='Write ["item"] (the candidate\'s) or ["user"].',
        )
    if not re.fullmatch(r"[^:\s]+:[^:\s]+", feature.of):
        raise ConfigError(
            f"{key}.of = {value_text(feature.of)} names no feature of Feast.",
            remedy='Write "VIEW:FEATURE".',
        )
    if feature.freshness:
        span(f"{key}.freshness", feature.freshness)


def check_feast(feast: FeastSection) -> None:
    """Check `[feast]`.

    Raises:
        ConfigError: a key cannot be what it says.
    """
    parts = urlsplit(feast.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(
            f"feast.url = {value_text(feast.url)} is no address of a server.",
            remedy='Write where `feast serve` answers, such as "http://localhost:6566".',
        )
    for name in ("repository", "item", "user"):
        if not getattr(feast, name):
            raise ConfigError(f'feast.{name} = "" is empty.', remedy="Name it.")
    if not 0 < feast.timeout <= 60:
        raise ConfigError(
            f"feast.timeout = {value_text(feast.timeout)} is out of range.",
            remedy="It must be above 0 and at most 60 seconds.",
        )


def user_attribute(config: Config, key: str, name: str, prefix: str = "") -> None:
    """The key names one of `data.users.attributes`, after a prefix."""
    known = config.data.users.attributes if config.data.users else []
    if name not in known:
        raise ConfigError(
            f"{key} = {value_text(prefix + name)} names a column that is not one of "
            "data.users.attributes.",
            remedy=(did_you_mean(prefix + name, [prefix + one for one in known]) if name else "")
            or (
                "Add it to data.users.attributes."
                if config.data.users
                else "Add [data.users] with its attributes."
            ),
        )


def attribute(config: Config, key: str, name: str) -> None:
    """The key names one of `data.items.attributes`."""
    known = config.data.items.attributes if config.data.items else []
    if name not in known:
        of_users = config.data.users is not None and name in config.data.users.attributes
        remedy = did_you_mean(name, known) if name else ""
        raise ConfigError(
            f"{key} = {value_text(name)} names a column that is not one of data.items.attributes.",
            remedy=(f"It is one of users: {_of_users(key, name)}." if of_users else remedy)
            or "Add it to data.items.attributes.",
        )


def part_of_time(key: str, name: str) -> None:
    """The key names a part of time that events can be counted by."""
    known = [OF_TIME + part for part in PARTS_OF_TIME]
    if name not in known:
        raise ConfigError(
            f"{key} = {value_text(name)} is not a part of time that events are counted by.",
            remedy=f"Write {' or '.join(map(value_text, known))}.",
        )


def context(config: Config, key: str, name: str, prefix: str = "") -> None:
    """The key names one of `data.events.context`, after a prefix."""
    known = config.data.events.context
    if name not in known:
        near = did_you_mean(prefix + name, [prefix + one for one in known]) if name else ""
        raise ConfigError(
            f"{key} = {value_text(prefix + name)} names a column that is not one of "
            "data.events.context.",
            remedy=near or "Add it to data.events.context.",
        )


def _of_users(key: str, name: str) -> str:
    """How a feature names an attribute of users."""
    return f"write {value_text(OF_USERS + name)}" if ".by[" in key else 'add by = ["user"]'


def span(key: str, text: str) -> None:
    """The text is a span of time above 0."""
    try:
        good = parse_span(text) > 0
    except ValueError:
        good = False
    if not good:
        raise ConfigError(
            f"{key} = {value_text(text)} is not a span of time.",
            remedy='Write a number above 0 and one of s, m, h, d, w, such as "30m" or "7d".',
        )
