"""Which items are hidden while serving, in SQLite or in Redis."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shortlist.core.keys import encode, item_key
from shortlist.stores.database import Database
from shortlist.stores.server import Server

SCHEMA = """
CREATE TABLE IF NOT EXISTS hidden (key INTEGER PRIMARY KEY, id BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS version (id INTEGER PRIMARY KEY CHECK (id = 0), value INTEGER NOT NULL);
INSERT OR IGNORE INTO version VALUES (0, 0)
"""
HIDDEN, VERSION = b"shortlist:hidden", b"shortlist:hidden:version"


class SqliteAvailability:
    """Hidden items in one SQLite file.

    Every change waits for the disk: hiding is rare, and an item hidden for a reason stays hidden
    after a power cut.

    Args:
        path: the database file, made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._database = Database(path, SCHEMA, synchronous="FULL")

    def hide(self, ids: Sequence[str]) -> None:
        """Never show these items again; see the contract."""
        rows = [(_signed(id), encode(id)) for id in ids]
        self._change("INSERT OR IGNORE INTO hidden VALUES (?, ?)", rows)

    def show(self, ids: Sequence[str]) -> None:
        """Undo `hide`; see the contract."""
        self._change("DELETE FROM hidden WHERE key = ?", [(_signed(id),) for id in ids])

    def _change(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        with self._database.write() as connection:
            connection.executemany(statement, rows)
            connection.execute("UPDATE version SET value = value + 1")

    def version(self) -> int:
        """A number that grows with every change; one lookup."""
        try:
            connection = self._database.connection()
            return int(connection.execute("SELECT value FROM version").fetchone()[0])
        except sqlite3.Error as error:
            raise self._database.failed(error) from error

    def hidden(self) -> NDArray[np.uint64]:
        """Keys of all hidden items, `uint64[n]`."""
        try:
            rows = self._database.connection().execute("SELECT key FROM hidden").fetchall()
        except sqlite3.Error as error:
            raise self._database.failed(error) from error
        return np.array(rows, np.int64).reshape(-1).astype(np.uint64)

    def close(self) -> None:
        """Close the file."""
        self._database.close()


class RedisAvailability:
    """Hidden items in Redis.

    Args:
        url: where Redis is; its database belongs to one project.

    Raises:
        StoreError: nobody answers at the URL.
    """

    def __init__(self, url: str) -> None:
        self._server = Server(url)
        self._redis = self._server.client

    def hide(self, ids: Sequence[str]) -> None:
        """Never show these items again; see the contract."""
        fields = {item_key(id).to_bytes(8, "little"): encode(id) for id in ids}
        if fields:
            with self._server.errors():
                pipeline = self._redis.pipeline(transaction=True)
                pipeline.hset(HIDDEN, mapping=fields)
                pipeline.incr(VERSION)
                pipeline.execute()

    def show(self, ids: Sequence[str]) -> None:
        """Undo `hide`; see the contract."""
        keys = [item_key(id).to_bytes(8, "little") for id in ids]
        if keys:
            with self._server.errors():
                pipeline = self._redis.pipeline(transaction=True)
                pipeline.hdel(HIDDEN, *keys)
                pipeline.incr(VERSION)
                pipeline.execute()

    def version(self) -> int:
        """A number that grows with every change; one round trip."""
        with self._server.errors():
            return int(self._redis.get(VERSION) or 0)

    def hidden(self) -> NDArray[np.uint64]:
        """Keys of all hidden items, `uint64[n]`."""
        with self._server.errors():
            keys = self._redis.hkeys(HIDDEN)
        return np.frombuffer(b"".join(keys), "<u8").astype(np.uint64)

    def close(self) -> None:
        """Close the connections."""
        self._server.close()


def _signed(id: str) -> int:
    """The key of an id as SQLite keeps integers, signed."""
    key = item_key(id)
    return key - (1 << 64) if key >> 63 else key
