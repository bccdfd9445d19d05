"""Declared features of every kind, and people, for the worlds of `testing.declared`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from shortlist.config.features import (
    CONTEXT,
    OF_CONTEXT,
    OF_TIME,
    OF_USERS,
    FeatureSection,
)
from shortlist.core.times import DAY, HOUR

KINDS = ("view", "like", "buy")
SHOWN, SCROLL = "impression", "scroll"
CONTEXTS = {
    "device": ("ios", "tv", "web"),
    "page": ("a", "b", "book", "café", "car", "책"),
}
"""Contexts, and the values that a release knows of each."""
UNCOUNTED = (SHOWN, SCROLL)
"""Kinds of events that are no interactions."""
WEIGHTS = {"view": 1.0, "like": 3.0, "buy": 5.0, SCROLL: 0.0}
START = 1_700_000_000_000_000 // HOUR * HOUR


def sections() -> dict[str, FeatureSection]:
    """Every aggregation, over every span, by everything, and columns and crosses."""
    made = {
        "price": FeatureSection(value="column", of="price"),
        "days_since_made": FeatureSection(value="column", of="made", default=-1.0),
    }
    spans = {"": ("", ""), "_1d": ("1d", ""), "_half": ("", "12h")}
    by = {
        "item": ["item"],
        "user": ["user"],
        "kind": ["kind"],
        "tags": ["tags"],
        "user_item": ["user", "item"],
        "user_kind": ["user", "kind"],
        "user_tags": ["user", "tags"],
    }
    for who, names in by.items():
        user = names[0] == "user"
        for suffix, (window, half) in spans.items():
            made[f"count_{who}{suffix}"] = FeatureSection(
                value="count", by=names, window=window, half_life=half
            )
            made[f"sum_{who}{suffix}"] = FeatureSection(
                value="sum",
                of="weight",
                kinds=["like", "buy"],
                by=names,
                window=window,
                half_life=half,
            )
            made[f"mean_{who}{suffix}"] = FeatureSection(
                value="mean", of="price", by=names, default=-2.0, window=window, half_life=half
            )
            made[f"rate_{who}{suffix}"] = FeatureSection(
                value="rate",
                kinds=["buy"],
                among=["view", "like"],
                by=names,
                window=window,
                half_life=half,
            )
            if suffix != "_half":
                made[f"last_{who}{suffix}"] = FeatureSection(
                    value="last",
                    kinds=["view"],
                    by=names,
                    default=999.0,
                    window=window,
                    half_life=half,
                )
                of = "item" if user and names[-1] != "item" else "tags" if user else "user"
                made[f"distinct_{who}{suffix}"] = FeatureSection(
                    value="distinct", of=of, by=names, window=window, half_life=half
                )
    made["distinct_kind_items"] = FeatureSection(value="distinct", of="item", by=["kind"])
    made["distinct_user_kinds"] = FeatureSection(value="distinct", of="kind", by=["user"])
    made |= _of_attributes() | _of_impressions() | _of_groups() | _of_moments() | _of_contexts()
    made["price_to_mean"] = FeatureSection(
        value="cross", cross=["price", "mean_user"], how="ratio", default=1.0
    )
    made["dear_to_the_old"] = FeatureSection(value="cross", cross=["price", "age"])
    made["product"] = FeatureSection(value="cross", cross=["count_item_1d", "rate_user_kind"])
    made["difference"] = FeatureSection(
        value="cross", cross=["count_user", "count_item"], how="difference"
    )
    return made


def _of_attributes() -> dict[str, FeatureSection]:
    """Columns of items and users, what they share, and vectors."""
    user = ["user"]
    return {
        "kind_place": FeatureSection(value="column", of="kind", default=-1.0),
        "is_a_book": FeatureSection(value="column", of="kind", equals="book"),
        "tagged": FeatureSection(value="column", of="tags", equals="book", default=-1.0),
        "age": FeatureSection(value="column", of="age", by=user, default=-1.0),
        "days_a_user": FeatureSection(value="column", of="joined", by=user, default=-1.0),
        "favourite_place": FeatureSection(value="column", of="favourite", by=user, default=-1.0),
        "likes_books_most": FeatureSection(
            value="column", of="favourite", by=user, equals="book", default=-1.0
        ),
        "likes_books": FeatureSection(
            value="column", of="likes", by=user, equals="book", default=-1.0
        ),
        "favoured": FeatureSection(value="match", of="favourite", by=["kind"], default=-1.0),
        "favoured_tag": FeatureSection(value="match", of="favourite", by=["tags"], default=-1.0),
        "shared": FeatureSection(value="match", of="likes", by=["tags"], default=-1.0),
        "alike": FeatureSection(value="similarity", vectors="near", reach=3, default=-2.0),
        "alike_all": FeatureSection(value="similarity", vectors="near", reach=100),
        "product_of_last": FeatureSection(
            value="similarity", vectors="near", reach=1, measure="dot", default=-9.0
        ),
    }


def _of_groups() -> dict[str, FeatureSection]:
    """What is counted by attributes of users: alone, with the item, and with its attributes."""
    favourite, likes = OF_USERS + "favourite", OF_USERS + "likes"
    return {
        "group_half": FeatureSection(by=[favourite], half_life="12h"),
        "group_buys": FeatureSection(
            value="rate", by=[likes], kinds=["buy"], default=-1.0, window="1d"
        ),
        "group_people": FeatureSection(value="distinct", of="user", by=[likes], window="1d"),
        "group_item": FeatureSection(by=[favourite, "item"]),
        "group_item_1d": FeatureSection(by=[likes, "item"], kinds=["like", "buy"], window="1d"),
        "group_item_half": FeatureSection(
            value="sum", of="weight", by=[favourite, "item"], half_life="12h"
        ),
        "group_item_last": FeatureSection(value="last", by=[likes, "item"], default=999.0),
        "group_item_people": FeatureSection(value="distinct", of="user", by=[favourite, "item"]),
        "group_item_through": FeatureSection(
            value="rate",
            by=[favourite, "item"],
            kinds=["view", "buy"],
            among=[SHOWN],
            prior=[1.0, 5.0],
            window="1d",
            default=-1.0,
        ),
        "group_kind_price": FeatureSection(
            value="mean", of="price", by=[favourite, "kind"], default=-2.0
        ),
        "group_tags_buys": FeatureSection(
            value="rate", by=[likes, "tags"], kinds=["buy"], half_life="12h", default=-1.0
        ),
        "groups_item": FeatureSection(by=[likes, favourite, "item"], half_life="12h"),
        "groups_tags_people": FeatureSection(
            value="distinct", of="user", by=[favourite, likes, "tags"], window="1d"
        ),
        "group_tags_last_1d": FeatureSection(
            value="last", by=[favourite, "tags"], window="1d", default=999.0
        ),
    }


def _of_moments() -> dict[str, FeatureSection]:
    """What is counted by hour and by weekday: alone, with the item, and with its attributes."""
    hour, weekday = OF_TIME + "hour", OF_TIME + "weekday"
    return {
        "hour_half": FeatureSection(by=[hour], half_life="12h"),
        "weekday_people": FeatureSection(value="distinct", of="user", by=[weekday], window="8d"),
        "hour_item": FeatureSection(by=["item", hour]),
        "hour_item_through": FeatureSection(
            value="rate",
            by=["item", hour],
            kinds=["view", "buy"],
            among=[SHOWN],
            prior=[1.0, 5.0],
            window="2d",
        ),
        "weekday_kind_price": FeatureSection(
            value="mean", of="price", by=["kind", weekday], default=-2.0
        ),
        "hour_tags_last": FeatureSection(value="last", by=["tags", hour], default=999.0),
    }


def _of_contexts() -> dict[str, FeatureSection]:
    """What a request's context is, and what is counted by it: alone, with the item, and with its
    attributes."""
    device, page = (OF_CONTEXT + name for name in CONTEXTS)
    own = [CONTEXT]
    return {
        "device_place": FeatureSection(value="column", of="device", by=own, default=-1.0),
        "on_ios": FeatureSection(value="column", of="device", by=own, equals="ios", default=-1.0),
        "on_nothing": FeatureSection(value="column", of="page", by=own, equals="no", default=-2.0),
        "device_half": FeatureSection(by=[device], half_life="12h"),
        "page_people_1d": FeatureSection(value="distinct", of="user", by=[page], window="1d"),
        "device_buys": FeatureSection(
            value="rate", by=[device], kinds=["buy"], among=["view"], default=-1.0, window="1d"
        ),
        "device_item": FeatureSection(by=["item", device]),
        "device_item_1d": FeatureSection(by=[device, "item"], kinds=["like", "buy"], window="1d"),
        "page_item_people": FeatureSection(value="distinct", of="user", by=["item", page]),
        "device_item_weight": FeatureSection(
            value="sum", of="weight", by=[device, "item"], half_life="12h"
        ),
        "device_item_through": FeatureSection(
            value="rate",
            by=["item", device],
            kinds=["view", "buy"],
            among=[SHOWN],
            prior=[1.0, 5.0],
            window="2d",
            default=-1.0,
        ),
        "device_kind_price": FeatureSection(
            value="mean", of="price", by=[device, "kind"], default=-2.0
        ),
        "page_tags_last": FeatureSection(value="last", by=["tags", page], default=999.0),
        "page_tags_half": FeatureSection(
            value="rate", by=[page, "tags"], kinds=["buy"], half_life="12h", default=-1.0
        ),
    }


def _of_impressions() -> dict[str, FeatureSection]:
    """What counts events that are no interactions, and rates that add to both counts."""
    made = {
        "seen_by": FeatureSection(value="distinct", of="user", kinds=[SHOWN]),
        "last_shown": FeatureSection(value="last", kinds=[SHOWN], by=["kind"], default=999.0),
        "shown": FeatureSection(value="count", kinds=[SHOWN, SCROLL], half_life="12h"),
    }
    spans = {"": ("", ""), "_1d": ("1d", ""), "_half": ("", "12h")}
    for suffix, (window, half) in spans.items():
        for who in ("item", "tags"):
            made[f"through_{who}{suffix}"] = FeatureSection(
                value="rate",
                kinds=["view", "buy"],
                among=[SHOWN],
                prior=[1.0, 5.0] if suffix else [],
                by=[who],
                window=window,
                half_life=half,
                default=-1.0,
            )
        made[f"smooth_user{suffix}"] = FeatureSection(
            value="rate",
            kinds=["buy"],
            among=["view"],
            prior=[0.5, 2.0],
            by=["user", "kind"],
            window=window,
            half_life=half,
            default=-1.0,
        )
    return made


@dataclass(frozen=True)
class Person:
    """What is known of a user."""

    age: float | None = None
    joined: int | None = None
    favourite: str | None = None
    likes: Sequence[str] = ()


PEOPLE = (
    Person(30.0, START - DAY, "book", ["book", "a", "book"]),
    Person(),
    Person(math.inf, START + 3 * DAY, "b", ["car", "café"]),
)
