"""Running totals of declared features, offline: fewer than columns, over blocks, on any engine."""

from dataclasses import replace

import ibis
import numpy as np
import pytest
from ibis.expr.types import Table

from shortlist.config.features import FeatureSection
from shortlist.core.times import DAY, HOUR, MINUTE
from shortlist.features import AsOf, FeatureSet
from shortlist.features.declared import Aggregate, declare
from shortlist.features.totals import BLOCK
from shortlist.features.totals_plan import NUMBER, THEN, Plan
from shortlist.testing.declared_oracle import DeclaredOracle
from shortlist.testing.declared_random import declared_world
from shortlist.testing.declared_sections import START, WEIGHTS

SPANS = ({}, {"window": "1d"}, {"half_life": "1h"})
OF_KINDS = {
    f"{name}_{number}": FeatureSection(**section, **span)
    for number, span in enumerate(SPANS)
    for name, section in {
        "events": {},
        "views": {"kinds": ["view"]},
        "likes": {"kinds": ["like"]},
        "bought": {"kinds": ["buy"]},
        "liked_or_bought": {"kinds": ["like", "buy"]},
        "weight": {"value": "sum", "of": "weight"},
        "mean_weight": {"value": "mean", "of": "weight"},
        "mean_of_some": {"value": "mean", "of": "weight", "kinds": ["view", "buy"]},
        "rate": {"value": "rate", "kinds": ["buy"], "among": ["view", "like"]},
        "rate_of_all": {"value": "rate", "kinds": ["buy"]},
    }.items()
}


def aggregates(declared: dict[str, FeatureSection]) -> list[Aggregate]:
    return [one for one in declare(declared, WEIGHTS, {}) if isinstance(one, Aggregate)]


def assert_by_definition(declared: dict[str, FeatureSection]) -> None:
    world = replace(declared_world(3, users=8, items=20, events=600, asks=30), declared=declared)
    oracle, values = DeclaredOracle(world), world.features.matrix(world.as_of())[2]
    for name, column in zip(world.features.names, values, strict=True):
        expected = [
            oracle(name, user, now, item)
            for user, now, items in world.asks
            for item in sorted(items)
        ]
        np.testing.assert_allclose(column, expected, rtol=1e-5, atol=1e-6, err_msg=name)


def test_what_is_a_matter_of_kinds_takes_one_total_for_each_kind() -> None:
    plan = Plan.of(aggregates(OF_KINDS))
    assert len(plan.kinds) == 3
    assert {half_life: len(columns) for half_life, columns in plan.summed.items()} == {
        None: 3,
        HOUR: 3 + 1,  # the decayed count of all
    }
    assert_by_definition(OF_KINDS)


def test_the_number_and_the_time_of_an_event_are_no_totals() -> None:
    plan = Plan.of(
        aggregates({"all": FeatureSection(), "last": FeatureSection(value="last", window="1d")})
    )
    assert plan.summed == {None: []}
    assert plan.wanted == [(NUMBER, 0), (THEN, 0)]
    assert plan.shifts == [0]


def test_decays_hold_over_any_number_of_blocks() -> None:
    counts = {f"count_{half}": FeatureSection(half_life=half) for half in ("30s", "3m", "10m")}
    # six days are less than `OLD` of these half-lives, and cross a block
    ratios = {
        "price": FeatureSection(value="mean", of="price", by=["tags"], half_life="29m"),
        "rate": FeatureSection(value="rate", kinds=["buy"], half_life="29m"),
        "weight": FeatureSection(value="sum", of="weight", half_life="29m"),
    }
    assert START // (BLOCK * 29 * MINUTE) < (START + 5 * DAY) // (BLOCK * 29 * MINUTE)
    assert_by_definition(counts | ratios)


@pytest.mark.parametrize("engine", ["bigquery", "snowflake", "trino", "postgres"])
def test_the_expression_is_one_that_other_engines_have(engine: str) -> None:
    def table(name: str, **columns: str) -> Table:
        return ibis.table({c.replace("__", ":"): kind for c, kind in columns.items()}, name=name)

    number = "int64"
    at = AsOf(
        table("log", user=number, item=number, time=number, kind=number, weight="float64"),
        table("requests", request=number, user=number, time=number),
        table("candidates", request=number, item=number),
        table("catalogue", item=number, attribute__tags="array<int64>"),
    )
    declared = OF_KINDS | {"heat": FeatureSection(by=["tags"], half_life="1d")}
    features = FeatureSet(declare(declared, WEIGHTS, {"tags": "keywords"}))
    query = ibis.to_sql(features.join(at), dialect=engine)
    assert "ASOF" not in query
    assert "heat" in query
