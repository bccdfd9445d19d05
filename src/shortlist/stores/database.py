"""SQLite as the stores use it: one file in WAL mode, a connection for each thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, local
from typing import Literal

from shortlist.core.errors import StoreError

WAIT = 60_000
"""Milliseconds that a writer waits for another process's transaction to end."""
MAPPED = 1 << 40
"""Bytes of the file that are read through a memory map: as many as SQLite allows (2 GiB)."""


class Database:
    """A SQLite file that threads and processes share.

    Args:
        path: the file, made with its folder if it is not there.
        schema: statements that make the tables where they are not there yet.
        synchronous: `NORMAL` writes a commit to the operating system (a killed process loses
            nothing, a power cut may lose the last commits but never damages the file); `FULL`
            also waits for the disk.
        lost: what to do when the file turns out not to be a database.

    Raises:
        StoreError: the file cannot be opened or is not a database.
    """

    def __init__(
        self,
        path: Path,
        schema: str,
        *,
        synchronous: Literal["NORMAL", "FULL"] = "NORMAL",
        lost: str = "Move the file away; it is made again from the log at the next publish.",
    ) -> None:
        self.path = path
        self._lost = lost
        self._synchronous = synchronous
        self._local = local()
        self._lock = Lock()
        self._open: list[sqlite3.Connection] = []
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"the folder cannot be made ({error.strerror}).",
                remedy="Make it writable.",
                where=str(path.parent),
            ) from error
        with self.write() as connection:
            for statement in schema.split(";"):
                connection.execute(statement)

    def connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect()
            self._local.connection = connection
        return connection

    def _connect(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(
                self.path, timeout=WAIT / 1000, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"PRAGMA synchronous={self._synchronous}")
            connection.execute(f"PRAGMA mmap_size={MAPPED}")
        except sqlite3.Error as error:
            raise self.failed(error) from error
        with self._lock:
            self._open.append(connection)
        return connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the write lock; committed at the end, rolled back on errors."""
        connection = self.connection()
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise self.failed(error) from error

    def failed(self, error: sqlite3.Error) -> StoreError:
        """What to raise for an error of SQLite."""
        remedy = "Check that the disk has room and that the file can be read and written."
        if any(damage in str(error) for damage in ("not a database", "malformed")):
            remedy = self._lost
        return StoreError(f"SQLite says: {error}.", remedy=remedy, where=str(self.path))

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            for connection in self._open:
                connection.close()
            self._open.clear()
        self._local = local()
