"""Notes: events that are no interactions, on their way into a store within a second.

Features count them, nobody waits for them: a request that shows twenty items would spend more on
writing that down than on finding them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from threading import Event as Signal
from threading import Lock, Thread

from shortlist.core.errors import StoreError
from shortlist.core.event import Event
from shortlist.stores.contract import HistoryStore
from shortlist.stores.merge import as_stored

INTERVAL = 1.0
"""Seconds after which events are written at the latest."""
BUFFER = 10_000
"""Events after which they are."""


class Notes:
    """Gathers events and notes them in a store; safe to use from several threads.

    Args:
        history: the store.
    """

    def __init__(self, history: HistoryStore) -> None:
        self._history = history
        self._waiting: list[Event] = []
        self._lock = Lock()
        self._closing = Signal()
        self._writer: Thread | None = None

    def defer(self, events: Iterable[Event]) -> None:
        """Note events within a second. Never raises: what cannot be written is dropped, and the
        log says so."""
        with self._lock:
            self._waiting.extend(events)
            full = len(self._waiting) >= BUFFER
            if self._writer is None and not self._closing.is_set():
                self._writer = Thread(target=self._keep_writing, name="notes", daemon=True)
                self._writer.start()
        if full:
            self.flush()

    def write(self, events: Sequence[Event]) -> None:
        """Note events before it returns.

        Raises:
            StoreError: the store cannot be written.
        """
        if not events:
            return
        self._history.note(*as_stored(events))

    def flush(self) -> None:
        """Note what waits."""
        with self._lock:
            events, self._waiting = self._waiting, []
        try:
            self.write(events)
        except StoreError as error:
            logging.getLogger(__name__).warning("features will not count events: %s", error)

    def close(self) -> None:
        """Note what waits, and stop."""
        self._closing.set()
        if self._writer is not None:
            self._writer.join()
        self.flush()

    def _keep_writing(self) -> None:
        while not self._closing.wait(INTERVAL):
            self.flush()
