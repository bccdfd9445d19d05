"""Every feature, three ways: online, offline, and by its definition."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.core.times import DAY, HOUR
from shortlist.features import FeatureSet, default_features
from shortlist.testing.features import Ask, FeatureWorld, random_world

EVERY = FeatureSet(
    (
        *default_features(
            "kind", "price", {"kind": "keyword", "price": "number"}, ["near", "hot"]
        ).features,
        *default_features("tags", "", {"tags": "keywords"}, []).features[11:13],
    )
)


def online(world: FeatureWorld, until: int) -> np.ndarray:
    """Columns of all candidates, in order of request and item."""
    columns = []
    for ask in world.asks:
        out = np.full((len(EVERY), len(ask.candidates)), np.nan, np.float32)
        EVERY.online(world.view(ask, until), out)
        columns.append(out[:, np.argsort(list(ask.candidates))])
    return np.concatenate(columns, axis=1)


def oracle(world: FeatureWorld) -> np.ndarray:
    return np.array(
        [
            [world.oracle(name, ask, item) for ask in world.asks for item in sorted(ask.candidates)]
            for name in EVERY.names
        ],
        np.float32,
    )


def assert_same(a: np.ndarray, b: np.ndarray) -> None:
    for name, left, right in zip(EVERY.names, a, b, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-5, err_msg=name)


def test_the_set_under_test_has_every_family() -> None:
    assert len(EVERY) == len(set(EVERY.names)) == 27
    assert {"affinity:kind", "affinity_idle:tags", "affinity:tags"} <= set(EVERY.names)


def test_online_and_offline_agree_with_the_definition_on_a_long_log() -> None:
    world = random_world(0, users=20, items=60, events=3_000, asks=40)
    assert max(len(world.history(ask.user, ask.time)) for ask in world.asks) == 100
    expected = oracle(world)
    _, _, offline = EVERY.matrix(world.as_of())
    assert_same(offline, expected)
    times = sorted(time for _, _, time in world.events)
    for until in (times[0], min(ask.time for ask in world.asks)):
        assert_same(online(world, until), expected)


WORLD_TIME = st.integers(0, 40 * 24 * 2).map(lambda n: 1_699_999_200_000_000 + n * (HOUR // 2))
FOUND = st.dictionaries(
    st.sampled_from(["near", "hot"]), st.tuples(st.just(0.5), st.sampled_from([1.0, 0.5]))
)
WORLDS = st.builds(
    FeatureWorld,
    events=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), WORLD_TIME), min_size=1),
    kinds=st.lists(st.sampled_from([None, "a", "b"]), min_size=5, max_size=5),
    tags=st.lists(st.lists(st.sampled_from(["a", "b", "c"]), max_size=3), min_size=5, max_size=5),
    prices=st.lists(st.one_of(st.none(), st.floats(-10, 1e6, width=32)), min_size=5, max_size=5),
    asks=st.lists(
        st.builds(
            Ask,
            user=st.integers(0, 3),
            time=WORLD_TIME,
            candidates=st.dictionaries(st.integers(0, 4), FOUND, min_size=1),
        ),
        min_size=1,
        max_size=3,
    ),
)


@settings(max_examples=6, deadline=None)
@given(WORLDS)
def test_online_and_offline_agree_on_any_log(world: FeatureWorld) -> None:
    _, _, offline = EVERY.matrix(world.as_of())
    expected = oracle(world)
    assert_same(offline, expected)
    assert_same(online(world, min(ask.time for ask in world.asks)), expected)


@settings(max_examples=4, deadline=None)
@given(WORLDS, st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(0, 9 * DAY))))
def test_events_at_or_after_a_request_never_change_its_features(
    world: FeatureWorld, later: list[tuple[int, int, int]]
) -> None:
    ask = world.asks[0]
    past = [event for event in world.events if event[2] < ask.time]
    future = [(user, item, ask.time + after) for user, item, after in later]
    cut = replace(world, events=past, asks=[ask])
    grown = replace(cut, events=[*past, *future])
    left, right = np.split(EVERY.matrix(side_by_side(cut, grown).as_of())[2], 2, axis=1)
    assert_same(left, right)
    for until in (ask.time, ask.time - 3 * DAY):
        assert_same(online(cut, until), online(grown, until))


def side_by_side(one: FeatureWorld, other: FeatureWorld) -> FeatureWorld:
    """Both worlds as one in which neither meets the other's users or items."""
    users, items = 10, len(one.kinds)
    return FeatureWorld(
        events=[*one.events, *((u + users, i + items, t) for u, i, t in other.events)],
        kinds=[*one.kinds, *other.kinds],
        tags=[*one.tags, *other.tags],
        prices=[*one.prices, *other.prices],
        asks=[
            *one.asks,
            *(
                Ask(a.user + users, a.time, {i + items: f for i, f in a.candidates.items()})
                for a in other.asks
            ),
        ],
    )
