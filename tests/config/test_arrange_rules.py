"""Every fault of `[arrange]` is one message: the key, the value, the remedy."""

from __future__ import annotations

import pytest

from shortlist.config.load import parse_config
from shortlist.core.errors import ConfigError
from shortlist.testing import shop

BOOST = "[[arrange.boosts]]\n"
PIN = "[[arrange.pins]]\n"
DIVERSITY = "[arrange.diversity]\n"
FRESHNESS = "[arrange.freshness]\n"
EXPLORATION = "[arrange.exploration]\n"
BLEND = "[arrange.blend]\n"

FAULTS = {
    "unknown attribute": (
        BOOST + 'where = "prce > 3"\nadd = 1',
        ["arrange.boosts[0].where", '"prce"', "'price'", "data.items.attributes"],
    ),
    "bad expression": (
        BOOST + 'where = "price < 9"\nadd = 1\n' + BOOST + 'where = "price >> 3"\nadd = 1',
        ["arrange.boosts[1].where", "at character 8", "found '>'"],
    ),
    "nothing boosted": (BOOST + 'where = "price < 9"', ["arrange.boosts[0]", "`multiply`"]),
    "below nothing": (
        BOOST + 'where = "price < 9"\nmultiply = -1',
        ["arrange.boosts[0].multiply = -1", "0 to 1,000,000"],
    ),
    "unknown key": (
        BOOST + 'whre = "price < 9"\nadd = 1',
        ["arrange.boosts[0].whre", "[arrange.boosts[0]]", "'where'"],
    ),
    "no place": (PIN + 'item = "a"', ["arrange.pins[0].position is missing"]),
    "past the last place": (
        PIN + 'item = "a"\nposition = 1000',
        ["arrange.pins[0].position = 1000", "from 0 to 999"],
    ),
    "before the first place": (PIN + 'item = "a"\nposition = -1', ["arrange.pins[0].position"]),
    "nothing to pin": (PIN + "position = 0", ["arrange.pins[0]", "neither"]),
    "two things to pin": (
        PIN + 'position = 0\nitem = "a"\nwhere = "price < 3"',
        ["arrange.pins[0]", "both"],
    ),
    "no time": (
        PIN + 'position = 0\nitem = "a"\nuntil = "Friday"',
        ['arrange.pins[0].until = "Friday"', "ISO 8601"],
    ),
    "ends before it begins": (
        PIN + 'position = 0\nitem = "a"\nsince = "2025-01-02"\nuntil = "2025-01-01T23:00+00:00"',
        ["arrange.pins[0]", "2025-01-02", "Swap"],
    ),
    "not a list": ("[arrange]\nboosts = 3", ["arrange.boosts = 3", "a list"]),
    "not a table": ("[arrange]\npins = [3]", ["arrange.pins[0] = 3", "not a table"]),
    "alike by nothing": (DIVERSITY, ["arrange.diversity", "neither"]),
    "alike by both": (
        DIVERSITY + 'vectors = "item_graph"\nattributes = ["category"]',
        ["arrange.diversity", "both"],
    ),
    "unknown retriever": (
        DIVERSITY + 'vectors = "item_grph"',
        ["arrange.diversity.vectors", "'item_graph'"],
    ),
    "unknown method": (
        DIVERSITY + 'method = "mmx"\nvectors = "item_graph"',
        ["arrange.diversity.method", '"mmr"'],
    ),
    "too strong": (
        DIVERSITY + 'vectors = "item_graph"\nstrength = 2.0',
        ["arrange.diversity.strength = 2.0"],
    ),
    "more new ones than places": (
        FRESHNESS + 'where = "price < 3"\nat_least = 4\nof = 3',
        ["arrange.freshness.at_least = 4", "from 1 to 3"],
    ),
    "new by nothing": (FRESHNESS, ["arrange.freshness", "neither"]),
    "no span": (
        FRESHNESS + 'attribute = "price"\nnewer = "soon"',
        ["arrange.freshness.newer", '"7d"'],
    ),
    "no places to explore": (EXPLORATION + "positions = []", ["arrange.exploration.positions"]),
    "explored twice": (
        EXPLORATION + "positions = [3, 3]",
        ["arrange.exploration.positions[1] = 3", "twice"],
    ),
    "not a number": (
        EXPLORATION + 'positions = [3, "4"]',
        ['arrange.exploration.positions[1] = "4"', "a whole number"],
    ),
    "no positions": (EXPLORATION, ["arrange.exploration.positions is missing", "list of whole"]),
    "no shares": (BLEND + "shares = {}", ["arrange.blend.shares", "retriever"]),
    "blend of nothing": (BLEND, ["arrange.blend.shares is missing", "a table of numbers"]),
    "a share of nothing": (
        BLEND + "shares = { popular = 0 }",
        ["arrange.blend.shares.popular = 0", "above 0"],
    ),
    "blend of an unknown retriever": (
        BLEND + "shares = { popula = 1 }",
        ["arrange.blend.shares.popula", "'popular'"],
    ),
    "two lots": (
        BLEND + 'shares = { popular = 1 }\nmethod = "draft"\n' + EXPLORATION + "positions = [1]",
        ["arrange.blend.method", "[arrange.exploration]", '"ratio"'],
    ),
}


@pytest.mark.parametrize(("text", "said"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_named_with_its_key_and_a_remedy(text: str, said: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(shop.CONFIG + text)
    assert caught.value.remedy
    for part in said:
        assert part in str(caught.value)


def test_rules_are_read_in_their_order() -> None:
    config = shop.config(
        BOOST
        + 'name = "sale"\nwhere = "price < 9"\nmultiply = 2\n'
        + BOOST
        + 'where = "price > 9"\nadd = -0.5\n'
        + PIN
        + 'item = "fruit-1"\nposition = 0\nsince = "2025-11-28"\n'
    )
    assert [boost.name for boost in config.arrange.boosts] == ["sale", ""]
    assert config.arrange.pins[0].since == "2025-11-28"
    assert config.arrange.diversity is None
