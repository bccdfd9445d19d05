"""What is guessed from samples of columns, trade by trade."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from shortlist.config.guess import guess
from shortlist.config.samples import ColumnSample, Guess


def column(dtype: str, values: Sequence[object]) -> ColumnSample:
    return ColumnSample(dtype, values, len({str(value) for value in values}))


def ids(prefix: str, count: int, repeat: int = 1) -> ColumnSample:
    return column("VARCHAR", [f"{prefix}{n % count}" for n in range(count * repeat)])


def words(values: Sequence[object], count: int = 60) -> ColumnSample:
    return column("VARCHAR", [values[n % len(values)] for n in range(count)])


TIMES = column("TIMESTAMP", [f"2024-01-01 00:{n:02}:00" for n in range(60)])
KEYS = {"user": "data.events.user", "item": "data.events.item", "time": "data.events.time"}


def doubts(found: Guess, key: str) -> str:
    return " ".join(doubt.why for doubt in found.doubts if doubt.key == key)


@pytest.mark.parametrize(
    ("user", "item", "time"),
    [
        ("user_id", "item_id", "timestamp"),
        ("userId", "movieId", "ts"),
        ("visitorid", "itemid", "time"),
        ("CustomerID", "StockSku".replace("Stock", ""), "created_at"),
        ("reviewerID", "asin", "unixReviewTime"),
        ("USER ID", "Product Id", "Event Time"),
    ],
)
def test_usual_names_of_users_items_and_times(user: str, item: str, time: str) -> None:
    found = guess({item: ids("i", 20, 3), time: TIMES, user: ids("u", 10, 6)})

    assert {role: found.column(key) for role, key in KEYS.items()} == {
        "user": user,
        "item": item,
        "time": time,
    }


@pytest.mark.parametrize(
    "values",
    [
        column("BIGINT", [1_700_000_000 + n for n in range(60)]),
        column("BIGINT", [1_700_000_000_000 + n for n in range(60)]),
        column("BIGINT", [1_700_000_000_000_000 + n for n in range(60)]),
        column("DOUBLE", [1_700_000_000.5 + n for n in range(60)]),
        column("VARCHAR", [f"2024-03-{1 + n % 28:02}T10:00:00+09:00" for n in range(60)]),
        column("DATE", [f"2024-03-{1 + n % 28:02}" for n in range(60)]),
    ],
    ids=["seconds", "milliseconds", "microseconds", "fractions", "iso", "dates"],
)
def test_times_are_known_by_their_values(values: ColumnSample) -> None:
    found = guess({"user": ids("u", 9), "item": ids("i", 9), "c3": values})

    assert found.column("data.events.time") == "c3"


def test_a_log_in_order_without_a_clock_is_left_to_the_person() -> None:
    order = column("BIGINT", list(range(60)))
    found = guess({"user_id": ids("u", 9), "item_id": ids("i", 9), "position": order})

    assert found.column("data.events.time") == ""
    assert "'position' looks like an order" in doubts(found, "data.events.time")
    assert found.column("data.events.position") == ""


def test_items_are_found_in_the_catalogue_when_names_say_nothing() -> None:
    events = {"a": ids("u", 30, 2), "b": ids("i", 20, 3), "c": TIMES}
    items = {"x": words(["red", "blue"]), "y": ids("i", 20)}
    found = guess(events, items)

    assert found.column("data.events.item") == "b"
    assert found.column("data.events.user") == "a"
    assert found.column("data.items.id") == "y"


def test_what_is_not_plain_is_asked_for_with_the_columns() -> None:
    found = guess({"a": ids("x", 9), "b": ids("y", 9), "c": TIMES})

    assert found.column("data.events.user") == ""
    assert "'a', 'b', 'c'" in doubts(found, "data.events.user")
    assert doubts(found, "data.events.item")


def test_kinds_become_weights() -> None:
    kinds = ["view", "addToCart", "Purchase", "like", "impression", "remove_from_cart", "wobble"]
    found = guess({"user": ids("u", 9), "item": ids("i", 9), "ts": TIMES, "what": words(kinds)})

    choice = found.choice("data.events.weights")
    assert choice is not None
    assert choice.value == {
        "remove_from_cart": 0,
        "view": 1,
        "wobble": 1,
        "addToCart": 3,
        "like": 3,
        "Purchase": 5,
    }
    assert found.column("data.events.kind") == "what"
    assert found.column("data.events.impression") == "impression"
    assert "'wobble'" in doubts(found, "data.events.weights")


def test_positions_and_requests_need_impressions() -> None:
    extra = {"position": column("INTEGER", [n % 10 for n in range(60)]), "request_id": ids("r", 6)}
    base = {"user": ids("u", 9), "item": ids("i", 9), "ts": TIMES}
    shown = guess(base | extra | {"event": words(["impression", "click"])})
    plain = guess(base | extra | {"event": words(["click", "purchase"])})

    assert shown.column("data.events.position") == "position"
    assert shown.column("data.events.request") == "request_id"
    assert plain.column("data.events.position") == plain.column("data.events.request") == ""
    assert "'position'" in doubts(plain, "data.events.position")


def test_positions_that_count_from_one_are_mentioned() -> None:
    found = guess(
        {
            "user": ids("u", 9),
            "item": ids("i", 9),
            "ts": TIMES,
            "event": words(["impression", "click"]),
            "rank": column("INTEGER", [1 + n % 10 for n in range(60)]),
        }
    )

    assert "is 1, not 0" in doubts(found, "data.events.position")


def test_a_rating_is_mentioned_and_not_used() -> None:
    rating = column("FLOAT", [1.0 + n % 5 for n in range(60)])
    found = guess({"user": ids("u", 9), "item": ids("i", 9), "ts": TIMES, "rating": rating})

    assert found.choice("data.events.weights") is None
    assert "'rating' looks like a rating of 1 to 5" in doubts(found, "data.events.weights")


EVENTS = {"user": ids("u", 9, 3), "sku": ids("i", 40), "ts": TIMES}


def test_a_catalogue_is_sorted_into_its_roles() -> None:
    items = {
        "description": column(
            "VARCHAR", [f"a long story about thing number {n}" for n in range(60)]
        ),
        "sku": ids("i", 60),
        "title": column("VARCHAR", [f"Thing {n}" for n in range(60)]),
        "brand": words(["Acme", "Bolt", "Crux"]),
        "price": column("DECIMAL(10,2)", [9.5 + n for n in range(60)]),
        "main_category": words(["lamp", "chair"]),
        "tags": column("VARCHAR[]", [["a", "b"], ["c"]] * 30),
        "in_stock": column("BOOLEAN", [True, False] * 30),
        "organic": column("BOOLEAN", [True, False] * 30),
        "added": column("TIMESTAMP", [f"2024-01-{1 + n % 28}" for n in range(60)]),
        "valid_until": column("TIMESTAMP", [f"2025-01-{1 + n % 28}" for n in range(60)]),
        "image": column("VARCHAR", [f"https://x.example/{n}.png" for n in range(60)]),
        "seller_id": column("BIGINT", [n % 7 for n in range(60)]),
        "barcode": column("VARCHAR", [f"{n:013}x" for n in range(60)]),
        "raw": column("VARCHAR", [f"['{n}']" for n in range(60)]),
        "empty": column("VARCHAR", []),
        "box": column("STRUCT(w DOUBLE)", ["{'w': 1.0}"] * 60),
    }
    found = guess(EVENTS, items)

    assert found.column("data.items.id") == "sku"
    assert found.listed("data.items.text") == ["title", "description"]
    assert found.listed("data.items.attributes") == [
        "brand",
        "price",
        "main_category",
        "tags",
        "organic",
        "added",
    ]
    assert found.column("data.items.category") == "main_category"
    assert found.column("data.items.price") == "price"
    assert found.column("data.items.available") == "in_stock"
    assert found.column("data.items.expires") == "valid_until"
    left_out = doubts(found, "data.items.attributes")
    for name in ("image", "seller_id", "barcode", "raw", "empty", "box"):
        assert f"'{name}' is left out" in left_out


def test_joined_lists_are_mentioned() -> None:
    items = {"sku": ids("i", 60), "genres": words(["Action|Comedy", "Drama", "Drama|War"])}
    found = guess(EVENTS, items)

    assert found.column("data.items.category") == "genres"
    assert "joined by '|'" in doubts(found, "data.items.attributes")


def test_a_catalogue_without_an_id_is_asked_for_one() -> None:
    found = guess(EVENTS, {"colour": words(["red", "blue"]), "size": words(["S", "M"])})

    assert found.column("data.items.id") == ""
    assert "'colour', 'size'" in doubts(found, "data.items.id")


def test_years_are_not_taken_for_ids() -> None:
    """Whole numbers of items may look like years; the column with the most matches wins."""
    events = {
        "user": ids("u", 9),
        "item": column("BIGINT", list(range(1_900, 2_300))),
        "ts": TIMES,
    }
    items = {
        "release_year": column("BIGINT", list(range(1_990, 2_020))),
        "item": column("BIGINT", list(range(1_900, 2_300))),
    }
    assert guess(events, items).column("data.items.id") == "item"
