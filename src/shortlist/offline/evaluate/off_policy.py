"""What a new policy would have earned, from the log of another one.

A logged decision is a context, the action that the logging policy drew, the probability
(propensity) that it drew it with, and the reward that followed. Where the new policy would draw
the same action with another probability, the reward counts as many times as that is more likely.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist.core.errors import DataError
from shortlist.offline.evaluate.intervals import RESAMPLES, Estimate

_CHUNK = 4_000_000


@dataclass(frozen=True)
class Logged:
    """Logged decisions, and what a new policy thinks of them.

    Attributes:
        reward: `float64[n]`.
        propensity: `float64[n]`, in (0, 1]: how likely the logging policy was to draw the action.
        target: `float64[n]`, in [0, 1]: how likely the new policy is to.
        user: `int64[n]`, whose they are: the unit of the intervals.
    """

    reward: NDArray[np.float64]
    propensity: NDArray[np.float64]
    target: NDArray[np.float64]
    user: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Check the probabilities.

        Raises:
            DataError: a propensity is not in (0, 1], or a target not in [0, 1].
        """
        for name, values, good in (
            ("propensity", self.propensity, (self.propensity > 0) & (self.propensity <= 1)),
            ("target", self.target, (self.target >= 0) & (self.target <= 1)),
        ):
            wrong = np.flatnonzero(~good)
            if len(wrong):
                raise DataError(
                    f"line {wrong[0]} has the {name} {values[wrong[0]]}, which is no probability "
                    "of what happened.",
                    remedy="Log the probability that the action was drawn with.",
                    where=name,
                )

    @property
    def weight(self) -> NDArray[np.float64]:
        """How many times a decision counts, `float64[n]`."""
        return self.target / self.propensity

    @property
    def effective(self) -> float:
        """How many decisions of the new policy the log is worth (Kish 1965)."""
        total = float(self.weight.sum())
        return total * total / max(float((self.weight**2).sum()), 1e-300)


def inverse_propensity(logged: Logged, seed: int) -> Estimate:
    """The mean reward of the new policy (Horvitz and Thompson 1952).

    Unbiased wherever the logging policy may draw all that the new one may.
    """
    weights = np.ones(len(logged.reward))
    return over_users(logged.weight * logged.reward, weights, logged.user, seed)


def self_normalised(logged: Logged, seed: int) -> Estimate:
    """The same over the sum of weights (Swaminathan and Joachims, NIPS 2015).

    Slightly biased, and steadier where weights are large.
    """
    return over_users(logged.weight * logged.reward, logged.weight, logged.user, seed)


def doubly_robust(
    logged: Logged,
    predicted: NDArray[np.float64],
    expected: NDArray[np.float64],
    seed: int,
) -> Estimate:
    """The mean reward of the new policy (Dudík, Langford and Li, ICML 2011).

    Unbiased where either the propensities or the predictions are right.

    Args:
        logged: the decisions.
        predicted: `float64[n]`, a model's reward of the logged action.
        expected: `float64[n]`, the model's mean reward over what the new policy draws.
        seed: of the interval.
    """
    values = expected + logged.weight * (logged.reward - predicted)
    return over_users(values, np.ones(len(values)), logged.user, seed)


def over_users(
    values: NDArray[np.float64], weights: NDArray[np.float64], user: NDArray[np.int64], seed: int
) -> Estimate:
    """Σ values / Σ weights with its percentile bootstrap interval over users."""
    if not len(values):
        return Estimate(0.0, 0.0, 0.0)
    _, who = np.unique(user, return_inverse=True)
    tops, bottoms = np.bincount(who, values), np.bincount(who, weights)
    rng = np.random.default_rng([seed, 0x0FF])
    means: list[NDArray[np.float64]] = []
    at_once = max(1, _CHUNK // len(tops))
    for start in range(0, RESAMPLES, at_once):
        drawn = rng.integers(0, len(tops), (min(at_once, RESAMPLES - start), len(tops)))
        below = bottoms[drawn].sum(axis=1)
        means.append(tops[drawn].sum(axis=1) / np.maximum(below, 1e-300))
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5])
    return Estimate(
        float(values.sum() / max(float(weights.sum()), 1e-300)), float(low), float(high)
    )
