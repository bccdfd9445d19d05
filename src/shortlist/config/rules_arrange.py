"""The rules of `[arrange]`: expressions, places and references."""

from __future__ import annotations

import math
from collections.abc import Iterator

from shortlist.config.arrange import (
    ArrangeSection,
    BlendSection,
    BoostRule,
    DiversitySection,
    ExplorationSection,
    FreshnessSection,
    PinRule,
)
from shortlist.config.checks import above_zero, attribute, between, offer, span, with_vectors
from shortlist.config.schema import Config
from shortlist.config.toml import dotted, value_text
from shortlist.core.errors import ConfigError, RequestError
from shortlist.core.expression import Expression, Junction, Not
from shortlist.core.parser import parse
from shortlist.core.times import parse_instant

LAST = 999
"""The last place that a list can have."""


def check_arrange(config: Config, section: ArrangeSection, at: str) -> None:
    """Check `[arrange]`, or what stands in its place; `at` is the table's name.

    Raises:
        ConfigError: the first rule that does not hold; names the key, the value and the remedy.
    """
    for column, most in section.max_per.items():
        key = f"{at}.{dotted(('max_per', column))}"
        attribute(config, key, column)
        between(key, most, 1, math.inf)
    for number, boost in enumerate(section.boosts):
        key = f"{at}.boosts[{number}]"
        expression(config, f"{key}.where", boost.where)
        between(f"{key}.multiply", boost.multiply, 0, 1e6)
        between(f"{key}.add", boost.add, -1e6, 1e6)
        if boost.multiply == 1 and boost.add == 0:
            raise ConfigError(f"{key} changes nothing.", remedy="Set `multiply` or `add`.")
        _window(key, boost)
    for number, pin in enumerate(section.pins):
        _check_pin(config, f"{at}.pins[{number}]", pin)
    if section.diversity is not None:
        _check_diversity(config, section.diversity, f"{at}.diversity")
    if section.freshness is not None:
        _check_freshness(config, section.freshness, f"{at}.freshness")
    if section.exploration is not None:
        _check_exploration(section.exploration, f"{at}.exploration")
    if section.blend is not None:
        _check_blend(config, section.blend, f"{at}.blend")
    if section.blend is not None and section.exploration is not None:
        _check_lots(section.blend, at)


def expression(config: Config, key: str, text: str) -> None:
    """The text is a filter expression over `data.items.attributes`.

    Raises:
        ConfigError: it is not; names the key, and the character or the attribute that is wrong.
    """
    try:
        tree = parse(text)
    except RequestError as error:
        raise ConfigError(
            f"{key} = {value_text(text)} is no filter expression: {error.problem}",
            remedy=error.remedy,
        ) from None
    for column in _columns(tree):
        attribute(config, f"{key} = {value_text(text)}: {value_text(column)}", column)


def _columns(tree: Expression) -> Iterator[str]:
    match tree:
        case Junction(parts):
            for part in parts:
                yield from _columns(part)
        case Not(inner):
            yield from _columns(inner)
        case _:
            yield tree.column


def _window(key: str, rule: BoostRule | PinRule) -> None:
    """`since` comes before `until`, and both are times."""
    times: list[int | None] = []
    for name in ("since", "until"):
        text = getattr(rule, name)
        try:
            times.append(parse_instant(text) if text else None)
        except ValueError:
            raise ConfigError(
                f"{key}.{name} = {value_text(text)} is not a time.",
                remedy='Write ISO 8601 text such as "2025-11-28T00:00Z"; without an offset it is '
                "UTC.",
            ) from None
    since, until = times
    if since is not None and until is not None and since >= until:
        raise ConfigError(
            f"{key} ends at {value_text(rule.until)}, before it begins at "
            f"{value_text(rule.since)}.",
            remedy="Swap them.",
        )


def _check_pin(config: Config, key: str, pin: PinRule) -> None:
    between(f"{key}.position", pin.position, 0, LAST)
    if bool(pin.item) == bool(pin.where):
        said = "both `item` and" if pin.item else "neither `item` nor"
        raise ConfigError(
            f"{key} has {said} `where`.",
            remedy="Name the item, or say by an expression which may come.",
        )
    if pin.where:
        expression(config, f"{key}.where", pin.where)
    _window(key, pin)


def _check_diversity(config: Config, section: DiversitySection, key: str) -> None:
    if bool(section.vectors) == bool(section.attributes):
        said = "both `vectors` and" if section.vectors else "neither `vectors` nor"
        raise ConfigError(
            f"{key} has {said} `attributes`.",
            remedy="Name the retriever whose vectors say what is alike, or the attributes that do.",
        )
    if section.vectors:
        with_vectors(config, f"{key}.vectors", section.vectors)
    for number, column in enumerate(section.attributes):
        attribute(config, f"{key}.attributes[{number}]", column, value=True)
    between(f"{key}.strength", section.strength, 0.01, 1)
    between(f"{key}.among", section.among, 2, 10_000)


def _check_freshness(config: Config, section: FreshnessSection, key: str) -> None:
    if bool(section.attribute) == bool(section.where):
        said = "both `attribute` and" if section.where else "neither `attribute` nor"
        raise ConfigError(
            f"{key} has {said} `where`.",
            remedy="Name a time attribute, or say by an expression what is new.",
        )
    if section.attribute:
        attribute(config, f"{key}.attribute", section.attribute, value=True)
        span(f"{key}.newer", section.newer)
    else:
        expression(config, f"{key}.where", section.where)
    between(f"{key}.of", section.of, 1, LAST + 1)
    between(f"{key}.at_least", section.at_least, 1, section.of)


def _check_exploration(section: ExplorationSection, key: str) -> None:
    if not section.positions:
        raise ConfigError(
            f"{key}.positions = [] leaves no place to explore at.",
            remedy="Name places from 0, such as [8, 9], or remove the table.",
        )
    for number, position in enumerate(section.positions):
        between(f"{key}.positions[{number}]", position, 0, LAST)
        if position in section.positions[:number]:
            raise ConfigError(
                f"{key}.positions[{number}] = {position} is there twice.", remedy="Name it once."
            )
    above_zero(f"{key}.epsilon", section.epsilon, 1)
    between(f"{key}.temperature", section.temperature, 0.001, 1_000)
    between(f"{key}.among", section.among, len(section.positions), 10_000)


def _check_blend(config: Config, section: BlendSection, key: str) -> None:
    if not section.shares:
        raise ConfigError(
            f"{key}.shares = {{}} blends nothing.",
            remedy="Write a retriever and its share, such as { sequence = 3, popular = 1 }.",
        )
    for name, share in section.shares.items():
        part = f"{key}.{dotted(('shares', name))}"
        _retriever(config, part, name)
        above_zero(part, share, 1e6)


def _check_lots(blend: BlendSection, at: str) -> None:
    if blend.method == "draft":
        raise ConfigError(
            f'{at}.blend.method = "draft" and [{at}.exploration] are both by lot, and the chances '
            "that are logged would be of one of them only.",
            remedy=f'Write method = "ratio", or remove [{at}.exploration].',
        )


def _retriever(config: Config, key: str, name: str) -> None:
    known = config.retrievers
    if known and name not in known:  # without a table, training chooses retrievers
        raise ConfigError(
            f"{key} = {value_text(name)} is not a retriever.", remedy=offer(name, [*known])
        )
