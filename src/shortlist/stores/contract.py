"""State that outlives a release: what every store promises.

Histories keep item *keys* (`core.keys.item_key`), not rows, so they mean the same under
every release. Implementations: memory (tests, evaluation), SQLite (default), Redis (by URL).
`shortlist.testing.stores` holds the contract suites that all of them run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shortlist.core.keys import kind_code

__all__ = [
    "EVENT",
    "POSTED",
    "AvailabilityStore",
    "Events",
    "HistoryReader",
    "HistoryStore",
    "Posted",
    "kind_code",
]

EVENT = np.dtype([("item", "<u8"), ("time", "<i8"), ("kind", "<u4")])
"""One event of a user, 20 bytes: item key, microseconds, `kind_code` of the event's kind."""

POSTED = np.dtype([*EVENT.descr, ("user", "<u8")])
"""An appended event with the key of its user, 28 bytes."""

Events = NDArray[np.void]


@dataclass(frozen=True)
class Posted:
    """Events that came in since an earlier call.

    Attributes:
        events: `POSTED[n]`, in the order they came in, each once.
        after: what to ask with next.
        place: `int32[n]`, the place of each event's context in `contexts`; -1 for none.
        contexts: the different contexts, as `core.context.written` has them.
    """

    events: Events
    after: str
    place: NDArray[np.int32]
    contexts: Sequence[str]

    @classmethod
    def of(cls, events: Events, after: str, told: Mapping[int, str]) -> Posted:
        """Events, and the contexts of those of them that have one, by place."""
        contexts = {text: n for n, text in enumerate(dict.fromkeys(told.values()))}
        place = np.full(len(events), -1, np.int32)
        place[list(told)] = [contexts[text] for text in told.values()]
        return cls(events, after, place, list(contexts))


class HistoryReader(Protocol):
    """What the request path asks of histories.

    Only events that count (positive weight) belong here; impressions do not.
    """

    capacity: int
    """How many events of a user are kept: the newest."""

    def read(self, users: Sequence[str], before: NDArray[np.int64] | None = None) -> list[Events]:
        """The events of each user, oldest first, `EVENT[h]`; empty for a user never seen.

        `before[i]` keeps only the events of `users[i]` with a time strictly before it (the last
        `capacity` of those, where older ones are still kept).
        """
        ...

    def since(self, time: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Item keys and times of appended events at or after a time, oldest first."""
        ...

    def posted(self, after: str = "") -> Posted:
        """What was appended since an earlier call, by any process.

        Args:
            after: what the earlier call returned beside the events; empty for all that `since`
                remembers.
        """
        ...

    def noted(self, after: str = "") -> Posted:
        """As `posted`, of events that are no interactions and belong to no history."""
        ...


class HistoryStore(HistoryReader, Protocol):
    """The last events of every user, and the recent events of everybody."""

    def append(self, users: Sequence[str], events: Events, contexts: Sequence[str] = ()) -> int:
        """Add `events[i]` to the history of `users[i]`, durable when it returns.

        An event that is there already (same item, time and kind) is not added again. Returns how
        many were added. Also remembers them for `since` and `posted`, those for the latter with
        `contexts[i]` (`core.context.written`), where any are given. Histories do not keep them.
        """
        ...

    def note(self, users: Sequence[str], events: Events, contexts: Sequence[str] = ()) -> None:
        """Remember `events[i]` of `users[i]` for `noted` alone: impressions, and kinds of events
        without weight, that features count. One that is noted twice is there twice.
        """
        ...

    def load(self, histories: Iterable[tuple[Sequence[str], NDArray[np.int64], Events]]) -> None:
        """Merge whole histories, in batches `(users, offsets[len(users) + 1], events)`.

        The bulk way from the log: same result as `append`, but `since` does not see them.
        """
        ...

    def forget_recent(self, before: int) -> None:
        """Drop what `since`, `posted` and `noted` remember from before a time (a release now
        holds it)."""
        ...

    def close(self) -> None:
        """Release connections and files."""
        ...


class AvailabilityStore(Protocol):
    """Items hidden while serving; a change holds for every process from when the call returns."""

    def hide(self, ids: Sequence[str]) -> None:
        """Never show these items again, durable when it returns."""
        ...

    def show(self, ids: Sequence[str]) -> None:
        """Undo `hide`, durable when it returns."""
        ...

    def version(self) -> int:
        """A number that differs after every change by any process; cheap, asked at each request."""
        ...

    def hidden(self) -> NDArray[np.uint64]:
        """Keys of all hidden items."""
        ...

    def close(self) -> None:
        """Release connections and files."""
        ...
