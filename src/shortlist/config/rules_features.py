"""Rules of `[features]`."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from shortlist.config.features import FeatureSection, declared, wants_defaults
from shortlist.config.toml import dotted, value_text
from shortlist.core.errors import ConfigError, did_you_mean
from shortlist.core.times import parse_span

if TYPE_CHECKING:
    from shortlist.config.schema import Config

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
OVER_EVENTS = ("count", "sum", "mean", "distinct", "last", "rate")
BUILT_IN = re.compile(
    r"item_count(_1d|_7d|_30d)?|item_trend|item_age|user_count(_1d|_7d)?|user_idle"
    r"|user_item_count|sources|fused(_rank|_gap)?|hour|weekday"
)
"""Names without a colon that the built-in features have."""

# Keys that say nothing to some values: the key, and the values that it belongs to.
_BELONG: dict[str, tuple[str, ...]] = {
    "of": ("sum", "mean", "distinct", "column"),
    "kinds": OVER_EVENTS,
    "among": ("rate",),
    "window": OVER_EVENTS,
    "half_life": ("count", "sum", "mean", "rate"),
    "cross": ("cross",),
    "freshness": OVER_EVENTS,
}


def check_features(config: Config) -> None:
    """Check the declared features.

    Raises:
        ConfigError: a feature names a column, a kind or a feature that is not there, has a name
            that is taken, a span that is none, or a key that its value does not have.
    """
    features = declared(config.features)
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
        if not math.isfinite(feature.default):
            raise ConfigError(
                f"{key}.default = {feature.default} is not finite.", remedy="Write a number."
            )
        if feature.value == "cross":
            _check_cross(config, features, key, feature)
        elif feature.value == "column":
            _attribute(config, f"{key}.of", feature.of)
        else:
            _check_events(config, key, feature)


def _check_name(key: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"[{key}] is not a name that a feature can have.",
            remedy="Use letters, digits, `_` and `-`, and begin with a letter.",
        )
    if BUILT_IN.fullmatch(name) or name in ("item", "request"):
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
    by = feature.by
    if not (len(by) == 1 or (len(by) == 2 and by[0] == "user" and by[1] != "user")):
        raise ConfigError(
            f"{key}.by = {value_text(by)} says not whose events.",
            remedy='Write ["item"], ["user"], ["ATTRIBUTE"], ["user", "item"] or '
            '["user", "ATTRIBUTE"].',
        )
    for number, name in enumerate(by):
        if name not in ("user", "item"):
            _attribute(config, f"{key}.by[{number}]", name)
    if feature.window and feature.half_life:
        raise ConfigError(
            f"{key} has both a window ({value_text(feature.window)}) and a half_life "
            f"({value_text(feature.half_life)}).",
            remedy="Declare two features, or keep one of the keys.",
        )
    for part in ("window", "half_life", "freshness"):
        if getattr(feature, part):
            _span(f"{key}.{part}", getattr(feature, part))
    _check_of(config, key, feature)
    events = config.data.events
    counting = [kind for kind, weight in events.weights.items() if weight > 0]
    for part in ("kinds", "among"):
        for number, kind in enumerate(getattr(feature, part)):
            if events.weights and kind not in counting:
                raise ConfigError(
                    f"{key}.{part}[{number}] = {value_text(kind)} is not a kind of event that has "
                    "a weight.",
                    remedy=did_you_mean(kind, counting),
                )
    if feature.value == "rate" and not feature.kinds:
        raise ConfigError(
            f"{key}.kinds = [] leaves the rate at 1.", remedy="Name the kinds that it counts."
        )


def _check_of(config: Config, key: str, feature: FeatureSection) -> None:
    said = f"{key}.of = {value_text(feature.of)}"
    if feature.value in ("sum", "mean"):
        if feature.of != "weight":
            _attribute(config, f"{key}.of", feature.of)
    elif feature.value == "distinct":
        if feature.of in feature.by or feature.of not in ("user", "item"):
            if feature.by[0] != "user" or feature.of in ("", "user", *feature.by):
                raise ConfigError(
                    f"{said} cannot be counted by {' and '.join(feature.by)}.",
                    remedy='By item or attribute, count "user" (or "item"); by user, count "item" '
                    "or a keyword attribute.",
                )
            _attribute(config, f"{key}.of", feature.of)
        elif feature.of == "user" and feature.by[0] == "user":
            raise ConfigError(f"{said} is always 1 by user.", remedy='Count "item".')


def _attribute(config: Config, key: str, name: str) -> None:
    known = config.data.items.attributes if config.data.items else []
    if name not in known:
        raise ConfigError(
            f"{key} = {value_text(name)} names a column that is not one of data.items.attributes.",
            remedy=(did_you_mean(name, known) if name else "")
            or "Add it to data.items.attributes.",
        )


def _span(key: str, text: str) -> None:
    try:
        good = parse_span(text) > 0
    except ValueError:
        good = False
    if not good:
        raise ConfigError(
            f"{key} = {value_text(text)} is not a span of time.",
            remedy='Write a number above 0 and one of s, m, h, d, w, such as "30m" or "7d".',
        )
