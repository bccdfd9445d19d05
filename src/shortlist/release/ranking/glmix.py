"""`Glmix`: a logistic model with coefficients for everybody, for each user and for each item.

Zhang et al., "GLMix: Generalized Linear Mixed Models For Large-Scale Response Prediction",
KDD 2016. The logit of a candidate is z · (global + user's + item's coefficients). z holds a
constant, the features (logarithmic, standardised), the score of a first boosted model, and one
indicator for each of its leaves: the tree interaction features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel
from shortlist.release.ranking.batch import Batch
from shortlist.release.tree_scores import leaves, score
from shortlist.release.trees import Trees

CLIP = np.float32(5)
"""Standardised features are cut off here."""


@dataclass(frozen=True)
class Effects:
    """Sparse coefficients of entities, those that are 0 left out.

    Attributes:
        keys: `uint64[e]`, ascending: user keys, or catalogue rows.
        offsets: `int64[e + 1]` into `columns` and `values`.
        columns: `int32[c]`, columns of the design; ascending within an entity.
        values: `float32[c]`.
    """

    keys: NDArray[np.uint64]
    offsets: NDArray[np.int64]
    columns: NDArray[np.int32]
    values: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.keys)

    def places(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The place of each key, -1 for one that has no coefficients."""
        if not len(self.keys):
            return np.full(len(keys), -1, np.int64)
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[place] == keys, place, -1).astype(np.int64)


@dataclass(frozen=True)
class Glmix:
    """The model; `score` says what it computes.

    Attributes:
        features: names of the input columns, in order.
        first: the first boosted model, over the same columns.
        center, scale: `float32[f]`, mean and spread of sign(x) · log(1 + |x|); the spread of a
            constant column is 1.
        shared: `float64[2 + f + leaves]`, the coefficients for everybody: constant, features,
            first score, leaves.
        user, item: those of users and items, added to the shared ones.
        trained: what `first` was fitted on ends at this instant, microseconds.
        priors: `float64[3]`, how strongly the coefficients of everybody, of users and of items
            were drawn to 0: given, or estimated.
    """

    features: tuple[str, ...]
    first: Trees
    center: NDArray[np.float32]
    scale: NDArray[np.float32]
    shared: NDArray[np.float64]
    user: Effects
    item: Effects
    trained: int
    priors: NDArray[np.float64]

    @property
    def coefficients(self) -> int:
        """How many there are that are not 0."""
        shared = int(np.count_nonzero(self.shared))
        return shared + len(self.user.columns) + len(self.item.columns)


@dataclass(frozen=True)
class Design:
    """The inputs of rows: a dense block, and the columns of indicators that are 1.

    Attributes:
        dense: `float32[n, 2 + f]`: 1, features, first score. They are columns 0 to 1 + f.
        leaf: `int32[n, trees]`, columns of the indicators.
        columns: how many columns there are in all.
    """

    dense: NDArray[np.float32]
    leaf: NDArray[np.int32]
    columns: int


def design(
    first: Trees, center: NDArray[np.float32], scale: NDArray[np.float32], x: NDArray[np.float32]
) -> Design:
    """The inputs that rows `float32[f, n]` make."""
    n = x.shape[1]
    dense = np.empty((n, 2 + len(x)), np.float32)
    dense[:, 0] = 1
    dense[:, 1:-1] = np.clip((compress(x) - center[:, None]) / scale[:, None], -CLIP, CLIP).T
    told = np.empty(n, np.float32)
    score(first, x, told)
    dense[:, -1] = told
    leaf = leaves(first, x).T + np.int32(dense.shape[1])
    return Design(dense, np.ascontiguousarray(leaf), dense.shape[1] + len(first.leaf))


