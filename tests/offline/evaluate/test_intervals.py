import numpy as np
import pytest

from shortlist.offline.evaluate import intervals


def test_the_interval_holds_the_true_mean_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    held = 0
    for trial in range(200):
        estimate = intervals.mean(random.exponential(size=80), seed=trial)
        held += estimate.low <= 1.0 <= estimate.high
    assert 0.88 <= held / 200 <= 0.99


def test_more_users_narrow_the_interval() -> None:
    random = np.random.default_rng(0)
    few, many = (intervals.mean(random.random(n), seed=0) for n in (50, 5_000))
    assert many.high - many.low < (few.high - few.low) / 5


def test_a_seed_gives_one_interval() -> None:
    values = np.random.default_rng(0).random(100)
    assert intervals.mean(values, 1) == intervals.mean(values, 1)
    assert intervals.mean(values, 1) != intervals.mean(values, 2)


def test_nobody_and_equal_users_have_an_interval_without_width() -> None:
    assert intervals.mean(np.empty(0), 0) == intervals.Estimate(0, 0, 0)
    same = intervals.mean(np.full(20, 0.25), 0)
    assert (same.value, same.low, same.high) == pytest.approx((0.25, 0.25, 0.25))


def test_coverage_hinges_on_items_that_one_user_alone_contributes() -> None:
    shown = np.ones(40, np.bool_)
    user = np.repeat(np.arange(10, dtype=np.int32), 1)
    shared = np.tile(np.arange(4, dtype=np.int32), (10, 1))
    alone = shared.copy()
    alone[:5, 3] = np.arange(10, 15)
    firm, loose = (intervals.coverage(user, ranked, shown) for ranked in (shared, alone))
    assert (firm.value, firm.low, firm.high) == (0.1, 0.1, 0.1)
    assert loose.low < loose.value == 9 / 40 < loose.high


def test_the_jackknife_agrees_with_leaving_each_user_out() -> None:
    random = np.random.default_rng(3)
    shown = random.random(50) < 0.8
    user = np.sort(random.integers(0, 12, 30)).astype(np.int32)
    ranked = random.integers(-1, 50, (30, 4)).astype(np.int32)

    def covered(keep: np.ndarray) -> float:
        rows = np.unique(ranked[keep])
        return shown[rows[rows >= 0]].sum() / shown.sum()

    users = np.unique(user)
    left_out = np.array([covered(user != one) for one in users])
    n = len(users)
    error = np.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum())
    estimate = intervals.coverage(user, ranked, shown)
    assert estimate.value == pytest.approx(covered(user >= 0))
    assert estimate.high - estimate.value == pytest.approx(1.96 * error)


def test_two_copies_of_nobody_cover_nothing() -> None:
    none = intervals.coverage(
        np.empty(0, np.int32), np.empty((0, 10), np.int32), np.ones(3, np.bool_)
    )
    assert none == intervals.Estimate(0, 0, 0)
