"""What check finds in the data."""

from __future__ import annotations

from typing import Any

import pytest


def found(world: Any) -> dict[tuple[str, str], tuple[int, list[str]]]:
    """(severity, what the remedy begins with) → count and examples."""
    return {(f.severity, f.remedy): (f.count, f.examples) for f in world.check().findings}


def only(findings: dict[tuple[str, str], tuple[int, list[str]]], text: str) -> Any:
    (match,) = (
        (severity, *value) for (severity, remedy), value in findings.items() if text in remedy
    )
    return match


@pytest.fixture
def shop(world: Any) -> Any:
    world.set_events(kind="kind", weights={"view": 1, "buy": 5})
    world.csv("events.csv", [("u", "a", 1, "view"), ("u", "a", 2, "buy")], "user,item,time,kind")
    world.csv("items.csv", [("a", 1)], "item,price")
    world.set_items(path="items.csv", attributes=["price"], price="price")
    return world


def test_clean_data_has_no_findings(shop: Any) -> None:
    report = shop.check()
    assert (report.findings, report.ok, report.events, report.items) == ([], True, 2, 1)


def test_rows_that_would_be_left_out_are_warnings(shop: Any) -> None:
    rows = [
        ("", "a", 3, "view"),
        ("u", "", 3, "view"),
        ("u", "a", "soon", "view"),
        ("u", "a", "2200-01-01", "view"),
        ("u", "ghost", 3, "view"),
        ("u", "a", 3, "hover"),
    ]
    shop.append("events.csv", rows)
    findings = found(shop)
    assert only(findings, "no user id") == ("warning", 1, ["null, a, 3 (events.csv)"])
    assert only(findings, "no item id") == ("warning", 1, ["u, null, 3 (events.csv)"])
    assert only(findings, "no time") == ("warning", 1, ["u, a, soon (events.csv)"])
    assert only(findings, "later than now") == ("warning", 1, ["u, a, 2200-01-01 (events.csv)"])
    assert only(findings, "does not have the items") == ("warning", 1, ["ghost"])
    assert only(findings, "count 0") == ("warning", 1, ["hover"])
    assert shop.check().ok


def test_a_weight_for_a_kind_that_never_occurs_is_a_warning(shop: Any) -> None:
    shop.set_events(weights={"view": 1, "purchase": 5})
    findings = found(shop)
    assert only(findings, "never occur") == ("warning", 1, ["purchase"])
    assert only(findings, "count 0") == ("warning", 1, ["buy"])


def test_no_kind_that_counts_is_an_error(shop: Any) -> None:
    shop.set_events(weights={"purchase": 5})
    assert only(found(shop), "No event counts") == ("error", 2, ["buy", "view"])


def test_an_item_on_two_rows_is_an_error(shop: Any) -> None:
    shop.append("items.csv", [("a", 2), ("", 3)])
    findings = found(shop)
    assert only(findings, "on several rows") == ("error", 1, ["a"])
    assert only(findings, "no item id") == ("warning", 1, ["null"])
    assert shop.check().findings[0].severity == "error"


def test_columns_that_are_not_there_are_errors(shop: Any) -> None:
    shop.set_events(user="usr")
    shop.set_items(path="items.csv", attributes=["colour"])
    findings = found(shop)
    assert only(findings, "no column 'usr'")[0] == "error"
    assert only(findings, "There is no such column") == ("error", 1, ["colour"])
    assert not shop.check().ok


def test_a_price_that_is_no_number_is_an_error(shop: Any) -> None:
    shop.append("items.csv", [("b", "cheap")])
    assert only(found(shop), "price column 'price' holds keyword values")[0] == "error"


def test_a_broken_file_is_an_error(shop: Any) -> None:
    shop.append("events.csv", [("u", "a")])
    assert only(found(shop), "line 4 is broken")[0] == "error"
