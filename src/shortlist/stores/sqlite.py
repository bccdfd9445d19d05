"""Histories in one SQLite file, shared by the processes of a machine.

One row for each user, whose blob is the `EVENT` records as they are in memory: reading a user is
one lookup and a `frombuffer`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shortlist.core.errors import StoreError
from shortlist.core.keys import encode, item_key, item_keys
from shortlist.stores.contract import EVENT, POSTED, Events, Posted
from shortlist.stores.database import Database
from shortlist.stores.merge import NO_EVENTS, Told, by_user, merge, out_of_order, until

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
);
CREATE TABLE IF NOT EXISTS posted_context (number INTEGER PRIMARY KEY, context TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS noted_context (number INTEGER PRIMARY KEY, context TEXT NOT NULL)
"""
READ = "SELECT events FROM history WHERE user = ?"
WRITE = (
    "INSERT INTO history (user, events) VALUES (?, ?) "
    "ON CONFLICT (user) DO UPDATE SET events = excluded.events"
)
PUT = "INSERT INTO {} (time, item, kind, user) VALUES (?, ?, ?, ?)"
SINCE = "SELECT item, time, kind, user, number FROM {} WHERE number > ?"
CONTEXTS = "SELECT number, context FROM {}_context WHERE number > ?"
FORGET = (
    "DELETE FROM {0}_context WHERE number IN (SELECT number FROM {0} WHERE time < ?)",
    "DELETE FROM {0} WHERE time < ?",
)
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

    def append(self, users: Sequence[str], events: Events, contexts: Sequence[str] = ()) -> int:
        """Add events in one transaction; see the contract."""
        count = 0
        told = Told(users, events, contexts)
        with self._database.write() as connection:
            for user, fresh in by_user(users, events).items():
                key = encode(user)
                row = connection.execute(READ, (key,)).fetchone()
                kept = NO_EVENTS if row is None else np.frombuffer(row[0], EVENT)
                history, added = merge(kept, fresh, self.capacity)
                if not len(added):
                    continue
                connection.execute(WRITE, (key, history.tobytes()))
                owner = np.full(len(added), item_key(user), np.uint64)
                _put(connection, "posted", added, owner, told.of(user, added))
                count += len(added)
        return count

    def note(self, users: Sequence[str], events: Events, contexts: Sequence[str] = ()) -> None:
        """Remember events for `noted`; see the contract."""
        told = {n: text for n, text in enumerate(contexts) if text}
        with self._database.write() as connection:
            _put(connection, "noted", events, item_keys(users), told)

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

    def posted(self, after: str = "") -> Posted:
        """What was appended since an earlier call; see the contract."""
        return self._told("posted", after)

    def noted(self, after: str = "") -> Posted:
        """What was noted since an earlier call; see the contract."""
        return self._told("noted", after)

    def _told(self, table: str, after: str) -> Posted:
        execute, since = self._database.connection().execute, (int(after or 0),)
        try:
            found = np.array(execute(SINCE.format(table), since).fetchall(), np.int64)
            texts = execute(CONTEXTS.format(table), since).fetchall() if len(found) else []
        except sqlite3.Error as error:
            raise self._database.failed(error) from error
        found = found.reshape(-1, 5)
        events = np.empty(len(found), POSTED)
        for column, name in enumerate(("item", "time", "kind", "user")):
            events[name] = found[:, column].astype(POSTED[name])
        place = {number: n for n, number in enumerate(found[:, 4].tolist())} if texts else {}
        # some may have been posted since the first of the two was asked
        told = {place[number]: text for number, text in texts if number in place}
        return Posted.of(events, str(found[-1, 4]) if len(found) else after, told)

    def forget_recent(self, before: int) -> None:
        """Drop what `since` remembers from before a time."""
        with self._database.write() as connection:
            for table in ("posted", "noted"):
                for statement in FORGET:
                    connection.execute(statement.format(table), (before,))

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _put(
    connection: sqlite3.Connection,
    table: str,
    events: Events,
    owners: NDArray[np.uint64],
    told: Mapping[int, str],
) -> None:
    """Put events into a stream, with the contexts of those that have one, by place."""
    rows = list(
        zip(
            events["time"].tolist(),
            events["item"].astype(np.int64).tolist(),  # SQLite's integers are signed
            events["kind"].tolist(),
            owners.astype(np.int64).tolist(),
            strict=True,
        )
    )
    connection.executemany(PUT.format(table), rows)
    if told:
        # numbers ascend without gaps while the write lock is held
        (last,) = connection.execute("SELECT last_insert_rowid()").fetchone()
        first = last - len(rows) + 1
        connection.executemany(
            f"INSERT INTO {table}_context (number, context) VALUES (?, ?)",
            [(first + place, text) for place, text in told.items()],
        )


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
