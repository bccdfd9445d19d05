"""Rules of `[features]`."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from shortlist.config.features import (
    OF_CONTEXT,
    OF_TIME,
    OF_USERS,
    FeatureSection,
    counts,
    declared,
    wants_defaults,
)
from shortlist.config.rules_feature_values import (
    attribute,
    check_column,
    check_feast,
    check_match,
    check_remote,
    check_similarity,
    context,
    part_of_time,
    span,
    user_attribute,
)
from shortlist.config.toml import dotted, value_text
from shortlist.core.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from shortlist.config.schema import Config

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
OVER_EVENTS = ("count", "sum", "mean", "distinct", "last", "rate")
BUILT_IN = re.compile(
    r"item_count(_1d|_7d|_30d)?|item_trend|item_age|user_count(_1d|_7d)?|user_idle"
    r"|user_item_count|sources|fused(_rank|_gap)?|hour|weekday"
)
"""Names without a colon that the built-in features have."""

# What names in `by` may be of, together.
_WHOSE = (
    *(("user",), ("item",), ("time",), ("context",)),
    *(("user", "item"), ("item", "time"), ("item", "context"), ("context", "item")),
)

# Keys that say nothing to some values: the key, and the values that it belongs to.
_BELONG: dict[str, tuple[str, ...]] = {
    "of": ("sum", "mean", "distinct", "column", "match", "feast"),
    "equals": ("column",),
    "kinds": OVER_EVENTS,
    "among": ("rate",),
    "prior": ("rate",),
    "vectors": ("similarity",),
    "window": OVER_EVENTS,
    "half_life": ("count", "sum", "mean", "rate"),
    "cross": ("cross",),
    "freshness": (*OVER_EVENTS, "feast"),
}


def check_features(config: Config) -> None:
    """Check the declared features.

    Raises:
        ConfigError: a feature names a column, a kind or a feature that is not there, has a name
            that is taken, a span that is none, or a key that its value does not have.
    """
    features = declared(config.features)
    if config.feast is not None:
        check_feast(config.feast)
    for name, feature in features.items():
        key = dotted(("features", name))
        _check_name(key, name)
        for part, values in _BELONG.items():
            said = getattr(feature, part)
            if said and feature.value not in values:
                raise ConfigError(
                    f"{key}.{part} = {value_text(said)} says nothing to "
                    f"{key}.value = {value_text(feature.value)}.",
                    remedy=f"Take it out; it belongs to {', '.join(values)}.",
                )
        if feature.value in ("similarity", "cross") and feature.by != ["item"]:
            raise ConfigError(
                f"{key}.by = {value_text(feature.by)} says nothing to "
                f"{key}.value = {value_text(feature.value)}.",
                remedy="Take it out.",
            )
        if not math.isfinite(feature.default):
            raise ConfigError(
                f"{key}.default = {feature.default} is not finite.", remedy="Write a number."
            )
        if feature.value == "cross":
            _check_cross(config, features, key, feature)
        elif feature.value == "column":
            check_column(config, key, feature)
        elif feature.value == "match":
            check_match(config, key, feature)
        elif feature.value == "similarity":
            check_similarity(config, key, feature)
        elif feature.value == "feast":
            check_remote(config, key, feature)
        else:
            _check_events(config, key, feature)


def _check_name(key: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"[{key}] is not a name that a feature can have.",
            remedy="Use letters, digits, `_` and `-`, and begin with a letter.",
        )
    if BUILT_IN.fullmatch(name) or name in ("item", "request", "time"):
        raise ConfigError(f"[{key}] has the name of a built-in feature.", remedy="Choose another.")


def _check_cross(
    config: Config, features: dict[str, FeatureSection], key: str, feature: FeatureSection
) -> None:
    if len(feature.cross) != 2:
        raise ConfigError(
            f"{key}.cross = {value_text(feature.cross)} does not name two features.",
            remedy='Write two names, such as ["fused", "item_count_7d"].',
        )
    for number, name in enumerate(feature.cross):
        where = f"{key}.cross[{number}] = {value_text(name)}"
        there = name in features or (
            wants_defaults(config.features) and (":" in name or BUILT_IN.fullmatch(name))
        )
        if not there:
            raise ConfigError(
                f"{where} is not a feature.",
                remedy=did_you_mean(name, features) or "Declare it, or name a built-in one.",
            )
        if name in features and features[name].value == "cross":
            raise ConfigError(f"{where} is a cross itself.", remedy="Cross what it is made of.")


def _check_events(config: Config, key: str, feature: FeatureSection) -> None:
    _check_by(config, key, feature.by)
    if feature.window and feature.half_life:
        raise ConfigError(
            f"{key} has both a window ({value_text(feature.window)}) and a half_life "
            f"({value_text(feature.half_life)}).",
            remedy="Declare two features, or keep one of the keys.",
        )
    if feature.freshness and feature.by[0] == "user":
        raise ConfigError(
            f"{key}.freshness = {value_text(feature.freshness)} says nothing to what is counted of "
            "the user's own events, which are always known.",
            remedy="Take it out; it belongs to features by item or by attribute.",
        )
    if feature.missing == "closed" and not feature.freshness:
        raise ConfigError(
            f'{key}.missing = "closed" closes nothing without {key}.freshness.',
            remedy='Say how old what is known may be, such as freshness = "1h", or take it out.',
        )
    for part in ("window", "half_life", "freshness"):
        if getattr(feature, part):
            span(f"{key}.{part}", getattr(feature, part))
    _check_of(config, key, feature)
    beyond = _check_kinds(config, key, feature)
    if feature.value == "rate":
        _check_rate(key, feature, beyond)


def _check_by(config: Config, key: str, by: list[str]) -> None:
    whose = tuple(_side(name) for name in by)
    if by[:1] == ["user"] and "context" in whose:
        raise ConfigError(
            f"{key}.by = {value_text(by)} asks in what context the user's own events happened, "
            "and histories do not keep it.",
            remedy='Count everybody\'s events: leave "user" out.',
        )
    own = [name for name in by if name.startswith(OF_USERS)]
    if len(own) == 2 and own[0] != own[1]:
        whose = whose[1:]  # two attributes of users are as one
    if whose not in _WHOSE:
        raise ConfigError(
            f"{key}.by = {value_text(by)} says not whose events.",
            remedy='Write ["item"], ["user"], ["ATTRIBUTE"], ["user", "item"] or '
            '["user", "ATTRIBUTE"]; "user.NAME" of an attribute of users, or two of them, in place '
            'of "user"; '
            '["time.hour"], ["item", "time.hour"] or ["ATTRIBUTE", "time.hour"]; "context.NAME" '
            'of a context in place of "time.hour".',
        )
    for number, name in enumerate(by):
        said = f"{key}.by[{number}]"
        if name.startswith(OF_USERS):
            user_attribute(config, said, name.removeprefix(OF_USERS), OF_USERS)
        elif name.startswith(OF_TIME):
            part_of_time(said, name)
        elif name.startswith(OF_CONTEXT):
            context(config, said, name.removeprefix(OF_CONTEXT), OF_CONTEXT)
        elif name not in ("user", "item"):
            attribute(config, said, name)


def _side(name: str) -> str:
    """What a name in `by` is of: the user, the moment, the context, or the item."""
    if name == "user" or name.startswith(OF_USERS):
        return "user"
    if name.startswith(OF_CONTEXT):
        return "context"
    return "time" if name.startswith(OF_TIME) else "item"


def _check_kinds(config: Config, key: str, feature: FeatureSection) -> bool:
    """Whether some of the kinds are no interactions."""
    events = config.data.events
    beyond = False
    for part in ("kinds", "among"):
        for number, kind in enumerate(getattr(feature, part)):
            said = f"{key}.{part}[{number}] = {value_text(kind)}"
            known = [*events.weights, events.impression]
            if events.weights and kind not in known:
                raise ConfigError(
                    f"{said} is not a kind of event that data.events.weights names.",
                    remedy=f"{did_you_mean(kind, known)} A kind that is to be counted by features "
                    "alone has the weight 0.",
                )
            if not counts(kind, events.weights, events.impression):
                beyond = True
                if feature.by[0] == "user":
                    raise ConfigError(
                        f"{said} is no interaction, and what is known of a user are interactions.",
                        remedy="Count it by item or by an attribute, or give the kind a weight.",
                    )
    return beyond


def _check_rate(key: str, feature: FeatureSection, beyond: bool) -> None:
    if not feature.kinds:
        raise ConfigError(
            f"{key}.kinds = [] leaves the rate at 1.", remedy="Name the kinds that it counts."
        )
    if beyond and not feature.among:
        raise ConfigError(
            f"{key}.among = [] divides by interactions alone, and {key}.kinds = "
            f"{value_text(feature.kinds)} are more.",
            remedy="Name the kinds that it divides by.",
        )
    if not feature.prior:
        return
    if len(feature.prior) != 2 or not all(0 <= n < math.inf for n in feature.prior):
        raise ConfigError(
            f"{key}.prior = {value_text(feature.prior)} is not two numbers that are 0 or more.",
            remedy="Write what is added above and below, such as [1, 20].",
        )
    if feature.prior[1] == 0:
        raise ConfigError(
            f"{key}.prior = {value_text(feature.prior)} adds nothing below.",
            remedy="Write a second number above 0.",
        )


def _check_of(config: Config, key: str, feature: FeatureSection) -> None:
    said = f"{key}.of = {value_text(feature.of)}"
    if feature.value in ("sum", "mean"):
        if feature.of != "weight":
            attribute(config, f"{key}.of", feature.of)
    elif feature.value == "distinct":
        if feature.of in feature.by or feature.of not in ("user", "item"):
            if feature.by[0] != "user" or feature.of in ("", "user", *feature.by):
                raise ConfigError(
                    f"{said} cannot be counted by {' and '.join(feature.by)}.",
                    remedy='By item or attribute, count "user" (or "item"); by user, count "item" '
                    "or a keyword attribute.",
                )
            attribute(config, f"{key}.of", feature.of)
        elif feature.of == "user" and feature.by[0] == "user":
            raise ConfigError(f"{said} is always 1 by user.", remedy='Count "item".')
