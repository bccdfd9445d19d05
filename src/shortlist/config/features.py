"""`[features]`: columns of the ranker's input that a project declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from shortlist.config.section import Section

DEFAULTS = "defaults"
"""The key of `[features]` that is no feature."""


class FeatureSection(Section, frozen=True):
    """`[features.NAME]`: a feature that rankers get beside the built-in ones.

    Attributes:
        value: what it is. Over events: `count`, `sum` or `mean` (of `of`), `distinct` (how many
            different `of`), `last` (days since the last), `rate` (events of `kinds` for each of
            `among`). Besides: `column` (an attribute of the candidate; a time as days since it) or
            `cross` (two other features combined).
        by: whose events: `["item"]` (the candidate's), `["ATTRIBUTE"]` (of items that share the
            candidate's value), `["user"]`, `["user", "item"]` or `["user", "ATTRIBUTE"]` (the
            user's with items that share the candidate's value). A user's are the newest 100.
        of: for `sum` and `mean` `weight` (what `data.events.weights` says) or a number attribute
            of the event's item; for `distinct` `user`, `item` or, by user, a keyword attribute;
            for `column` the attribute.
        kinds: the kinds of events that count, of those that have a weight; empty for all.
        among: the kinds that `rate` divides by; empty for all.
        window: how far back events count: a span such as `7d`; empty for no limit.
        half_life: the age at which an event counts half; empty for no decay.
        cross: the names of the two features that `cross` combines.
        how: how it does: their `product`, `ratio` or `difference`.
        default: the value where there is nothing to compute from.
        missing: what happens when a value cannot be told because what is known is older than
            `freshness`: `open` takes the default, `closed` answers the request with an error.
        freshness: how old the newest event that a value by item or by attribute knows of may be,
            when serving; empty for any age.
    """

    value: Literal["count", "sum", "mean", "distinct", "last", "rate", "column", "cross"] = "count"
    by: list[str] = msgspec.field(default_factory=lambda: ["item"])
    of: str = ""
    kinds: list[str] = msgspec.field(default_factory=list)
    among: list[str] = msgspec.field(default_factory=list)
    window: str = ""
    half_life: str = ""
    cross: list[str] = msgspec.field(default_factory=list)
    how: Literal["product", "ratio", "difference"] = "product"
    default: float = 0.0
    missing: Literal["open", "closed"] = "open"
    freshness: str = ""


FeatureOrSwitch = FeatureSection | bool
Features = Mapping[str, FeatureOrSwitch]


def declared(features: Features) -> dict[str, FeatureSection]:
    """The features that a file declares, in its order."""
    return {name: one for name, one in features.items() if isinstance(one, FeatureSection)}


def wants_defaults(features: Features) -> bool:
    """Whether rankers get the built-in features too."""
    return features.get(DEFAULTS, True) is not False
