"""Which requests an evaluation makes, what is known at each, and what is relevant to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist.config.schema import EvaluateSection
from shortlist.core.context import Context
from shortlist.offline.data.training import TrainingData
from shortlist.offline.evaluate.ragged import Ragged


@dataclass(frozen=True)
class Asked:
    """The requests of an evaluation, in order of time.

    Attributes:
        user: `int32[q]` user rows.
        now: `int64[q]`, the instant of each request, microseconds.
        history: the user's items strictly before the instant, oldest first, repeats kept.
        relevant: the items that the user interacts with from the instant on, each once.
        context: that of the event at the instant (the first, of several), for each request.
    """

    user: NDArray[np.int32]
    now: NDArray[np.int64]
    history: Ragged
    relevant: Ragged
    context: Sequence[Context]

    def __len__(self) -> int:
        return len(self.now)


def ask(
    log: TrainingData, split: int, config: EvaluateSection, seed: int, seen_allowed: bool = False
) -> Asked:
    """The requests of sampled users at evenly spaced events of theirs in the holdout.

    An item is relevant to a request when its user interacts with it at or after the request's
    instant, it may be shown then (available, not expired), and (unless `seen_allowed`) it is not
    in the history of the request. Requests that nothing is relevant to are not made.

    Args:
        log: all interactions, the holdout included.
        split: the first instant of the holdout, microseconds.
        config: how many users, and how many requests of each.
        seed: of the sample of users.
        seen_allowed: whether items of the history may be recommended again.
    """
    users = np.unique(log.user[log.time >= split])
    if len(users) > config.users:
        rng = np.random.default_rng([seed, 0xA5C])
        users = np.sort(rng.choice(users, config.users, replace=False))
    starts, stops = np.searchsorted(log.user, users), np.searchsorted(log.user, users, "right")

    who: list[int] = []
    when: list[int] = []
    histories: list[NDArray[np.int32]] = []
    relevants: list[NDArray[np.int32]] = []
    contexts: list[Context] = []
    for user, start, stop in zip(users.tolist(), starts.tolist(), stops.tolist(), strict=True):
        time, item = log.time[start:stop], log.item[start:stop]
        first = int(np.searchsorted(time, split))
        count = len(time) - first
        requests = min(count, config.requests_per_user)
        places = first + np.arange(requests) * count // requests
        for now in np.unique(time[places]).tolist():
            cut = int(np.searchsorted(time, now))
            relevant = np.unique(item[cut:])
            if not seen_allowed:
                relevant = np.setdiff1d(relevant, item[:cut])
            relevant = relevant[
                log.catalogue.available[relevant] & (log.catalogue.expires[relevant] > now)
            ]
            if len(relevant):
                who.append(user)
                when.append(now)
                histories.append(item[:cut])
                relevants.append(relevant)
                contexts.append(log.context.at(start + cut))
    order = np.argsort(np.array(when, np.int64), kind="stable")
    return Asked(
        np.array(who, np.int32)[order],
        np.array(when, np.int64)[order],
        Ragged.of([histories[i] for i in order]),
        Ragged.of([relevants[i] for i in order]),
        [contexts[i] for i in order],
    )
