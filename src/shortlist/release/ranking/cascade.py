"""`Cascade`: a first model looks at every candidate, a second one at the best of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shortlist.core.order import best_first
from shortlist.release.ranking.batch import Batch
from shortlist.release.tree_scores import score
from shortlist.release.trees import Trees

if TYPE_CHECKING:
    from shortlist.release.ranking.models import Second

FIRST = "first"
"""The name of the first model's score among the second's inputs."""


@dataclass(frozen=True)
class Cascade:
    """Two stages.

    Attributes:
        first: scores every candidate.
        keep: how many of a request's candidates, best first, go on to the second.
        second: scores those; reads the same columns, and the first score as a last one (of a
            second model of mixed effects the first model is the same, which adds it itself).
    """

    first: Trees
    keep: int
    second: Second


def with_first(first: Trees, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The columns and the first model's score of them, `float32[f + 1, n]`."""
    told = np.empty(x.shape[1], np.float32)
    score(first, x, told)
    return np.concatenate([x, told[None]])


def kept(scores: NDArray[np.float32], bounds: NDArray[np.int64], keep: int) -> NDArray[np.int64]:
    """The candidates of each request that go on, ascending."""
    return np.concatenate(
        [np.sort(a + best_first(scores[a:b], keep)) for a, b in pairwise(bounds.tolist())]
    )


def score_cascade(
    model: Cascade,
    batch: Batch,
    second: Callable[[Batch], NDArray[np.float32]],
    with_score: bool,
) -> NDArray[np.float32]:
    """The score of every candidate: the second's, and below all of those the first's order.

    Args:
        model: the stages.
        batch: the candidates.
        second: scores a batch by `model.second`.
        with_score: whether the second reads the first score as a column.
    """
    x = with_first(model.first, batch.x)
    told: NDArray[np.float32] = x[-1]
    if not len(told):
        return told
    on = kept(told, batch.bounds, model.keep)
    inner = batch.of(on, np.ascontiguousarray(x[:, on] if with_score else batch.x[:, on]))
    again = second(inner)
    out = np.empty(len(told), np.float32)
    for g, (a, b) in enumerate(pairwise(batch.bounds.tolist())):
        lines = slice(inner.bounds[g], inner.bounds[g + 1])
        if b > a:
            lowest, last = again[lines].min(), told[on[lines]].min()
            out[a:b] = lowest - 1 - (last - told[a:b])
            out[on[lines]] = again[lines]
    return out
