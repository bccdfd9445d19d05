import numpy as np

from shortlist.offline.ranking.propensity import FLOOR, propensities


def test_the_position_based_model_is_recovered_from_shuffled_pages() -> None:
    rng = np.random.default_rng(0)
    examined = np.array([1.0, 0.7, 0.5, 0.35, 0.2])
    attractive = rng.uniform(0.05, 0.5, 50)
    item = rng.integers(0, 50, 200_000).astype(np.int32)
    position = rng.integers(0, 5, 200_000).astype(np.int32)
    clicked = rng.random(200_000) < examined[position] * attractive[item]
    np.testing.assert_allclose(propensities(item, position, clicked), examined, atol=0.03)


def test_good_items_on_top_do_not_pass_for_a_good_position() -> None:
    rng = np.random.default_rng(1)
    attractive = np.linspace(0.6, 0.05, 40)
    item = rng.integers(0, 40, 300_000).astype(np.int32)
    best_first = (item // 8).astype(np.int32)
    position = np.where(rng.random(len(item)) < 0.5, best_first, rng.integers(0, 5, len(item)))
    clicked = rng.random(len(item)) < attractive[item]
    naive = np.bincount(position, clicked) / np.bincount(position)
    assert naive[4] / naive[0] < 0.6
    found = propensities(item, position.astype(np.int32), clicked)
    np.testing.assert_allclose(found, 1.0, atol=0.05)


def test_positions_nobody_clicks_are_held_at_the_floor() -> None:
    item = np.zeros(10_000, np.int32)
    position = np.tile(np.array([0, 1], np.int32), 5_000)
    found = propensities(item, position, position == 0)
    assert found.tolist() == [1.0, FLOOR]


def test_without_clicks_or_positions_every_position_counts_the_same() -> None:
    none = np.zeros(3, np.bool_)
    assert (
        propensities(np.arange(3, dtype=np.int32), np.arange(3, dtype=np.int32), none).tolist()
        == [1.0] * 3
    )
    unknown = np.full(3, -1, np.int32)
    assert propensities(np.arange(3, dtype=np.int32), unknown, ~none).tolist() == [1.0]
