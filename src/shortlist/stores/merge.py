"""How histories grow: a history is the newest `capacity` of the set of all events ever added.

Because it is a set under a total order (time, then item key, then kind), appending is idempotent
and the result does not depend on the order, the batches or the process that events came in.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shortlist.core.context import written
from shortlist.core.event import Event
from shortlist.core.keys import item_keys
from shortlist.stores.contract import EVENT, POSTED, Events, kind_code

NO_EVENTS: Events = np.empty(0, EVENT)


def merge(kept: Events, fresh: Events, capacity: int) -> tuple[Events, Events]:
    """A history with events added to it.

    Args:
        kept: the history so far, `EVENT[h]`.
        fresh: the events to add, `EVENT[n]`, in any order, duplicates allowed.
        capacity: how many events the history may hold.

    Returns:
        The history, in order, and the part of it that `kept` did not have.
    """
    both = np.concatenate([kept, fresh])
    is_fresh = np.arange(len(both)) >= len(kept)
    order = np.lexsort((both["kind"], both["item"], both["time"]))
    both, is_fresh = both[order], is_fresh[order]
    first = np.ones(len(both), np.bool_)
    first[1:] = both[1:] != both[:-1]  # the sort is stable: of equal events the kept one is first
    history, added = both[first][-capacity:], is_fresh[first][-capacity:]
    return history, history[added]


def owned(events: Events, owner: NDArray[np.uint64] | int) -> Events:
    """`EVENT` records with the keys of their users, `POSTED[n]`."""
    made = np.empty(len(events), POSTED)
    for name in ("item", "time", "kind"):
        made[name] = events[name]
    made["user"] = owner
    return made


def as_stored(events: Sequence[Event]) -> tuple[list[str], Events, list[str]]:
    """Users, events and contexts, as `HistoryStore.append` and `note` take them."""
    records = np.empty(len(events), EVENT)
    records["item"] = item_keys([event.item for event in events])
    records["time"] = [event.time for event in events]
    records["kind"] = [kind_code(event.kind) for event in events]
    users = [event.user for event in events]
    return users, records, [written(event.context) for event in events]


class Told:
    """The contexts of events that are being added, which a merge puts in another order.

    Args:
        users, events, contexts: as `HistoryStore.append` is given them.
    """

    def __init__(self, users: Sequence[str], events: Events, contexts: Sequence[str]) -> None:
        self._texts: dict[tuple[str, bytes], str] = {}
        for place, text in enumerate(contexts):
            if text:  # of equal events the first one is kept
                self._texts.setdefault((users[place], events[place].tobytes()), text)

    def of(self, user: str, events: Events) -> dict[int, str]:
        """The place of each event of a user that has a context, and that."""
        if not self._texts:
            return {}
        found = ((n, self._texts.get((user, event.tobytes()))) for n, event in enumerate(events))
        return {n: text for n, text in found if text}


def by_user(users: Sequence[str], events: Events) -> dict[str, Events]:
    """Events grouped by user, users in order of first occurrence."""
    if len(users) == 1:
        return {users[0]: events}
    places: dict[str, list[int]] = {}
    for place, user in enumerate(users):
        places.setdefault(user, []).append(place)
    return {user: events[where] for user, where in places.items()}


def out_of_order(offsets: NDArray[np.int64], events: Events) -> NDArray[np.int64]:
    """Which of the histories `events[offsets[i]:offsets[i + 1]]` do not strictly ascend."""
    if len(events) < 2:
        return np.empty(0, np.int64)
    time, item, kind = events["time"], events["item"], events["kind"]
    later = (item[1:] > item[:-1]) | ((item[1:] == item[:-1]) & (kind[1:] > kind[:-1]))
    ascends = (time[1:] > time[:-1]) | ((time[1:] == time[:-1]) & later)
    inside = np.ones(len(events) - 1, np.bool_)
    edges = offsets[1:-1]
    inside[edges[(edges > 0) & (edges < len(events))] - 1] = False
    wrong = np.flatnonzero(inside & ~ascends)
    return np.unique(np.searchsorted(offsets, wrong, side="right") - 1)


def until(events: Events, before: int | None) -> Events:
    """The part of a history strictly before an instant; all of it for None."""
    if before is None or not len(events) or int(events["time"][-1]) < before:
        return events
    return events[: int(np.searchsorted(events["time"], before))]
