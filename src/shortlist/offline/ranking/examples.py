"""Requests and labelled candidates, before features are joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shortlist.core.context import Context
from shortlist.core.request import Candidates

BATCH = 64
"""Requests that retrieval is asked for together."""


@dataclass(frozen=True, slots=True)
class Example:
    """One request and some of its candidates.

    Attributes:
        user: the user's row.
        time: the instant of the request.
        item: `int32[n]`, each once.
        label, weight, position: one value per item, as in `rows.Rows`.
        scores, ranks: `float32[sources, n]`, as in `core.Candidates`.
        fused: `float32[3, n]`: fused score, 1 / (place + 1), score below the first candidate's.
        stands: `float32[n]`, how many candidates an item stands for: above 1 where it was drawn
            from many.
        sources: names of the retrieval sources.
        context: what the request was made in.
    """

    user: int
    time: int
    item: NDArray[np.int32]
    label: NDArray[np.float32]
    weight: NDArray[np.float32]
    position: NDArray[np.int32]
    scores: NDArray[np.float32]
    ranks: NDArray[np.float32]
    fused: NDArray[np.float32]
    stands: NDArray[np.float32]
    sources: tuple[str, ...]
    context: Context = field(default_factory=dict)


@dataclass(frozen=True)
class Examples:
    """Many of them as columns, ascending by request and item; requests are numbered by time.

    `context` has one for each request.
    """

    user: NDArray[np.int32]
    time: NDArray[np.int64]
    request: NDArray[np.int64]
    item: NDArray[np.int32]
    label: NDArray[np.float32]
    weight: NDArray[np.float32]
    position: NDArray[np.int32]
    scores: NDArray[np.float32]
    ranks: NDArray[np.float32]
    fused: NDArray[np.float32]
    stands: NDArray[np.float32]
    sources: tuple[str, ...]
    context: Sequence[Context]

    @classmethod
    def of(cls, examples: Sequence[Example]) -> Examples:
        """Put requests in order of time (then user) and their items in order of row."""
        ordered = sorted(examples, key=lambda example: (example.time, example.user))
        if not ordered:
            return cls._none()
        lengths = [len(example.item) for example in ordered]
        request = np.repeat(np.arange(len(ordered)), lengths)
        item = np.concatenate([example.item for example in ordered])
        order = np.lexsort((item, request))
        return cls(
            user=np.array([example.user for example in ordered], np.int32),
            time=np.array([example.time for example in ordered], np.int64),
            request=request,
            item=item[order],
            label=np.concatenate([example.label for example in ordered])[order],
            weight=np.concatenate([example.weight for example in ordered])[order],
            position=np.concatenate([example.position for example in ordered])[order],
            scores=np.concatenate([example.scores for example in ordered], axis=1)[:, order],
            ranks=np.concatenate([example.ranks for example in ordered], axis=1)[:, order],
            fused=np.concatenate([example.fused for example in ordered], axis=1)[:, order],
            stands=np.concatenate([example.stands for example in ordered])[order],
            sources=ordered[0].sources,
            context=[example.context for example in ordered],
        )

    @classmethod
    def _none(cls) -> Examples:
        no = np.empty(0, np.float32)
        few = np.empty(0, np.int32)
        many = np.empty(0, np.int64)
        wide = np.empty((0, 0), np.float32)
        return cls(few, many, many, few, no, no, few, wide, wide, no[None].repeat(3, 0), no, (), ())


def fused_columns(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """`Example.fused` of candidates in fused order, from their fused scores."""
    places = np.arange(1, len(scores) + 1, dtype=np.float32)
    return np.stack([scores, 1 / places, scores - scores[:1]]).astype(np.float32)


def columns_of(
    candidates: Candidates, fused: NDArray[np.float32], items: NDArray[np.int32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """The scores and ranks of some items, 0 for those that retrieval did not return.

    Their fused score is then 1 below that of the last candidate.

    Returns:
        scores and ranks, each `float32[sources, len(items)]`, and `float32[3, len(items)]`.
    """
    scores = np.zeros((len(candidates.sources), len(items)), np.float32)
    ranks = np.zeros_like(scores)
    places = np.zeros((3, len(items)), np.float32)
    if len(candidates.rows):
        order = np.argsort(candidates.rows)
        place = np.searchsorted(candidates.rows, items, sorter=order)
        place = order[np.minimum(place, len(order) - 1)]
        found = candidates.rows[place] == items
        scores[:, found] = candidates.scores[:, place[found]]
        ranks[:, found] = candidates.ranks[:, place[found]]
        places[:, found] = fused_columns(fused)[:, place[found]]
        places[0, ~found] = fused[-1] - 1
        places[2, ~found] = fused[-1] - 1 - fused[0]
    return scores, ranks, places
