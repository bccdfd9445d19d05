"""Estimators on a bandit whose truth is known."""

import numpy as np
import pytest

from shortlist.core.errors import DataError
from shortlist.offline.evaluate.off_policy import (
    Logged,
    doubly_robust,
    inverse_propensity,
    self_normalised,
)

CHANCE = np.array([0.05, 0.1, 0.2, 0.4])
"""How often each action is rewarded."""
LOGGING = np.array([0.4, 0.3, 0.2, 0.1])
TARGET = np.array([0.05, 0.05, 0.2, 0.7])
TRUTH = float(TARGET @ CHANCE)


def logged(n: int, seed: int = 0) -> tuple[Logged, np.ndarray]:
    rng = np.random.default_rng(seed)
    action = rng.choice(4, n, p=LOGGING)
    reward = (rng.random(n) < CHANCE[action]).astype(np.float64)
    users = rng.integers(0, n // 5, n)
    return Logged(reward, LOGGING[action], TARGET[action], users), action


def test_the_mean_of_the_log_is_not_what_the_new_policy_earns() -> None:
    log, _ = logged(20_000)
    assert log.reward.mean() < 0.6 * TRUTH


def test_both_estimators_find_the_true_value_within_their_intervals() -> None:
    log, action = logged(20_000)
    model = CHANCE + np.array([0.05, -0.05, 0.1, -0.1])  # a wrong model
    estimates = [
        inverse_propensity(log, 0),
        self_normalised(log, 0),
        doubly_robust(log, model[action], np.full(len(action), TARGET @ model), 0),
    ]
    for estimate in estimates:
        assert estimate.low < TRUTH < estimate.high
        assert estimate.high - estimate.low < 0.05


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    held = 0
    for seed in range(60):
        log, _ = logged(1_000, seed)
        estimate = inverse_propensity(log, seed)
        held += estimate.low < TRUTH < estimate.high
    assert held >= 51


def test_a_right_model_makes_the_interval_narrower() -> None:
    log, action = logged(5_000)
    plain = inverse_propensity(log, 0)
    robust = doubly_robust(log, CHANCE[action], np.full(len(action), TRUTH), 0)
    assert robust.high - robust.low < 0.8 * (plain.high - plain.low)


def test_a_right_model_mends_wrong_propensities() -> None:
    log, action = logged(20_000)
    wrong = Logged(log.reward, np.full(len(action), 0.25), log.target, log.user)
    assert not inverse_propensity(wrong, 0).low < TRUTH < inverse_propensity(wrong, 0).high
    robust = doubly_robust(wrong, CHANCE[action], np.full(len(action), TRUTH), 0)
    assert robust.low < TRUTH < robust.high


def test_a_log_of_the_policy_itself_is_worth_its_length() -> None:
    log, _ = logged(1_000)
    same = Logged(log.reward, log.propensity, log.propensity, log.user)
    assert same.effective == pytest.approx(1_000)
    assert log.effective < 500
    assert inverse_propensity(same, 0).value == pytest.approx(log.reward.mean())


@pytest.mark.parametrize(("propensity", "target"), [(0.0, 0.5), (1.5, 0.5), (0.5, -0.1)])
def test_what_is_no_probability_is_named(propensity: float, target: float) -> None:
    one = np.ones(2)
    with pytest.raises(DataError, match=r"line 1 has the (propensity|target)"):
        Logged(one, np.array([1.0, propensity]), np.array([1.0, target]), np.arange(2))


def test_nothing_logged_is_worth_nothing() -> None:
    none = np.empty(0)
    log = Logged(none, none, none, none.astype(np.int64))
    assert inverse_propensity(log, 0).value == 0.0
