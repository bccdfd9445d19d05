"""`[features]`: columns of the ranker's input that a project declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from shortlist.config.section import Section

DEFAULTS = "defaults"
"""The key of `[features]` that is no feature."""
OF_USERS = "user."
"""What the name of an attribute of users begins with in `by`."""
OF_TIME = "time."
"""What the name of a part of time begins with in `by`."""
PARTS_OF_TIME = ("hour", "weekday")
"""The parts of time that events are counted by, in UTC."""
OF_CONTEXT = "context."
"""What the name of a context begins with in `by`."""
CONTEXT = "context"
"""In `by` of a column: of the request's context."""
SHARED = (OF_USERS, OF_TIME, OF_CONTEXT)
"""What begins the names in `by` that events share with a request besides an item."""


class FeatureSection(Section, frozen=True):
    """`[features.NAME]`: a feature that rankers get beside the built-in ones.

    Attributes:
        value: what it is. Over events: `count`, `sum` or `mean` (of `of`), `distinct` (how many
            different `of`), `last` (days since the last), `rate` (events of `kinds` for each of
            `among`). Besides: `column` (an attribute of the candidate or of the user, or a context
            of the request; a time as days since it, a keyword as its place among them all in
            order), `match` (how many
            values the user's attribute `of` and the candidate's attribute `by` share),
            `similarity` (of the candidate's vector to those of the user's newest items), `feast`
            (what `[feast]` says of the candidate or the user) or `cross` (two other features
            combined).
        by: whose events: `["item"]` (the candidate's), `["ATTRIBUTE"]` (of items that share the
            candidate's value), `["user"]`, `["user", "item"]` or `["user", "ATTRIBUTE"]` (the
            user's with items that share the candidate's value). A user's are the newest 100.
            `"user.NAME"` in place of `"user"`: of everybody who shares the user's value of one of
            `data.users.attributes`; two of them: of who shares both. `["time.hour"]`,
            `["item", "time.hour"]` or `["ATTRIBUTE", "time.hour"]`: of the request's hour of the
            day; `"time.weekday"`: of its day of the week; both UTC. `["context.NAME"]`,
            `["item", "context.NAME"]` or `["ATTRIBUTE", "context.NAME"]`: of the request's value
            of one of `data.events.context`. For `column` `["item"]`, `["user"]` or `["context"]`;
            for `feast` `["item"]` or `["user"]`; for `match` an attribute of items.
        of: for `sum` and `mean` `weight` (what `data.events.weights` says) or a number attribute
            of the event's item; for `distinct` `user`, `item` or, by user, a keyword attribute;
            for `column` and `match` the attribute, or the name of the context; for `feast` the
            feature as `"VIEW:FEATURE"`.
        equals: for `column` of a keyword attribute: 1 where this is its value (or one of its
            values), else 0.
        kinds: the kinds of events that count; empty for all that have a weight. By item or by
            attribute they may be impressions or kinds whose weight is 0.
        among: the kinds that `rate` divides by, likewise.
        prior: for `rate` two numbers that are added: to the events of `kinds`, and to those of
            `among`. Empty: none, and a rate among nothing is `default`.
        window: how far back events count: a span such as `7d`; empty for no limit.
        half_life: the age at which an event counts half; empty for no decay.
        vectors: for `similarity` the retriever whose item vectors are compared.
        reach: for `similarity` how many of the user's newest interactions count, at most 100.
        measure: for `similarity` the `cosine` with the mean of their vectors, or the `dot`
            product.
        cross: the names of the two features that `cross` combines.
        how: how it does: their `product`, `ratio` or `difference`.
        default: the value where there is nothing to compute from.
        missing: what happens when a value cannot be told because what is known is older than
            `freshness`, or Feast does not answer: `open` takes the default, `closed` answers the
            request with an error.
        freshness: how old the newest event that a value by item or by attribute knows of may be,
            when serving; empty for any age. For `feast` how long a value is kept before it is
            asked for again; empty: not at all.
    """

    value: Literal[
        "count",
        "sum",
        "mean",
        "distinct",
        "last",
        "rate",
        "column",
        "match",
        "similarity",
        "feast",
        "cross",
    ] = "count"
    by: list[str] = msgspec.field(default_factory=lambda: ["item"])
    of: str = ""
    equals: str = ""
    kinds: list[str] = msgspec.field(default_factory=list)
    among: list[str] = msgspec.field(default_factory=list)
    prior: list[float] = msgspec.field(default_factory=list)
    window: str = ""
    half_life: str = ""
    vectors: str = ""
    reach: int = 30
    measure: Literal["cosine", "dot"] = "cosine"
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


def uncounted(features: Features, weights: Mapping[str, float], impression: str) -> tuple[str, ...]:
    """The kinds that declared features count though they are no interactions, sorted.

    Args:
        features: `[features]`.
        weights: `data.events.weights`.
        impression: `data.events.impression`.
    """
    named = {kind for one in declared(features).values() for kind in (*one.kinds, *one.among)}
    return tuple(sorted(kind for kind in named if not counts(kind, weights, impression)))


def counts(kind: str, weights: Mapping[str, float], impression: str) -> bool:
    """Whether events of a kind are interactions."""
    return kind != impression and weights.get(kind, 0.0 if weights else 1.0) > 0


def wants_defaults(features: Features) -> bool:
    """Whether rankers get the built-in features too."""
    return features.get(DEFAULTS, True) is not False
