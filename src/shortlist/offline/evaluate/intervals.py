"""Confidence intervals. Users are the unit: requests of one user are not independent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1_000
_CHUNK = 4_000_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and its 95% interval."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        """`{"value", "low", "high"}`."""
        return {"value": self.value, "low": self.low, "high": self.high}


def mean(values: NDArray[np.float64], seed: int) -> Estimate:
    """The mean over users with its percentile bootstrap interval.

    1,000 resamples of the users with replacement (Efron and Tibshirani 1993, chapter 13). The
    same seed and number of users draw the same users, so metrics are resampled together.

    Args:
        values: `float64[users]`; no user gives a mean of 0 and an interval of [0, 0].
        seed: of the resampling.
    """
    n = len(values)
    if not n:
        return Estimate(0.0, 0.0, 0.0)
    rng = np.random.default_rng([seed, 0xB007])
    means: list[NDArray[np.float64]] = []
    at_once = max(1, _CHUNK // n)
    for start in range(0, RESAMPLES, at_once):
        drawn = rng.integers(0, n, (min(at_once, RESAMPLES - start), n), dtype=np.int32)
        means.append(values[drawn].mean(axis=1))
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5])
    return Estimate(float(values.mean()), float(low), float(high))


def coverage(
    user: NDArray[np.int32], ranked: NDArray[np.int32], shown: NDArray[np.bool_]
) -> Estimate:
    """Coverage with its jackknife interval, leaving one user out at a time.

    Coverage counts distinct items, which a resample of users with repeats always lowers, so the
    bootstrap would put its interval beside the value. The jackknife of a count of distinct kinds
    needs only the items that a single user contributes (Heltshe and Forrester 1983).

    Args:
        user: `int32[q]`, the user of each list.
        ranked: `int32[q, k]` rows, -1 past the end, already cut to the places that count.
        shown: `bool[items]`, which items may be shown.
    """
    total = max(1, int(shown.sum()))
    users, who = np.unique(user, return_inverse=True)
    n = len(users)
    there = ranked >= 0
    pairs = np.unique(
        np.repeat(who, ranked.shape[1])[there.ravel()] * np.int64(len(shown)) + ranked[there]
    )
    item = pairs % len(shown)
    pairs, item = pairs[shown[item]], item[shown[item]]
    times = np.bincount(item, minlength=len(shown))
    value = float((times > 0).sum() / total)
    if n < 2:
        return Estimate(value, value, value)
    alone = np.bincount((pairs // len(shown))[times[item] == 1], minlength=n) / total
    error = float(np.sqrt((n - 1) / n * ((alone - alone.mean()) ** 2).sum()))
    return Estimate(value, max(0.0, value - 1.96 * error), min(1.0, value + 1.96 * error))
