"""Histories in one SQLite file, shared by the processes of a machine.

One row for each user, whose blob is the `EVENT` records as they are in memory: reading a user is
one lookup and a `frombuffer`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shortlist.core.errors import StoreError
from shortlist.core.keys import encode, item_key, item_keys
from shortlist.stores.contract import EVENT, POSTED, Events
from shortlist.stores.database import Database
from shortlist.stores.merge import NO_EVENTS, by_user, merge, out_of_order, until

SCHEMA = """
CREATE TABLE IF NOT EXISTS history (user BLOB PRIMARY KEY, events BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS posted (
    number INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, item INTEGER NOT NULL,
    kind INTEGER NOT NULL, user INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS posted_time ON posted (time);
CREATE TABLE IF NOT EXISTS noted (
    number INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, item INTEGER NOT NULL,
    kind INTEGER NOT NULL, user INTEGER NOT NULL
)
"""
READ = "SELECT events FROM history WHERE user = ?"
WRITE = (
    "INSERT INTO history (user, events) VALUES (?, ?) "
    "ON CONFLICT (user) DO UPDATE SET events = excluded.events"
)
POSTED_SINCE = "SELECT item, time, kind, user, number FROM posted WHERE number > ?"
NOTED_SINCE = "SELECT item, time, kind, user, number FROM noted WHERE number > ?"
LOAD_ROWS = 20_000
"""Histories written in one transaction of `load`; other writers get their turn in between."""


class SqliteHistory:
    """Histories in SQLite.

    A commit is handed to the operating system before `append` returns, so a process that is
    killed loses nothing; a power cut may lose the commits of the last seconds. Readers never
    wait for writers.

    Args:
        path: the database file, made if it is not there.
        capacity: how many events of a user are kept.
    """

    def __init__(self, path: Path, capacity: int = 500) -> None:
        self.capacity = capacity
        self._database = Database(path, SCHEMA)

    def read(self, users: Sequence[str], before: NDArray[np.int64] | None = None) -> list[Events]:
        """The events of each user, oldest first; see the contract."""
        connection = self._database.connection()
        execute = connection.execute
        try:
            if len(users) == 1:
                found = [execute(READ, (encode(users[0]),)).fetchone()]
            else:  # one read transaction: its locks cost as much as a lookup
                execute("BEGIN")
                found = [execute(READ, (encode(user),)).fetchone() for user in users]
                execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                execute("ROLLBACK")
            raise self._database.failed(error) from error
        try:
            events = [NO_EVENTS if row is None else np.frombuffer(row[0], EVENT) for row in found]
        except ValueError as error:
            raise StoreError(
                "a history is not made of whole events.",
                remedy="Move the file away; it is made again from the log at the next publish.",
                where=str(self._database.path),
            ) from error
        if before is not None:
            instants = before.tolist()
            events = [until(of, instant) for of, instant in zip(events, instants, strict=True)]
        return [of[-self.capacity :] for of in events]

    def append(self, users: Sequence[str], events: Events) -> int:
        """Add events in one transaction; see the contract."""
        count = 0
        with self._database.write() as connection:
            for user, fresh in by_user(users, events).items():
                key = encode(user)
                row = connection.execute(READ, (key,)).fetchone()
                kept = NO_EVENTS if row is None else np.frombuffer(row[0], EVENT)
                history, added = merge(kept, fresh, self.capacity)
                if not len(added):
                    continue
                connection.execute(WRITE, (key, history.tobytes()))
                items = added["item"].astype(np.int64)  # SQLite's integers are signed
                owner = int(np.array(item_key(user), np.uint64).astype(np.int64))
                connection.executemany(
                    "INSERT INTO posted (time, item, kind, user) VALUES (?, ?, ?, ?)",
                    zip(
                        added["time"].tolist(),
                        items.tolist(),
                        added["kind"].tolist(),
                        repeat(owner),
                    ),
                )
                count += len(added)
        return count

    def note(self, users: Sequence[str], events: Events) -> None:
        """Remember events for `noted`; see the contract."""
        with self._database.write() as connection:
            connection.executemany(
                "INSERT INTO noted (time, item, kind, user) VALUES (?, ?, ?, ?)",
                zip(
                    events["time"].tolist(),
                    events["item"].astype(np.int64).tolist(),
                    events["kind"].tolist(),
                    item_keys(users).astype(np.int64).tolist(),
                    strict=True,
                ),
            )

    def load(self, histories: Iterable[tuple[Sequence[str], NDArray[np.int64], Events]]) -> None:
        """Merge whole histories, some tens of thousands in a transaction; see the contract."""
        rows = _rows(histories, self.capacity)
        while chunk := list(islice(rows, LOAD_ROWS)):
            with self._database.write() as connection:
                stored = connection.execute("SELECT 1 FROM history LIMIT 1").fetchone()
                if stored or len({key for key, _ in chunk}) < len(chunk):
                    chunk = self._merged(connection, chunk)
                connection.executemany(WRITE, chunk)

    def _merged(
        self, connection: sqlite3.Connection, chunk: list[tuple[bytes, bytes]]
    ) -> list[tuple[bytes, bytes]]:
        """The rows of a chunk that change anything, merged with what is stored."""
        changed: dict[bytes, bytes] = {}
        for key, blob in chunk:
            row = (changed[key],) if key in changed else connection.execute(READ, (key,)).fetchone()
            if row is None or blob.startswith(row[0]):
                changed[key] = blob
            elif not row[0].startswith(blob):
                kept, fresh = np.frombuffer(row[0], EVENT), np.frombuffer(blob, EVENT)
                history, added = merge(kept, fresh, self.capacity)
                if len(added):
                    changed[key] = history.tobytes()
        return list(changed.items())

    def since(self, time: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Appended events at or after a time; see the contract."""
        statement = "SELECT item, time FROM posted WHERE time >= ? ORDER BY time"
        try:
            found = self._database.connection().execute(statement, (time,)).fetchall()
        except sqlite3.Error as error:
            raise self._database.failed(error) from error
        pairs = np.array(found, np.int64).reshape(-1, 2)
        return pairs[:, 0].astype(np.uint64), pairs[:, 1].copy()

    def posted(self, after: str = "") -> tuple[Events, str]:
        """What was appended since an earlier call; see the contract."""
        return self._told(POSTED_SINCE, after)

    def noted(self, after: str = "") -> tuple[Events, str]:
        """What was noted since an earlier call; see the contract."""
        return self._told(NOTED_SINCE, after)

    def _told(self, statement: str, after: str) -> tuple[Events, str]:
        try:
            cursor = self._database.connection().execute(statement, (int(after or 0),))
            found = np.array(cursor.fetchall(), np.int64).reshape(-1, 5)
        except sqlite3.Error as error:
            raise self._database.failed(error) from error
        events = np.empty(len(found), POSTED)
        for place, name in enumerate(("item", "time", "kind", "user")):
            events[name] = found[:, place].astype(POSTED[name])
        return events, str(found[-1, 4]) if len(found) else after

    def forget_recent(self, before: int) -> None:
        """Drop what `since` remembers from before a time."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM posted WHERE time < ?", (before,))
            connection.execute("DELETE FROM noted WHERE time < ?", (before,))

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _rows(
    histories: Iterable[tuple[Sequence[str], NDArray[np.int64], Events]], capacity: int
) -> Iterator[tuple[bytes, bytes]]:
    """A key and a blob for every history of every batch."""
    size = EVENT.itemsize
    for users, offsets, events in histories:
        wrong = set(out_of_order(offsets, events).tolist())
        blob = memoryview(np.ascontiguousarray(events).tobytes())
        bounds = offsets.tolist()
        for place, user in enumerate(users):
            start, stop = bounds[place], bounds[place + 1]
            if place in wrong:
                history, _ = merge(NO_EVENTS, events[start:stop], capacity)
                yield encode(user), history.tobytes()
            elif stop > start:
                start = max(start, stop - capacity)
                yield encode(user), bytes(blob[start * size : stop * size])
