"""What rules are made of: each check names the key, the value and the remedy."""

from __future__ import annotations

import math
from collections.abc import Mapping

from shortlist.config.languages import ISO_639_1, MISTAKEN
from shortlist.config.retrievers import ITEM_TO_ITEM
from shortlist.config.schema import (
    Config,
)
from shortlist.config.toml import value_text
from shortlist.core.errors import ConfigError, did_you_mean
from shortlist.core.times import parse_span


def attribute(config: Config, key: str, attribute: str, *, value: bool = False) -> None:
    """The key names one of `data.items.attributes`."""
    said = f"{key} = {value_text(attribute)}" if value else key
    if config.data.items is None:
        raise ConfigError(
            f"{said} names an attribute, but there is no catalogue to have any.",
            remedy="Add [data.items] with its attributes.",
        )
    if attribute not in config.data.items.attributes:
        raise ConfigError(
            f"{said} names an attribute that is not one of data.items.attributes.",
            remedy=listed(attribute, config.data.items.attributes),
        )


def with_vectors(config: Config, key: str, name: str) -> None:
    """The key names a retriever that makes vectors of items."""
    known = config.retrievers
    if not known and name:
        return  # without a table, training chooses retrievers
    having = [each for each, section in known.items() if not isinstance(section, ITEM_TO_ITEM)]
    if name not in having:
        said = "makes no vectors of items" if name in known else "is not a retriever"
        raise ConfigError(
            f"{key} = {value_text(name)} {said}.",
            remedy=offer(name, having) or "Name one that makes vectors of items.",
        )


def listed(column: str, attributes: list[str]) -> str:
    """Another attribute that may be meant, or where to add this one."""
    near = did_you_mean(column, attributes)
    return f"{near} Otherwise add {value_text(column)} to data.items.attributes.".strip()


def offer(name: str, known: tuple[str, ...] | list[str]) -> str:
    """What a name may have been meant to be."""
    return did_you_mean(name, known)


def between(key: str, value: object, low: float, high: float) -> None:
    """The value lies in a closed interval, and is finite."""
    assert isinstance(value, int | float)
    # Written so that NaN fails too; no key means anything at infinity.
    if not (low <= value <= high and math.isfinite(value)):
        allowed = f"from {low:,} to {high:,}" if math.isfinite(high) else f"{low:,} or more"
        out_of_range(key, value, allowed)


def above_zero(key: str, value: object, high: float) -> None:
    """The value lies above 0 and up to `high`."""
    assert isinstance(value, int | float)
    if not 0 < value <= high:
        out_of_range(key, value, f"above 0 and at most {high:,}")


def out_of_range(key: str, value: float, allowed: str) -> None:
    """Say that a value is out of its range."""
    raise ConfigError(
        f"{key} = {value_text(value)} is out of range.", remedy=f"It must be {allowed}."
    )


def span(key: str, text: object, *, auto: bool = False, zero: bool = False) -> None:
    """The text is a span of time such as "7d"; more than none of it, unless `zero`."""
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


def distinct(table: str, columns: Mapping[str, str]) -> None:
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


def languages(codes: list[str], key: str) -> None:
    """Every code is one of a language."""
    for number, language in enumerate(codes):
        if language in ISO_639_1:
            continue
        meant = MISTAKEN.get(language.lower()[:2])
        hint = f" Did you mean {value_text(meant)}?" if meant else ""
        raise ConfigError(
            f"{key}[{number}] = {value_text(language)} is not the code of a language.",
            remedy='Write two letters in lower case (ISO 639-1), such as "en" or "ko".' + hint,
        )
