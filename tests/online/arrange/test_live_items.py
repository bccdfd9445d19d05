"""The rules of a list over items that are written while it is served."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from arranging import BASE, CATALOGUE, NOW, candidates_of, falling, query, rows_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shortlist.config.load import parse_config
from shortlist.core.times import DAY
from shortlist.online.arrange import Arrange
from shortlist.online.live import Live
from shortlist.online.snapshot import Snapshot
from shortlist.release.publish import Releases
from shortlist.stores.items import ItemBody, ItemStore
from shortlist.testing import shop

RULES = """
[arrange]
max_per = { category = 2, tags = 3 }
[arrange.freshness]
attribute = "born"
newer = "30d"
at_least = 2
of = 6
[[arrange.boosts]]
where = "price > 30"
multiply = 2.0
[[arrange.pins]]
where = 'category == "toys"'
position = 3
[[arrange.pins]]
item = "melon"
position = 1
[arrange.diversity]
attributes = ["category", "tags"]
strength = 0.4
"""
TAGS = st.lists(st.sampled_from(["red", "big", "new", "odd", "rare"]), unique=True, max_size=3)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "category": st.sampled_from(["fruit", "tools", "toys", "games"]),
        "price": st.integers(0, 60).map(float),
        "tags": TAGS,
        "born": st.integers(0, 60).map(lambda days: NOW - days * DAY),
    },
)
WRITES = st.lists(
    st.tuples(st.sampled_from(["melon", "kite", "top", "fruit-3", "tools-25"]), BODIES),
    min_size=1,
    max_size=12,
)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """The shop's release, with the attributes that the rules name."""
    folder = tmp_path_factory.mktemp("shop")
    shop.publish(folder)
    releases = Releases(folder / ".shortlist" / "releases")
    return replace(Snapshot.open(releases.current_path()), catalogue=CATALOGUE)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(writes=WRITES, parts=st.integers(1, 3), seed=st.integers(0, 99))
def test_rules_that_follow_are_those_of_a_catalogue_with_the_written_items(
    snapshot: Snapshot,
    tmp_path_factory: pytest.TempPathFactory,
    writes: list[tuple[str, dict[str, object]]],
    parts: int,
    seed: int,
) -> None:
    section = parse_config(BASE + RULES).arrange
    store = ItemStore(tmp_path_factory.mktemp("items") / "items.sqlite")
    live = Live(snapshot, store, {})
    followed = Arrange(CATALOGUE, section, {})
    for part in np.array_split(np.arange(len(writes)), parts):
        bodies = {writes[n][0]: ItemBody(writes[n][1]) for n in part.tolist()}
        if bodies:
            store.put(list(bodies.items()), NOW)
            assert live.refresh()
            followed.follow(live)
    store.close()
    anew = Arrange(live.catalogue, section, {})
    fresh = np.arange(live.first, live.size)
    rows = np.concatenate([np.arange(0, shop.ITEMS, 2), [3, 25], fresh])
    rows = np.random.default_rng(seed).permutation(np.unique(rows))
    candidates = candidates_of(rows)
    asked = query(12, allow=np.full((live.size + 7) // 8, 255, np.uint8))
    found, fused = followed.bring(asked, candidates, falling(len(rows)))
    other, other_fused = anew.bring(asked, candidates, falling(len(rows)))
    assert found.rows.tolist() == other.rows.tolist()
    assert rows_of(followed(asked, found, fused), found) == rows_of(
        anew(asked, other, other_fused), other
    )


def test_diversity_sees_the_vectors_of_new_items(snapshot: Snapshot, tmp_path: Path) -> None:
    store = ItemStore(tmp_path / "items.sqlite")
    live = Live(snapshot, store, {})
    newer: dict[int, list[float]] = {}
    rules = '[arrange.diversity]\nvectors = "item_graph"\nstrength = 0.9\n'

    def vectors(rows: NDArray[np.int32]) -> NDArray[np.float32]:
        return np.array([newer.get(int(row), [0.0, 0.0]) for row in rows], np.float32)

    store.put([("a", ItemBody({})), ("b", ItemBody({})), ("c", ItemBody({}))], NOW)
    live.refresh()
    store.close()
    first = live.first
    newer |= {first: [1.0, 0.0], first + 1: [1.0, 0.01], first + 2: [0.0, 1.0]}
    arrange = Arrange(CATALOGUE, parse_config(BASE + rules).arrange, {"item_graph": vectors})
    arrange.follow(live)
    candidates = candidates_of([first, first + 1, first + 2])
    shown = rows_of(arrange(query(2), candidates, falling(3)), candidates)
    assert shown == [first, first + 2]
