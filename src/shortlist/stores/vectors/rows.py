"""The truth of the embedded store: one SQLite file of every record, and of the `manifest`.

Every write of a record makes a new row with a new `sequence`, the primary key, so what changed
since any instant is a range of it. A row that is replaced or deleted leaves its sequence in
`gone`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from shortlist.core.errors import ConfigError, StoreError
from shortlist.core.keys import decode, encode
from shortlist.stores.database import Database
from shortlist.stores.vectors import manifest
from shortlist.stores.vectors.checks import Batch
from shortlist.stores.vectors.contract import Attribute, Records, StoreSchema
from shortlist.stores.vectors.manifest import Sequences

FORMAT = 1
"""The version of the folder's layout that this package writes and the newest it reads."""

_ROWS = """
CREATE TABLE IF NOT EXISTS rows (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE, content TEXT NOT NULL,
    attributes BLOB NOT NULL, vectors BLOB NOT NULL)
"""
_SOME = 500  # parameters of one statement

T = TypeVar("T")


@dataclass(frozen=True)
class Rows:
    """Rows of the table, ascending by sequence."""

    sequences: Sequences
    ids: list[str]
    attributes: dict[str, list[Attribute]]
    vectors: dict[str, NDArray[np.float32]]
    content: list[str]

    def __len__(self) -> int:
        return len(self.ids)


