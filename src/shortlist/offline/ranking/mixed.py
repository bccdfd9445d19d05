"""Fit a logistic model with effects for everybody, for users and for items.

The posterior mode under normal priors (Zhang et al., "GLMix", KDD 2016, section 3):

    min  Σ w log(1 + exp(-y f)) + ½ Σ over levels: prior · |coefficients|²,
    f = z · (shared + user's + item's).

Block coordinate descent: each level in turn is fitted with the others' scores as offsets. Within a
level entities are independent problems, solved in parallel by a Newton method whose steps come
from conjugate gradients on products with the Hessian (Lin, Weng and Keerthi, JMLR 9, 2008), so no
matrix is formed; an entity only has the columns that its rows have. Results do not depend on the
number of threads.

A prior that is not given is the inverse of its level's variance component, estimated from the same
rows (empirical Bayes: Laird and Ware, Biometrics 1982): it has its fixed point where

    prior · Σ coefficients² = how many coefficients the rows determine = Σ (1 - prior · variance),

with the posterior variances of Laplace's approximation (MacKay, Neural Computation 4, 1992,
section 4.3). Their sum is the trace of an inverse, estimated by conjugate gradients on probes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from shortlist.core.progress import Progress
from shortlist.offline.ranking.mixed_kernels import carry, columns_of, margins_of, newton, traces
from shortlist.release.ranking.glmix import Design, Effects

STEPS = 30
"""Newton steps of one problem at most."""
TOLERANCE = 1e-4
"""A problem is solved when its gradient is this small of what it is at 0."""
SMALL = 1e-6
"""Coefficients below this are left out."""
START = (1.0, 10.0, 10.0)
"""Where priors that are estimated begin."""
LEAP = 10.0
"""At most how many times a prior changes in one sweep."""
STRONGEST = 1e4
"""The prior of a level that says nothing."""
STEADY = 0.03
"""An estimated prior is found when a sweep changes it by less than this share."""
PROBES = 8
"""For a level of few coefficients; of many, one is enough."""
MANY = 500
"""Coefficients."""
SETTLED = 1e-5
"""Sweeps end when one lowers the objective by less than this share."""

Ints = NDArray[np.int64]
Arrays = tuple[
    NDArray[np.float32],
    NDArray[np.int32],
    int,
    Ints,
    Ints,
    Ints,
    NDArray[np.int32],
    NDArray[np.float64],
]


@dataclass(frozen=True)
class Level:
    """Coefficients of every entity of one level, as they are found.

    Attributes:
        keys: `uint64[e]`, ascending.
        order: `int64[n]`, rows by entity.
        offsets: `int64[e + 1]` into `order`.
        starts: `int64[e + 1]` into `columns` and `values`.
        columns: `int32[c]`, the columns that an entity's rows have; ascending within an entity.
        values: `float64[c]`.
        prior: what their square costs, halved.
    """

    keys: NDArray[np.uint64]
    order: NDArray[np.int64]
    offsets: NDArray[np.int64]
    starts: NDArray[np.int64]
    columns: NDArray[np.int32]
    values: NDArray[np.float64]
    prior: float

    @classmethod
    def of(
        cls, design: Design, key: NDArray[np.uint64], prior: float, before: Effects | None = None
    ) -> Level:
        """Lay a level out; coefficients start from those of `before` where it has them."""
        keys, place = np.unique(key, return_inverse=True)
        order = np.argsort(place, kind="stable")
        offsets = np.searchsorted(place[order], np.arange(len(keys) + 1)).astype(np.int64)
        width = design.dense.shape[1]
        counts = columns_of(
            design.leaf,
            order,
            offsets,
            width,
            design.columns,
            np.empty(0, np.int64),
            np.empty(0, np.int32),
        )
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        columns = np.empty(int(starts[-1]), np.int32)
        columns_of(design.leaf, order, offsets, width, design.columns, starts, columns)
        values = np.zeros(len(columns))
        if before is not None and len(before):
            carry(
                starts, columns, values, before.places(keys), before.offsets, before.columns,
                before.values,
            )  # fmt: skip
        return cls(keys, order, offsets, starts, columns, values, prior)

    @property
    def cost(self) -> float:
        """What the prior adds to the objective."""
        return 0.5 * self.prior * float(self.values @ self.values)

    def effects(self, before: Effects | None = None) -> Effects:
        """Sparse coefficients; entities that only `before` has keep theirs."""
        keep = np.abs(self.values) > SMALL
        entity = np.repeat(np.arange(len(self.keys)), np.diff(self.starts))[keep]
        keys = self.keys[entity]
        columns, values = self.columns[keep], self.values[keep].astype(np.float32)
        if before is not None and len(before):
            old = np.repeat(before.keys, np.diff(before.offsets))
            gone = ~np.isin(old, self.keys)
            keys = np.concatenate([keys, old[gone]])
            columns = np.concatenate([columns, np.asarray(before.columns)[gone]])
            values = np.concatenate([values, np.asarray(before.values)[gone]])
            order = np.lexsort((columns, keys))
            keys, columns, values = keys[order], columns[order], values[order]
        every, first = np.unique(keys, return_index=True)
        return Effects(every, np.append(first, len(keys)).astype(np.int64), columns, values)


@dataclass(frozen=True)
class Fitted:
    """What `fit_mixed` found.

    Attributes:
        shared: `float64[columns]`.
        user, item: the other two levels.
        objective: after each sweep.
        priors: of the three levels, as given or as estimated.
    """

    shared: NDArray[np.float64]
    user: Effects
    item: Effects
    objective: list[float]
    priors: tuple[float, float, float]


def fit_mixed(
    design: Design,
    label: NDArray[np.float32],
    weight: NDArray[np.float32],
    user: NDArray[np.uint64],
    item: NDArray[np.uint64],
    priors: tuple[float | None, float | None, float | None],
    sweeps: int,
    progress: Progress,
    before: tuple[NDArray[np.float64], Effects, Effects] | None = None,
) -> Fitted:
    """Fit the three levels.

    Args:
        design: the inputs of n rows.
        label: `float32[n]`, 0 or 1.
        weight: `float32[n]`.
        user, item: `uint64[n]`, whose rows they are.
        priors: of everybody's, the users' and the items' coefficients; None to estimate it.
        sweeps: at most how many rounds over the levels.
        progress: told of each sweep.
        before: coefficients to start from.
    """
    sign = np.where(label > 0, 1.0, -1.0)
    rows = weight.astype(np.float64)
    everybody = np.zeros(len(label), np.uint64)
    begun = [START[n] if prior is None else prior for n, prior in enumerate(priors)]
    levels = [
        Level.of(design, everybody, begun[0], _alone(before[0]) if before else None),
        Level.of(design, user, begun[1], before[1] if before else None),
        Level.of(design, item, begun[2], before[2] if before else None),
    ]
    told = [_told(design, level) for level in levels]
    objective: list[float] = []
    estimate = [prior is None for prior in priors]
    progress.step("mixed effects", sweeps)
    for _ in range(sweeps):
        steady = True
        for n, level in enumerate(levels):
            others = np.sum([one for m, one in enumerate(told) if m != n], axis=0)
            _solve(design, level, sign, rows, others)
            told[n] = _told(design, level)
            if estimate[n]:
                prior = _estimated(design, level, sign, rows, others)
                steady &= abs(prior / level.prior - 1) < STEADY
                levels[n] = replace(level, prior=prior)
        margin = sign * np.sum(told, axis=0)
        loss = float(rows @ np.logaddexp(0, -margin))
        objective.append(loss + sum(level.cost for level in levels))
        progress.advance(1)
        if steady:
            if not any(estimate) and _settled(objective):
                break
            estimate = [False] * len(levels)
    shared = np.zeros(design.columns)
    shared[levels[0].columns] = levels[0].values
    return Fitted(
        shared,
        levels[1].effects(before[1] if before else None),
        levels[2].effects(before[2] if before else None),
        objective,
        (levels[0].prior, levels[1].prior, levels[2].prior),
    )


def _settled(objective: list[float]) -> bool:
    return len(objective) > 1 and abs(objective[-2] - objective[-1]) < SETTLED * objective[-1]


def _estimated(
    design: Design,
    level: Level,
    sign: NDArray[np.float64],
    weight: NDArray[np.float64],
    others: NDArray[np.float64],
) -> float:
    """A level's prior, one step of MacKay's fixed point on."""
    trace = np.zeros(len(level.keys))
    probes = PROBES if len(level.values) < MANY else 1

    def part(first: int, last: int) -> None:
        traces(
            *_arrays(design, level),
            level.prior,
            sign,
            weight,
            others,
            first,
            last,
            probes,
            trace,
        )

    _shared_out(level, len(sign), part)
    determined = len(level.values) - level.prior * float(trace.sum())
    squares = float(level.values @ level.values)
    found = max(determined, 1e-3) / max(squares, 1e-12)
    return float(np.clip(found, level.prior / LEAP, min(level.prior * LEAP, STRONGEST)))


def _alone(values: NDArray[np.float64]) -> Effects:
    """Everybody's coefficients as those of the entity 0."""
    columns = np.flatnonzero(values).astype(np.int32)
    offsets = np.array([0, len(columns)])
    return Effects(np.zeros(1, np.uint64), offsets, columns, values[columns].astype(np.float32))


