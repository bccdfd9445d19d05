"""Which kinds of events followed: the labels of several objectives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist.core.errors import DataError, did_you_mean
from shortlist.offline.data.training import TrainingData


def met_by(
    data: TrainingData,
    user: NDArray[np.int32],
    item: NDArray[np.int32],
    start: NDArray[np.int64],
    until: NDArray[np.int64],
    kind: str,
) -> NDArray[np.bool_]:
    """Whether each user had an event of a kind with each item in `[start, until)`, `bool[n]`.

    Raises:
        DataError: no event of the log is of that kind.
    """
    if kind not in data.kinds:
        raise DataError(
            f"no event that counts is of the kind {kind!r}.",
            remedy=did_you_mean(kind, data.kinds) or "Name a kind of `data.events.weights`.",
            where="ranker.weights",
        )
    of_kind = data.kind == data.kinds.index(kind)
    instants = np.unique(data.time)
    scale = len(instants) + 1

    def code(
        users: NDArray[np.int32], items: NDArray[np.int32], times: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Ascending by pair, and by time within a pair."""
        pair = users.astype(np.int64) * data.items + items
        place = np.minimum(np.searchsorted(pairs, pair), max(len(pairs) - 1, 0))
        known = pairs[place] == pair if len(pairs) else np.zeros(len(pair), np.bool_)
        return np.where(known, place * scale + np.searchsorted(instants, times), -1)

    pairs = np.unique(data.user[of_kind].astype(np.int64) * data.items + data.item[of_kind])
    events = np.sort(code(data.user[of_kind], data.item[of_kind], data.time[of_kind]))
    first = np.searchsorted(events, code(user, item, start))
    last = np.searchsorted(events, code(user, item, until))
    return np.asarray(last > first)
