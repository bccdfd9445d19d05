"""Every declared feature, three ways: online, offline, and by its definition."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.config.features import OF_TIME
from shortlist.core.times import DAY, HOUR
from shortlist.testing.declared import DeclaredWorld, Happening
from shortlist.testing.declared_oracle import DeclaredOracle
from shortlist.testing.declared_random import declared_world
from shortlist.testing.declared_sections import KINDS, START, UNCOUNTED, sections

BATCH = 7
"""How many events are posted at once."""


def online(
    world: DeclaredWorld, until: int, order: Callable[[list[Happening]], object]
) -> np.ndarray:
    """Columns of all candidates; the counters know a release of `until` and posted events."""
    counters = world.counters(until)
    posted = [*world.events, *world.others]
    order(posted)
    for start in range(0, len(posted), BATCH):
        world.post(counters, posted[start : start + BATCH])
    columns = []
    for number, (user, now, rows) in enumerate(world.asks):
        out = np.full((len(world.features), len(rows)), np.nan, np.float32)
        view = world.view(user, now, rows, counters, world.context(number))
        world.features.online(view, out)
        columns.append(out[:, np.argsort(rows)])
    return np.concatenate(columns, axis=1)


def offline(world: DeclaredWorld) -> np.ndarray:
    return world.features.matrix(world.as_of())[2]


def by_definition(world: DeclaredWorld) -> np.ndarray:
    oracle = DeclaredOracle(world)
    return np.array(
        [
            [
                oracle(name, user, now, item, world.context(number))
                for number, (user, now, rows) in enumerate(world.asks)
                for item in sorted(rows)
            ]
            for name in world.features.names
        ],
        np.float32,
    )


def assert_same(world: DeclaredWorld, a: np.ndarray, b: np.ndarray) -> None:
    for name, left, right in zip(world.features.names, a, b, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.fixture(scope="module")
def long_log() -> tuple[DeclaredWorld, np.ndarray]:
    """A world, and its features offline."""
    world = declared_world(1, users=12, items=40, events=500, asks=20)
    return world, offline(world)


def test_both_sides_agree_with_the_definition_on_a_long_log(
    long_log: tuple[DeclaredWorld, np.ndarray],
) -> None:
    world, computed = long_log
    assert max(len(world.history(user, now)) for user, now, _ in world.asks) == 100
    expected = by_definition(world)
    assert_same(world, computed, expected)
    for until in (START, min(now for _, now, _ in world.asks)):
        assert_same(
            world, online(world, until, lambda events: events.sort(key=lambda e: e.time)), expected
        )


def test_every_value_has_been_met(long_log: tuple[DeclaredWorld, np.ndarray]) -> None:
    world, computed = long_log
    for name, column in zip(world.features.names, computed, strict=True):
        assert len(np.unique(column)) > 1, name


def test_both_sides_count_by_hour_and_weekday_over_weeks_in_any_order_of_arrival() -> None:
    world = declared_world(3, users=8, items=6, events=800, asks=12, days=20)
    by_time = {name: one for name, one in world.declared.items() if one.by[-1].startswith(OF_TIME)}
    world = replace(world, declared=by_time)
    expected = by_definition(world)
    for name, column in zip(world.features.names, expected, strict=True):
        assert len(np.unique(column)) > 2, name
    assert_same(world, offline(world), expected)
    shuffle = np.random.default_rng(0).shuffle
    for until in (START, min(now for _, now, _ in world.asks)):
        assert_same(world, online(world, until, shuffle), expected)


EVERY = sections()
TIME = st.integers(0, 4 * 24 * 2).map(lambda n: START + n * (HOUR // 2))
SOMEWHERE = st.fixed_dictionaries(
    {}, optional={"device": st.sampled_from(["ios", "web"]), "page": st.sampled_from(["a", "b"])}
)
PAIR = (st.integers(0, 2), st.integers(0, 3), TIME)
EVENT = st.builds(Happening, *PAIR, st.sampled_from(KINDS), SOMEWHERE)
OTHER = st.builds(Happening, *PAIR, st.sampled_from(UNCOUNTED), SOMEWHERE)
WORLDS = st.builds(
    DeclaredWorld,
    events=st.lists(EVENT, min_size=1, max_size=12),
    others=st.lists(OTHER, max_size=8),
    kinds=st.lists(st.sampled_from([None, "a", "b"]), min_size=4, max_size=4),
    tags=st.lists(st.lists(st.sampled_from(["a", "b", "c"]), max_size=3), min_size=4, max_size=4),
    prices=st.lists(st.one_of(st.none(), st.floats(0.5, 99)), min_size=4, max_size=4),
    made=st.lists(st.one_of(st.none(), st.just(START - DAY)), min_size=4, max_size=4),
    asks=st.lists(
        st.tuples(st.integers(0, 3), TIME, st.lists(st.integers(0, 3), min_size=1, unique=True)),
        min_size=1,
        max_size=4,
    ),
    contexts=st.lists(SOMEWHERE, max_size=4),
    declared=st.lists(
        st.sampled_from([name for name, one in EVERY.items() if one.value != "cross"]),
        min_size=8,
        max_size=8,
        unique=True,
    ).map(lambda names: {name: EVERY[name] for name in names}),
)


@settings(max_examples=6, deadline=None)
@given(WORLDS, st.randoms(use_true_random=False))
def test_both_sides_agree_on_any_log_posted_in_any_order(
    world: DeclaredWorld, random: "np.random.Generator"
) -> None:
    expected = by_definition(world)
    assert_same(world, offline(world), expected)
    assert_same(
        world, online(world, min(now for _, now, _ in world.asks), random.shuffle), expected
    )


@settings(max_examples=4, deadline=None)
@given(WORLDS, st.lists(EVENT | OTHER, min_size=1, max_size=6), st.integers(0, 2 * DAY))
def test_no_value_depends_on_an_event_at_or_after_its_instant(
    world: DeclaredWorld, later: list[Happening], after: int
) -> None:
    user, now, rows = world.asks[0]
    past = replace(
        world,
        events=[e for e in world.events if e.time < now],
        others=[e for e in world.others if e.time < now],
        asks=[(user, now, rows)],
    )
    future = [replace(event, time=now + after) for event in later]
    grown = replace(
        past,
        events=[*past.events, *(e for e in future if e.kind in KINDS)],
        others=[*past.others, *(e for e in future if e.kind in UNCOUNTED)],
    )
    assert_same(world, offline(past), offline(grown))
    assert_same(world, online(past, now, list.copy), online(grown, now, list.copy))


def test_what_cannot_be_told_is_the_default_or_an_error() -> None:
    from shortlist.core.errors import StoreError

    world = declared_world(1, users=6, items=10, events=50, asks=2)
    late = max(e.time for e in world.events) + 2 * DAY
    for missing in ("open", "closed"):
        section = replace_section(world, missing)
        stale = replace(world, declared={"views": section})
        counters = stale.counters(late)
        view = stale.view(0, late, [0, 1], counters)
        out = np.zeros((1, 2), np.float32)
        if missing == "closed":
            with pytest.raises(StoreError, match=r"features\.views: the newest known event is 2"):
                stale.features.online(view, out)
        else:
            stale.features.online(view, out)
            assert out.tolist() == [[-5.0, -5.0]]
        counters["views"].add(stale.log([Happening(0, 0, late, "view")]))
        stale.features.online(stale.view(0, late + 1, [0], counters), out[:, :1])
        assert out[0, 0] == sum(e.item == 0 for e in world.events) + 1


def replace_section(world: DeclaredWorld, missing: str):
    from shortlist.config.features import FeatureSection

    return FeatureSection(freshness="1d", missing=missing, default=-5.0)