def _solve(
    design: Design,
    level: Level,
    sign: NDArray[np.float64],
    weight: NDArray[np.float64],
    others: NDArray[np.float64],
) -> None:
    """Solve every entity's problem, in place."""

    def part(first: int, last: int) -> None:
        newton(
            *_arrays(design, level),
            level.prior,
            sign,
            weight,
            others,
            first,
            last,
            STEPS,
            TOLERANCE,
        )

    _shared_out(level, len(sign), part)


def _arrays(design: Design, level: Level) -> Arrays:
    """What every kernel takes first: the rows, and the level's coefficients of them."""
    return (
        design.dense,
        design.leaf,
        design.columns,
        level.order,
        level.offsets,
        level.starts,
        level.columns,
        level.values,
    )


def _shared_out(level: Level, rows: int, part: Callable[[int, int], None]) -> None:
    """Give ranges of entities to threads, each as many rows as the others."""
    threads = os.cpu_count() or 1
    shares = np.linspace(0, rows, 4 * threads + 1)
    cuts = np.unique(np.searchsorted(level.offsets, shares))
    cuts = np.minimum(cuts, len(level.keys))
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(part, a, b) for a, b in pairwise(cuts.tolist())]:
            done.result()


def _told(design: Design, level: Level) -> NDArray[np.float64]:
    """What a level adds to the logit of every row, `float64[n]`."""
    out = np.zeros(len(design.dense))
    margins_of(*_arrays(design, level), out)
    return out
