"""Mixed effects of a million users: millions of coefficients pass by pass, warm the next day.

A million users and fifty thousand items have effects of their own on three features and a constant,
drawn around everybody's. The log of a day is fitted cold, with priors estimated from it; then the
log of the next day from where that ended, beside a cold fit of the same.
"""

from __future__ import annotations

import resource
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.core.progress import Silent
from shortlist.offline.ranking.mixed import Fitted, fit_mixed
from shortlist.release.ranking.glmix import Design, Effects

WIDTH = 4
SPREAD = {"user": 0.5, "item": 0.3}
"""Standard deviations of the planted effects."""


def mixed_size(small: bool) -> dict[str, Any]:
    """Time of a pass, memory, what is recovered, and what starting warm saves."""
    users, items, rows = (20_000, 1_000, 60_000) if small else (1_000_000, 50_000, 1_500_000)
    rng = np.random.default_rng(0)
    shared = np.array([-1.0, 0.8, -0.5, 0.3])
    of_user = rng.normal(0, SPREAD["user"], (users, WIDTH)).astype(np.float32)
    of_item = rng.normal(0, SPREAD["item"], (items, WIDTH)).astype(np.float32)
    # compiled before anything is timed
    few = _day(rng, shared, of_user[:50], of_item[:50], 500)
    fit_mixed(*few, (None, None, None), 2, Silent())
    before = _peak()
    first = _day(rng, shared, of_user, of_item, rows)
    second = _day(rng, shared, of_user, of_item, rows)
    data = sum(a.nbytes for a in (first[0].dense, *first[1:]))

    cold, took = _timed(first, (None, None, None), 5, None)
    given = (cold.priors[0], cold.priors[1], cold.priors[2])
    later, later_took = _timed(second, given, 3, None)
    start = (cold.shared, cold.user, cold.item)
    warm, warm_took = _timed(second, given, 3, start)
    goal = later.objective[-1] * (1 + 1e-3)
    return {
        "users": users,
        "items": items,
        "rows": rows,
        "coefficients": _coefficients(cold),
        "estimated priors": list(cold.priors),
        "planted": [None, SPREAD["user"] ** -2, SPREAD["item"] ** -2],
        "recovered": {
            "user": _correlation(cold.user, of_user),
            "item": _correlation(cold.item, of_item),
        },
        "first day": _told(cold, took),
        "second day, cold": _told(later, later_took),
        "second day, warm": _told(warm, warm_took),
        "passes to within 0.1% of the cold objective": {
            "cold": _passes(later.objective, goal),
            "warm": _passes(warm.objective, goal),
        },
        "rows_mb": data / 1e6,
        "peak_mb": _peak() - before,
    }


Day = tuple[Design, NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]


def _day(
    rng: np.random.Generator,
    shared: NDArray[np.float64],
    of_user: NDArray[np.float32],
    of_item: NDArray[np.float32],
    rows: int,
) -> Day:
    user = rng.integers(0, len(of_user), rows)
    item = (len(of_item) * rng.random(rows) ** 2).astype(np.int64)
    dense = rng.standard_normal((rows, WIDTH), np.float32)
    dense[:, 0] = 1
    logit = dense @ shared
    logit += np.einsum("nf,nf->n", dense, of_user[user]) + np.einsum(
        "nf,nf->n", dense, of_item[item]
    )
    label = (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.float32)
    design = Design(dense, np.empty((rows, 0), np.int32), WIDTH)
    weight = np.ones(rows, np.float32)
    return design, label, weight, user.astype(np.uint64), item.astype(np.uint64)


def _timed(
    day: Day,
    priors: tuple[float | None, float | None, float | None],
    sweeps: int,
    before: tuple[NDArray[np.float64], Effects, Effects] | None,
) -> tuple[Fitted, float]:
    began = time.process_time()
    found = fit_mixed(*day, priors, sweeps, Silent(), before)
    return found, time.process_time() - began


def _told(found: Fitted, seconds: float) -> dict[str, Any]:
    passes = len(found.objective)
    return {
        "cpu_seconds": seconds,
        "passes": passes,
        "cpu_seconds_per_pass": seconds / passes,
        "objective": found.objective[-1],
    }


def _passes(objective: list[float], goal: float) -> int:
    """How many passes until the objective is at a goal; 0 for never."""
    return next((n for n, value in enumerate(objective, 1) if value <= goal), 0)


def _coefficients(found: Fitted) -> int:
    return len(found.shared) + len(found.user.columns) + len(found.item.columns)


def _correlation(told: Effects, planted: NDArray[np.float32]) -> float:
    full = np.zeros(planted.shape, np.float32)
    entity = np.repeat(told.keys.astype(np.int64), np.diff(told.offsets))
    full[entity, told.columns] = told.values
    seen = told.keys.astype(np.int64)
    return float(np.corrcoef(full[seen].ravel(), planted[seen].ravel())[0, 1])


def _peak() -> float:
    """Peak memory of this process, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
