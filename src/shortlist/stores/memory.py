"""Histories in memory: for tests, and for evaluation, which asks for them as of many instants."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from shortlist.core.keys import item_key, item_keys
from shortlist.stores.contract import POSTED, Events, Posted
from shortlist.stores.merge import NO_EVENTS, Told, by_user, merge, out_of_order, owned, until

Stream = list[tuple[int, Events, list[str]]]
"""Numbered batches of events, and the context of each of them."""

EVERYTHING = np.iinfo(np.int64).max


class MemoryHistory:
    """Histories in this process, gone with it.

    Args:
        capacity: how many events `read` returns at most.
        keep: how many events of a user stay behind it, so that a read as of an old instant finds
            the `capacity` events before that instant; everything unless told.
    """

    def __init__(self, capacity: int = 500, keep: int = EVERYTHING) -> None:
        self.capacity = capacity
        self._keep = max(keep, capacity)
        self._histories: dict[str, Events] = {}
        self._recent: list[tuple[int, int]] = []
        self._posted: Stream = []
        self._noted: Stream = []
        self._number = 0
        self._lock = Lock()

    def read(self, users: Sequence[str], before: NDArray[np.int64] | None = None) -> list[Events]:
        """The events of each user, oldest first; see the contract."""
        instants = [None] * len(users) if before is None else before.tolist()
        return [
            until(self._histories.get(user, NO_EVENTS), instant)[-self.capacity :]
            for user, instant in zip(users, instants, strict=True)
        ]

    def append(self, users: Sequence[str], events: Events, contexts: Sequence[str] = ()) -> int:
        """Add events; see the contract."""
        count = 0
        told = Told(users, events, contexts)
        with self._lock:
            for user, fresh in by_user(users, events).items():
                kept = self._histories.get(user, NO_EVENTS)
                self._histories[user], added = merge(kept, fresh, self._keep)
                count += len(added)
                self._number += 1
                own = told.of(user, added)
                texts = [own.get(n, "") for n in range(len(added))]
                self._posted.append((self._number, owned(added, item_key(user)), texts))
                self._recent.extend(
                    zip(added["time"].tolist(), added["item"].tolist(), strict=True)
                )
            self._recent.sort()
        return count

    def note(self, users: Sequence[str], events: Events, contexts: Sequence[str] = ()) -> None:
        """Remember events for `noted`; see the contract."""
        with self._lock:
            self._number += 1
            texts = list(contexts) or [""] * len(events)
            self._noted.append((self._number, owned(events, item_keys(users)), texts))

    def load(self, histories: Iterable[tuple[Sequence[str], NDArray[np.int64], Events]]) -> None:
        """Merge whole histories; see the contract."""
        with self._lock:
            for users, offsets, events in histories:
                wrong = set(out_of_order(offsets, events).tolist())
                bounds = offsets.tolist()
                for place, user in enumerate(users):
                    fresh = events[bounds[place] : bounds[place + 1]]
                    kept = self._histories.get(user, NO_EVENTS)
                    if len(kept) or place in wrong:
                        fresh, _ = merge(kept, fresh, self._keep)
                    self._histories[user] = fresh[-self._keep :]

    def since(self, time: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Appended events at or after a time; see the contract."""
        with self._lock:
            found = [pair for pair in self._recent if pair[0] >= time]
        times = np.array([time for time, _ in found], np.int64)
        return np.array([item for _, item in found], np.uint64), times

    def posted(self, after: str = "") -> Posted:
        """What was appended since an earlier call; see the contract."""
        return self._told(self._posted, after)

    def noted(self, after: str = "") -> Posted:
        """What was noted since an earlier call; see the contract."""
        return self._told(self._noted, after)

    def _told(self, stream: Stream, after: str) -> Posted:
        with self._lock:
            found = [batch for batch in stream if batch[0] > int(after or 0)]
            number = self._number
        events = np.concatenate([np.empty(0, POSTED), *(events for _, events, _ in found)])
        texts = (text for _, _, texts in found for text in texts)
        return Posted.of(events, str(number), {n: text for n, text in enumerate(texts) if text})

    def forget_recent(self, before: int) -> None:
        """Drop what `since` remembers from before a time."""
        with self._lock:
            self._recent = [pair for pair in self._recent if pair[0] >= before]
            for stream in (self._posted, self._noted):
                for place, (number, events, texts) in enumerate(stream):
                    late = events["time"] >= before
                    kept = [text for text, stays in zip(texts, late, strict=True) if stays]
                    stream[place] = (number, events[late], kept)

    def close(self) -> None:
        """Nothing is held open."""


class MemoryAvailability:
    """Hidden items in this process, gone with it."""

    def __init__(self) -> None:
        self._hidden: set[int] = set()
        self._version = 0

    def hide(self, ids: Sequence[str]) -> None:
        """Hide items; see the contract."""
        self._hidden.update(item_keys(ids).tolist())
        self._version += 1

    def show(self, ids: Sequence[str]) -> None:
        """Undo `hide`; see the contract."""
        self._hidden.difference_update(item_keys(ids).tolist())
        self._version += 1

    def version(self) -> int:
        """The number of changes so far."""
        return self._version

    def hidden(self) -> NDArray[np.uint64]:
        """Keys of all hidden items."""
        return np.array(sorted(self._hidden), np.uint64)

    def close(self) -> None:
        """Nothing is held open."""
