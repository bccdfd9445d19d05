"""`Replay`: a log read as a history store of any instant, for training rows and evaluation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shortlist.core.context import Contexts
from shortlist.core.vocabulary import Vocabulary
from shortlist.offline.data.training import TrainingData
from shortlist.stores.contract import EVENT, POSTED, Events, Posted

ALL = "all"
"""What to ask with after everything has been told."""


class Replay:
    """The histories of a log, as of whatever instant is asked for; a `HistoryReader`.

    Args:
        data: the log.
        user_ids: the id of each user row.
        capacity: how many events of a user `read` returns at most.
    """

    def __init__(self, data: TrainingData, user_ids: Sequence[str], capacity: int) -> None:
        self.capacity = capacity
        self._users = Vocabulary.of(user_ids)
        self._offsets = np.searchsorted(data.user, np.arange(len(user_ids) + 1))
        self._events = np.zeros(len(data), EVENT)
        self._events["item"] = data.catalogue.vocabulary.keys()[data.item]
        self._events["time"] = data.time
        self._events["kind"] = data.kind_codes()
        order = np.argsort(data.time, kind="stable")
        self._order = order
        self._times = data.time[order]
        self._keys = self._events["item"][order]
        self._context = data.context[order]
        self._noted = Posted.of(np.empty(0, POSTED), ALL, {})
        if data.others is not None:
            others = np.empty(len(data.others), POSTED)
            others["item"] = data.catalogue.vocabulary.keys()[data.others.item]
            others["user"] = self._users.keys()[data.others.user]
            others["time"], others["kind"] = data.others.time, data.others.kind
            self._noted = _posted(others, data.others.context)

    def read(self, users: Sequence[str], before: NDArray[np.int64] | None = None) -> list[Events]:
        """The events of each user, oldest first, strictly before `before[i]`."""
        found = []
        for place, row in enumerate(self._users.rows(users).tolist()):
            start, stop = (0, 0) if row < 0 else self._offsets[row : row + 2].tolist()
            if before is not None:
                times = self._events["time"][start:stop]
                stop = start + int(np.searchsorted(times, before[place], "left"))
            found.append(self._events[max(start, stop - self.capacity) : stop])
        return found

    def since(self, time: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Item keys and times of all events at or after a time, oldest first."""
        start = int(np.searchsorted(self._times, time, "left"))
        return self._keys[start:], self._times[start:]

    def posted(self, after: str = "") -> Posted:
        """All events in order of time, once."""
        if after:
            return Posted.of(np.empty(0, POSTED), after, {})
        told = np.empty(len(self._order), POSTED)
        for name in ("item", "time", "kind"):
            told[name] = self._events[name][self._order]
        owners = np.repeat(self._users.keys(), np.diff(self._offsets))
        told["user"] = owners[self._order]
        return _posted(told, self._context)

    def noted(self, after: str = "") -> Posted:
        """All events that are no interactions in order of time, once."""
        return Posted.of(np.empty(0, POSTED), after, {}) if after else self._noted


def _posted(events: Events, context: Contexts) -> Posted:
    place, contexts = context.distinct(len(events))
    return Posted(events, ALL, place, contexts)