def compress(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """sign(x) · log(1 + |x|)."""
    return np.copysign(np.log1p(np.abs(x)), x)


def score_glmix(model: Glmix, batch: Batch) -> NDArray[np.float32]:
    """The logit of every candidate, `float32[n]`."""
    parts = design(model.first, model.center, model.scale, batch.x)
    out = np.empty(len(batch), np.float32)
    _score(
        parts.dense,
        parts.leaf,
        batch.bounds,
        model.shared,
        model.user.places(batch.users),
        model.user.offsets,
        model.user.columns,
        model.user.values,
        model.item.places(batch.rows.astype(np.uint64)),
        model.item.offsets,
        model.item.columns,
        model.item.values,
        out,
    )
    return out


@kernel
def _score(
    dense: NDArray[np.float32],
    leaf: NDArray[np.int32],
    bounds: NDArray[np.int64],
    shared: NDArray[np.float64],
    users: NDArray[np.int64],
    user_offsets: NDArray[np.int64],
    user_columns: NDArray[np.int32],
    user_values: NDArray[np.float32],
    items: NDArray[np.int64],
    item_offsets: NDArray[np.int64],
    item_columns: NDArray[np.int32],
    item_values: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    width = dense.shape[1]
    both = shared.copy()
    is_on = np.zeros(len(shared), np.bool_)
    for g in range(len(bounds) - 1):
        u = users[g]
        if u >= 0:
            for j in range(user_offsets[u], user_offsets[u + 1]):
                both[user_columns[j]] += user_values[j]
        for i in range(bounds[g], bounds[g + 1]):
            total = 0.0
            for f in range(width):
                total += both[f] * dense[i, f]
            for t in range(leaf.shape[1]):
                total += both[leaf[i, t]]
            e = items[i]
            if e >= 0:
                start, stop = item_offsets[e], item_offsets[e + 1]
                own, values = item_columns[start:stop], item_values[start:stop]
                total += _own(dense[i], leaf[i], own, values, is_on)
            out[i] = total
        if u >= 0:
            for j in range(user_offsets[u], user_offsets[u + 1]):
                both[user_columns[j]] = shared[user_columns[j]]


@kernel
def _own(
    dense: NDArray[np.float32],
    leaf: NDArray[np.int32],
    columns: NDArray[np.int32],
    values: NDArray[np.float32],
    is_on: NDArray[np.bool_],
) -> float:
    """What sparse coefficients add to one row; `is_on` is all false before and after."""
    total = 0.0
    for c in leaf:
        is_on[c] = True
    for j in range(len(columns)):
        c = columns[j]
        if c < len(dense):
            total += values[j] * dense[c]
        elif is_on[c]:
            total += values[j]
    for c in leaf:
        is_on[c] = False
    return total


def explain_glmix(model: Glmix, batch: Batch) -> tuple[float, list[str], NDArray[np.float64]]:
    """The constant, the names of the other terms, and their values, `float64[terms, n]`.

    Terms are `feature` for everybody, `user:feature` and `item:feature`; `first` is the first
    model's score, `leaves` its leaves; the constants of users and items are `user` and `item`.
    The constant plus the sum of a candidate's terms is its score.
    """
    parts = design(model.first, model.center, model.scale, batch.x)
    names = ["constant", *model.features, "first", "leaves"]
    dense = parts.dense.astype(np.float64)

    def terms(coefficients: NDArray[np.float64], i: int) -> NDArray[np.float64]:
        return np.append(
            coefficients[: dense.shape[1]] * dense[i], coefficients[parts.leaf[i]].sum()
        )

    def own(effects: Effects, place: int) -> NDArray[np.float64]:
        full = np.zeros(parts.columns)
        if place >= 0:
            lines = slice(effects.offsets[place], effects.offsets[place + 1])
            full[effects.columns[lines]] = effects.values[lines]
        return full

    users = model.user.places(batch.users)[batch.request]
    items = model.item.places(batch.rows.astype(np.uint64))
    columns = []
    for i in range(len(batch)):
        levels = (model.shared, own(model.user, int(users[i])), own(model.item, int(items[i])))
        columns.append(np.concatenate([terms(level, i) for level in levels]))
    told = np.array(columns).reshape(len(batch), 3 * len(names)).T
    named = [*names, "user", *(f"user:{n}" for n in names[1:])]
    named += ["item", *(f"item:{n}" for n in names[1:])]
    return float(model.shared[0]), named[1:], told[1:]
