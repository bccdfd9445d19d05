"""Fit a logistic model with effects for everybody, for users and for items.

The posterior mode under normal priors (Zhang et al., "GLMix", KDD 2016, section 3):

    min  Σ w log(1 + exp(-y f)) + ½ Σ over levels: prior · |coefficients|²,
    f = z · (shared + user's + item's).

Block coordinate descent: each level in turn is fitted with the others' scores as offsets. Within a
level entities are independent problems, solved in parallel by a Newton method whose steps come
from conjugate gradients on products with the Hessian (Lin, Weng and Keerthi, JMLR 9, 2008), so no
matrix is formed; an entity only has the columns that its rows have. Results do not depend on the
number of threads.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from shortlist.core.progress import Progress
from shortlist.offline.ranking.mixed_kernels import carry, columns_of, margins_of, newton
from shortlist.release.ranking.glmix import Design, Effects

STEPS = 30
"""Newton steps of one problem at most."""
TOLERANCE = 1e-4
"""A problem is solved when its gradient is this small of what it is at 0."""
SMALL = 1e-6
"""Coefficients below this are left out."""
SETTLED = 1e-5
"""Sweeps end when one lowers the objective by less than this share."""


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
            design.leaf, order, offsets, width, design.columns, np.empty(0, np.int64), _NONE
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
    """

    shared: NDArray[np.float64]
    user: Effects
    item: Effects
    objective: list[float]


def fit_mixed(
    design: Design,
    label: NDArray[np.float32],
    weight: NDArray[np.float32],
    user: NDArray[np.uint64],
    item: NDArray[np.uint64],
    priors: tuple[float, float, float],
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
        priors: of everybody's, the users' and the items' coefficients.
        sweeps: at most how many rounds over the levels.
        progress: told of each sweep.
        before: coefficients to start from.
    """
    sign = np.where(label > 0, 1.0, -1.0)
    rows = weight.astype(np.float64)
    everybody = np.zeros(len(label), np.uint64)
    levels = [
        Level.of(design, everybody, priors[0], _alone(before[0]) if before else None),
        Level.of(design, user, priors[1], before[1] if before else None),
        Level.of(design, item, priors[2], before[2] if before else None),
    ]
    told = [_told(design, level) for level in levels]
    objective: list[float] = []
    progress.step("mixed effects", sweeps)
    for _ in range(sweeps):
        for n, level in enumerate(levels):
            others = np.sum([one for m, one in enumerate(told) if m != n], axis=0)
            _solve(design, level, sign, rows, others)
            told[n] = _told(design, level)
        margin = sign * np.sum(told, axis=0)
        loss = float(rows @ np.logaddexp(0, -margin))
        objective.append(loss + sum(level.cost for level in levels))
        progress.advance(1)
        if len(objective) > 1 and objective[-2] - objective[-1] < SETTLED * objective[-1]:
            break
    shared = np.zeros(design.columns)
    shared[levels[0].columns] = levels[0].values
    return Fitted(
        shared,
        levels[1].effects(before[1] if before else None),
        levels[2].effects(before[2] if before else None),
        objective,
    )


_NONE = np.empty(0, np.int32)


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
    """Solve every entity's problem, in place; equal shares of the rows to each thread."""
    threads = os.cpu_count() or 1
    shares = np.linspace(0, len(sign), 4 * threads + 1)
    cuts = np.unique(np.searchsorted(level.offsets, shares))
    cuts = np.minimum(cuts, len(level.keys))

    def part(first: int, last: int) -> None:
        newton(
            design.dense,
            design.leaf,
            design.columns,
            level.order,
            level.offsets,
            level.starts,
            level.columns,
            level.values,
            level.prior,
            sign,
            weight,
            others,
            first,
            last,
            STEPS,
            TOLERANCE,
        )

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(part, a, b) for a, b in pairwise(cuts.tolist())]:
            done.result()


def _told(design: Design, level: Level) -> NDArray[np.float64]:
    """What a level adds to the logit of every row, `float64[n]`."""
    out = np.zeros(len(design.dense))
    margins_of(
        design.dense,
        design.leaf,
        design.columns,
        level.order,
        level.offsets,
        level.starts,
        level.columns,
        level.values,
        out,
    )
    return out