class RowFile:
    """Records and manifest in SQLite.

    Every commit waits for the disk (`synchronous=FULL`, write-ahead log): what a call has written
    survives a killed process and a power cut.

    Args:
        path: the file, made where it is not there.
        schema: what records are made of; None where the file must be there.

    Raises:
        ConfigError: there is no store and no schema, or the store is of another schema.
        StoreError: the file cannot be opened, or is of a newer version.
    """

    def __init__(self, path: Path, schema: StoreSchema | None) -> None:
        if schema is None and not path.exists():
            raise ConfigError(
                "there is no vector store here.",
                remedy="Make one with `shortlist vectors create`, or give `open_vectors` a schema.",
                where=str(path.parent),
            )
        self.path = path
        self._database = Database(
            path, f"{_ROWS};{manifest.TABLES}", synchronous="FULL", lost=_LOST
        )
        with self._database.write() as connection:
            if schema is not None:
                connection.execute(
                    "INSERT OR IGNORE INTO state VALUES (1, ?, ?, 0, 0, 0, 0, 0)",
                    (FORMAT, schema.to_json().decode()),
                )
            found = connection.execute("SELECT format, schema FROM state").fetchone()
        self.schema = self._same(found, schema)
        self._attributes = msgspec.msgpack.Decoder()

    def _same(self, found: tuple[int, str] | None, schema: StoreSchema | None) -> StoreSchema:
        if found is None:
            raise StoreError("holds no vector store.", remedy=_LOST, where=str(self.path))
        if found[0] > FORMAT:
            raise StoreError(
                f"has format {found[0]}, and this version reads up to {FORMAT}.",
                remedy="Upgrade shortlist.",
                where=str(self.path),
            )
        kept = StoreSchema.from_json(found[1])
        if schema is not None and schema != kept:
            raise ConfigError(
                f"the store holds {_described(kept)}, and {_described(schema)} was asked for.",
                remedy="Open it without a schema, or make another store and write the records "
                "there.",
                where=str(self.path.parent),
            )
        return kept

    def version(self) -> int:
        """`State.version`; what every search asks first."""
        try:
            connection = self._database.connection()
            return int(connection.execute("SELECT version FROM state").fetchone()[0])
        except sqlite3.Error as error:
            raise self._database.failed(error) from error

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A transaction that sees one state of the file and waits for nobody."""
        connection = self._database.connection()
        try:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise self._database.failed(error) from error

    def write(self, batch: Batch) -> None:
        """Replace or add records, all or none."""
        order = list(batch.attributes.values())
        pack = msgspec.msgpack.Encoder().encode
        blobs = np.concatenate([*batch.vectors.values()], axis=1).astype("<f4", copy=False)
        rows = [
            (
                encode(id),
                batch.content[place],
                pack([values[place] for values in order]),
                blobs[place].tobytes(),
            )
            for place, id in enumerate(batch.ids)
        ]
        with self._database.write() as connection:
            _remove(connection, [row[0] for row in rows])
            connection.executemany(
                "INSERT INTO rows (id, content, attributes, vectors) VALUES (?, ?, ?, ?)", rows
            )
            connection.execute("UPDATE state SET version = version + 1")

    def delete(self, ids: Sequence[str]) -> int:
        """Remove records; how many were there."""
        with self._database.write() as connection:
            removed = _remove(connection, [encode(id) for id in ids])
            if removed:
                connection.execute("UPDATE state SET version = version + 1")
        return removed

    def after(self, connection: sqlite3.Connection, sequence: int, limit: int) -> Rows:
        """Rows written after a sequence, at most `limit`."""
        return self._rows(
            connection.execute(
                f"{_SELECT} WHERE sequence > ? ORDER BY sequence LIMIT ?", (sequence, limit)
            ).fetchall()
        )

    def pending(self, connection: sqlite3.Connection, sequence: int, limit: int) -> int:
        """How many rows were written after a sequence; counting stops at `limit`."""
        query = "SELECT count(*) FROM (SELECT 1 FROM rows WHERE sequence > ? LIMIT ?)"
        return int(connection.execute(query, (sequence, limit)).fetchone()[0])

    def sequences(self, connection: sqlite3.Connection, upto: int) -> Sequences:
        """The sequences of all rows up to one, ascending."""
        found = connection.execute("SELECT sequence FROM rows WHERE sequence <= ?", (upto,))
        return np.sort(np.fromiter((row[0] for row in found), np.int64))

    def of(self, connection: sqlite3.Connection, sequences: Sequences) -> Rows:
        """The rows of ascending sequences."""
        found = []
        for some in _chunks(sequences.tolist()):
            found += connection.execute(
                f"{_SELECT} WHERE sequence IN ({_marks(some)}) ORDER BY sequence", some
            ).fetchall()
        return self._rows(found)

    def get(self, ids: Sequence[str]) -> Rows:
        """The rows of ids that are there, in the order of their sequences."""
        found = []
        with self.read() as connection:
            for some in _chunks([encode(id) for id in ids]):
                found += connection.execute(
                    f"{_SELECT} WHERE id IN ({_marks(some)})", some
                ).fetchall()
        return self._rows(found)

    def page(self, after: str, limit: int) -> Rows:
        """Rows in the order of ids, from after one on."""
        with self.read() as connection:
            found = connection.execute(
                f"{_SELECT} WHERE id > ? ORDER BY id LIMIT ?", (encode(after), limit)
            ).fetchall()
        return self._rows(found)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the write lock."""
        with self._database.write() as connection:
            yield connection

    def records(self, rows: Rows, fields: Sequence[str]) -> Records:
        """Rows as callers get them."""
        encoders = {field.name: field.encoder for field in self.schema.fields}
        return Records(
            ids=rows.ids,
            missing=[],
            vectors={name: rows.vectors[name] for name in fields},
            attributes=rows.attributes,
            encoders={name: encoders[name] for name in fields},
            content=rows.content,
        )

    def _rows(self, found: list[tuple[int, bytes, str, bytes, bytes]]) -> Rows:
        width = sum(field.dim for field in self.schema.fields)
        try:
            flat = np.frombuffer(b"".join(row[4] for row in found), "<f4")
            matrix = flat.reshape(len(found), width).astype(np.float32, copy=False)
            values = [self._attributes.decode(row[3]) for row in found]
        except (ValueError, msgspec.DecodeError) as error:
            raise StoreError(
                f"a row cannot be read: {error}.", remedy=_LOST, where=str(self.path)
            ) from error
        vectors, start = {}, 0
        for field in self.schema.fields:
            vectors[field.name] = matrix[:, start : start + field.dim]
            start += field.dim
        return Rows(
            sequences=np.array([row[0] for row in found], np.int64),
            ids=[decode(row[1]) for row in found],
            attributes={
                name: [row[place] for row in values]
                for place, name in enumerate(self.schema.attributes)
            },
            vectors=vectors,
            content=[row[2] for row in found],
        )

    def close(self) -> None:
        """Close the connections of all threads."""
        self._database.close()


_SELECT = "SELECT sequence, id, content, attributes, vectors FROM rows"
_LOST = "The file is damaged; restore it from a backup, or write the records again."


def _remove(connection: sqlite3.Connection, keys: list[bytes]) -> int:
    removed = 0
    for some in _chunks(keys):
        dead = connection.execute(
            f"DELETE FROM rows WHERE id IN ({_marks(some)}) RETURNING sequence", some
        ).fetchall()
        connection.executemany("INSERT INTO gone (sequence) VALUES (?)", dead)
        removed += len(dead)
    return removed


def _chunks(values: list[T]) -> Iterator[list[T]]:
    for start in range(0, len(values), _SOME):
        yield values[start : start + _SOME]


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))


def _described(schema: StoreSchema) -> str:
    fields = [
        f"{field.name} ({field.dim}, {field.metric}, encoder {field.encoder or 'unnamed'})"
        for field in schema.fields
    ]
    attributes = [f"{name} ({kind})" for name, kind in schema.attributes.items()]
    return ", ".join(fields + attributes)
