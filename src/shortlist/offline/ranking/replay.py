"""Requests replayed from events: what would have been retrieved the instant before each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shortlist.core.progress import Progress
from shortlist.core.request import Candidates, Pipeline, Request
from shortlist.offline.data.training import TrainingData
from shortlist.offline.ranking.examples import BATCH, Example, Examples, fused_columns

NEGATIVES = 100
"""Candidates without an interaction that are kept of each request, drawn evenly."""
PER_USER = 10
"""Requests of one user: more of them repeat each other, and the busiest would drown the rest."""


def from_replay(
    pipeline: Pipeline,
    data: TrainingData,
    start: int,
    requests: int,
    user_ids: Sequence[str],
    rng: np.random.Generator,
    progress: Progress,
) -> Examples:
    """Replay events of `[start, data.until)`, in random order, until there are enough requests.

    Every user's first drawn event comes before any user's second, up to `PER_USER`.

    A request is a user and an instant at which they have events, in the context of the first of
    them; its positives are the candidates that the user interacts with from that instant to the end
    of the window, as evaluation counts them. Requests whose candidates hold no positive, or nothing
    else, teach nothing about order and are passed over.
    """
    fresh = np.ones(len(data), np.bool_)
    fresh[1:] = (data.user[1:] != data.user[:-1]) | (data.time[1:] != data.time[:-1])
    events = _in_turns(rng.permutation(np.flatnonzero(fresh & (data.time >= start))), data.user)
    ends = np.searchsorted(data.user, np.arange(data.users), side="right")
    kept: list[Example] = []
    progress.step("replayed requests", min(requests, len(events)))
    for batch in range(0, len(events), BATCH):
        picked = events[batch : batch + BATCH]
        asked = [
            Request(
                user=user_ids[data.user[event]],
                now=int(data.time[event]),
                context=data.context.at(event),
            )
            for event in picked.tolist()
        ]
        before = len(kept)
        for event, request, found in zip(picked, asked, pipeline.fused(asked), strict=True):
            later = data.item[event : ends[data.user[event]]]
            example = _example(int(data.user[event]), request, *found, later, rng)
            if example is not None and len(kept) < requests:
                kept.append(example)
        progress.advance(len(kept) - before)
        if len(kept) == requests:
            break
    return Examples.of(kept)


def _in_turns(events: NDArray[np.int64], user: NDArray[np.int32]) -> NDArray[np.int64]:
    """The first `PER_USER` of each user's events: everybody's first, everybody's second, …"""
    order = np.argsort(user[events], kind="stable")
    owner = user[events][order]
    turn = np.empty(len(events), np.int64)
    turn[order] = np.arange(len(events)) - np.searchsorted(owner, owner)
    played = np.flatnonzero(turn < PER_USER)
    return events[played[np.argsort(turn[played], kind="stable")]]


def _example(
    user: int,
    request: Request,
    candidates: Candidates,
    fused: NDArray[np.float32],
    later: NDArray[np.int32],
    rng: np.random.Generator,
) -> Example | None:
    met = np.isin(candidates.rows, later)
    others = np.flatnonzero(~met)
    unmet = len(others)
    if len(others) > NEGATIVES:
        others = rng.choice(others, NEGATIVES, replace=False)
    keep = np.concatenate([np.flatnonzero(met), others])
    if len(keep) == len(others) or len(others) == 0:
        return None
    n = len(keep)
    stands = np.where(met[keep], 1, unmet / len(others))
    return Example(
        user=user,
        time=request.now,
        item=candidates.rows[keep],
        label=met[keep].astype(np.float32),
        weight=np.ones(n, np.float32),
        position=np.full(n, -1, np.int32),
        scores=candidates.scores[:, keep],
        ranks=candidates.ranks[:, keep],
        fused=fused_columns(fused)[:, keep],
        stands=stands.astype(np.float32),
        sources=candidates.sources,
        context=request.context,
    )
