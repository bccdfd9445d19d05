"""Before anything is fitted: which features and rules name a column that they cannot read."""

from __future__ import annotations

from typing import Any

import pytest

from shortlist.config.load import parse_config
from shortlist.core.errors import ConfigError
from shortlist.core.progress import Silent
from shortlist.offline.data.check_features import unfit
from shortlist.project import Project

BASE = """
[project]
name = "shop"
[data.events]
path = "events.csv"
user = "user"
item = "item"
time = "time"
[data.items]
path = "items.csv"
id = "item"
attributes = ["price", "colour"]
[retrievers.popular]
"""
RULES = {
    "[arrange]\nmax_per = { price = 1 }": "arrange.max_per.price",
    '[arrange.diversity]\nattributes = ["colour", "price"]': "arrange.diversity.attributes[1]",
    '[arrange.freshness]\nattribute = "colour"': "arrange.freshness.attribute",
    "[arrange.freshness]\nwhere = 'price == \"x\"'": "arrange.freshness.where",
    "[[arrange.boosts]]\nadd = 1\nwhere = 'price == \"x\"'": "arrange.boosts[0].where",
    "[[arrange.pins]]\nposition = 1\nwhere = 'price == \"x\"'": "arrange.pins[0].where",
    '[features.a]\nby = ["price"]': "features.a",
    "[experiments.e.variants.v]\nshare = 0.5\n[experiments.e.variants.v.arrange]\n"
    "max_per = { price = 1 }": "experiments.e.variants.v.arrange.max_per.price",
}


@pytest.mark.parametrize("text", RULES)
def test_what_cannot_read_its_column_is_named_by_its_key(text: str) -> None:
    ((key, error),) = unfit(parse_config(BASE + text), {"price": "number", "colour": "keyword"}, {})
    assert key == RULES[text]
    assert key in str(error)
    assert error.remedy


def test_rules_that_can_are_passed_over() -> None:
    text = (
        "[arrange]\nmax_per = { colour = 1 }\n[arrange.freshness]\nwhere = 'price < 3'\n"
        "[[arrange.boosts]]\nadd = 1\nwhere = 'colour == \"red\"'\n"
    )
    kinds: dict[str, Any] = {"price": "number", "colour": "keyword"}
    assert not list(unfit(parse_config(BASE + text), kinds, {}))


def test_check_finds_it_and_training_stops_at_it_before_anything_is_fitted(world: Any) -> None:
    world.csv("events.csv", [("u", "a", 1), ("v", "b", 2)])
    world.csv("items.csv", [("a", 1, "red"), ("b", 2, "")], "item,price,colour")
    world.write("shortlist.toml", BASE + "[arrange]\nmax_per = { price = 1 }\n")
    (finding,) = Project(world.folder).check().findings
    assert (finding.severity, finding.key) == ("error", "arrange.max_per.price")
    heard: list[str] = []

    class Steps(Silent):
        def step(self, name: str, total: float | None = None) -> None:
            heard.append(name)

    with pytest.raises(ConfigError, match=r"arrange\.max_per\.price names 'price'"):
        Project(world.folder).train(Steps())
    assert "popular" not in heard
