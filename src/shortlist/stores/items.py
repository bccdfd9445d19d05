"""Items written while serving: what they are, durably, and the vectors of their texts.

One SQLite file beside the histories. A write is on the disk when it returns, and gets the next
sequence number, by which every process finds what it has not seen yet. Items stay here when a
release has taken them in: the next training reads them again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_128_hexdigest

from shortlist.core.catalogue import Value
from shortlist.core.errors import StoreError
from shortlist.core.keys import decode, encode, item_key
from shortlist.core.times import now
from shortlist.stores.database import Database
from shortlist.stores.vectors.contract import Records, StoreSchema, VectorField

NEVER = np.iinfo(np.int64).max
"""The expiry of an item that never expires."""
_FILE = "items.sqlite"
_TOGETHER = 500  # keys in one statement

SCHEMA = """
CREATE TABLE IF NOT EXISTS items (key INTEGER PRIMARY KEY, id BLOB NOT NULL, body BLOB NOT NULL,
    content TEXT NOT NULL, written INTEGER NOT NULL, sequence INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS items_sequence ON items (sequence);
CREATE TABLE IF NOT EXISTS sequence (id INTEGER PRIMARY KEY CHECK (id = 0), value INTEGER NOT NULL);
INSERT OR IGNORE INTO sequence VALUES (0, {start});
CREATE TABLE IF NOT EXISTS vectors (encoder TEXT NOT NULL, key INTEGER NOT NULL,
    content TEXT NOT NULL, vector BLOB NOT NULL, PRIMARY KEY (encoder, key)) WITHOUT ROWID
"""


def items_file(state: Path) -> Path:
    """Where a project's written items are.

    Args:
        state: its `.shortlist/state`.
    """
    return state / _FILE


class ItemBody(msgspec.Struct, frozen=True):
    """What an item is.

    Attributes:
        attributes: values of attributes and texts, as `core.catalogue.Column.value` gives them;
            what is missing is left out.
        available: whether it may be shown.
        expires: the instant from which it may not, microseconds.
    """

    attributes: dict[str, Value]
    available: bool = True
    expires: int = NEVER

    def content(self) -> str:
        """What stands for all of it: equal bodies have equal content."""
        return xxh3_128_hexdigest(_encode(self))


@dataclass(frozen=True, slots=True)
class LiveItem:
    """An item as it was written.

    Attributes:
        id: who it is.
        body: what it is.
        written: when, microseconds.
        sequence: the number of the write, ascending.
    """

    id: str
    body: ItemBody
    written: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Encoded:
    """Vectors of the texts of some items, by one encoder.

    Attributes:
        encoder: its version.
        ids: the items.
        vectors: `float32[len(ids), dim]`.
        content: the hash of each text.
    """

    encoder: str
    ids: Sequence[str]
    vectors: NDArray[np.float32]
    content: Sequence[str]


class ItemStore:
    """Items in one SQLite file that threads and processes share.

    Args:
        path: the file, made if it is not there.

    Raises:
        StoreError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        lost = "Move the file away, and ingest its items again."
        # Numbers go on from the clock: they grow even where the file was lost and made anew.
        schema = SCHEMA.format(start=now())
        self._database = Database(path, schema, synchronous="FULL", lost=lost)

    def put(
        self, items: Sequence[tuple[str, ItemBody]], written: int, encoded: Sequence[Encoded] = ()
    ) -> int:
        """Write items with the vectors of their texts, all or none, durable when it returns.

        Args:
            items: ids, each once, and bodies; they replace what is there.
            written: this instant, microseconds.
            encoded: vectors, also of items that are there already.

        Returns:
            The sequence number of the last write.
        """
        vectors = [
            (one.encoder, _signed(id), content, vector.tobytes())
            for one in encoded
            for id, content, vector in zip(one.ids, one.content, one.vectors, strict=True)
        ]
        with self._database.write() as connection:
            connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?)", vectors)
            (last,) = connection.execute("SELECT value FROM sequence").fetchone()
            rows = [
                (_signed(id), encode(id), _encode(body), body.content(), written, last + 1 + n)
                for n, (id, body) in enumerate(items)
            ]
            connection.executemany("INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?, ?, ?)", rows)
            connection.execute("UPDATE sequence SET value = ?", (last + len(rows),))
        return int(last) + len(rows)

    def sequence(self) -> int:
        """The number of the newest write; one lookup, asked at each batch of requests."""
        return int(self._all("SELECT value FROM sequence")[0][0])

    def since(self, sequence: int) -> list[LiveItem]:
        """Items written after a number, oldest write first."""
        return self._items("WHERE sequence > ? ORDER BY sequence", [sequence])

    def get(self, ids: Sequence[str]) -> dict[str, LiveItem]:
        """Those of some items that are here, by id."""
        found: list[LiveItem] = []
        for start in range(0, len(ids), _TOGETHER):
            keys = [_signed(id) for id in ids[start : start + _TOGETHER]]
            found += self._items(f"WHERE key IN ({','.join('?' * len(keys))})", keys)
        return {item.id: item for item in found}

    def vectors(self, encoder: str, dim: int) -> ItemVectors:
        """The vectors that one encoder made."""
        return ItemVectors(self, encoder, dim)

    def trim(self, sequence: int) -> None:
        """Drop the vectors of items written up to a number: a release has them now."""
        with self._database.write() as connection:
            connection.execute(
                "DELETE FROM vectors WHERE key IN (SELECT key FROM items WHERE sequence <= ?)",
                (sequence,),
            )

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _items(self, where: str, values: Sequence[int]) -> list[LiveItem]:
        rows = self._all(f"SELECT id, body, written, sequence FROM items {where}", values)
        try:
            return [
                LiveItem(decode(id), msgspec.json.decode(body, type=ItemBody), written, sequence)
                for id, body, written, sequence in rows
            ]
        except msgspec.MsgspecError as error:
            raise StoreError(
                f"an item in it cannot be read: {error}.",
                remedy="Move the file away, and ingest its items again.",
                where=str(self._database.path),
            ) from error

    def _all(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._database.connection().execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise self._database.failed(error) from error


class ItemVectors:
    """The vectors of one encoder, as `stores.vectors.reuse.embed` asks for them."""

    def __init__(self, store: ItemStore, encoder: str, dim: int) -> None:
        self._store = store
        self._field = VectorField("text", dim, "dot", encoder)
        self.schema = StoreSchema((self._field,))

    def get(self, ids: Sequence[str], fields: Sequence[str] | None = None) -> Records:
        """The vectors of ids; see `VectorStore.get`."""
        rows: dict[int, tuple[str, bytes]] = {}
        keys = {id: _signed(id) for id in ids}
        wanted = list(keys.values())
        for start in range(0, len(wanted), _TOGETHER):
            part = wanted[start : start + _TOGETHER]
            marks = ",".join("?" * len(part))
            statement = (
                f"SELECT key, content, vector FROM vectors WHERE encoder = ? AND key IN ({marks})"
            )
            for key, content, vector in self._store._all(statement, [self._field.encoder, *part]):
                rows[key] = (content, vector)
        found = [id for id in ids if keys[id] in rows]
        blob = b"".join(rows[keys[id]][1] for id in found)
        matrix = np.frombuffer(blob, np.float32).reshape(len(found), self._field.dim)
        return Records(
            ids=found,
            missing=[id for id in ids if keys[id] not in rows],
            vectors={"text": matrix},
            attributes={},
            encoders={"text": self._field.encoder},
            content=[rows[keys[id]][0] for id in found],
        )


def _encode(body: ItemBody) -> bytes:
    return msgspec.json.encode(body, order="deterministic")


def _signed(id: str) -> int:
    """The key of an id as SQLite keeps integers, signed."""
    key = item_key(id)
    return key - (1 << 64) if key >> 63 else key
