"""Which segments there are, and what is gone from them: the manifest, beside the rows.

It is in the rows' own file, so that which rows are in segments and which are not yet changes in
one transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TABLES = """
CREATE TABLE IF NOT EXISTS gone (at INTEGER PRIMARY KEY AUTOINCREMENT, sequence INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS segments (
    name TEXT PRIMARY KEY, digest TEXT NOT NULL, dead BLOB NOT NULL, gone INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS state (
    one INTEGER PRIMARY KEY CHECK (one = 1), format INTEGER NOT NULL, schema TEXT NOT NULL,
    version INTEGER NOT NULL, manifest INTEGER NOT NULL, indexed INTEGER NOT NULL,
    pruned INTEGER NOT NULL, settled INTEGER NOT NULL)
"""

Sequences = NDArray[np.int64]


@dataclass(frozen=True)
class State:
    """Where the store stands.

    Attributes:
        version: grows with every write and every change of the manifest.
        manifest: grows with every change of the list of segments.
        indexed: rows up to this sequence are in segments.
        pruned: `gone` may lack entries up to here.
        settled: entries of `gone` up to here were in segments' own lists at the last change.
    """

    version: int
    manifest: int
    indexed: int
    pruned: int
    settled: int


@dataclass(frozen=True)
class Entry:
    """A segment in the manifest.

    Attributes:
        name: its folder's.
        digest: the checksum of its description, which holds those of its files.
        dead: bitmap of its rows that are gone.
        gone: the entry of `gone` up to which `dead` knows.
    """

    name: str
    digest: str
    dead: bytes
    gone: int


def state(connection: sqlite3.Connection) -> State:
    """Where the store stands."""
    columns = "version, manifest, indexed, pruned, settled"
    return State(*connection.execute(f"SELECT {columns} FROM state").fetchone())


def segments(connection: sqlite3.Connection) -> list[Entry]:
    """The manifest, in order of name."""
    found = connection.execute("SELECT name, digest, dead, gone FROM segments ORDER BY name")
    return [Entry(*row) for row in found]


def gone(connection: sqlite3.Connection, after: int) -> tuple[int, Sequences]:
    """The last entry of `gone`, and the sequences of those after an entry."""
    rows = connection.execute(
        "SELECT at, sequence FROM gone WHERE at > ? ORDER BY at", (after,)
    ).fetchall()
    if not rows:
        return after, np.empty(0, np.int64)
    return rows[-1][0], np.array([row[1] for row in rows], np.int64)


def commit(
    connection: sqlite3.Connection,
    *,
    added: Entry | None,
    kept: Sequence[Entry],
    removed: Sequence[str],
    indexed: int,
) -> None:
    """Change the manifest, inside a transaction of `RowFile.transaction`.

    Args:
        connection: the transaction's.
        added: a new segment.
        kept: segments whose list of dead rows is newer than what is written.
        removed: names of segments that go.
        indexed: the new `State.indexed`.
    """
    connection.executemany("DELETE FROM segments WHERE name = ?", [(n,) for n in removed])
    if added is not None:
        row = (added.name, added.digest, added.dead, added.gone)
        connection.execute("INSERT INTO segments VALUES (?, ?, ?, ?)", row)
    connection.executemany(
        "UPDATE segments SET dead = ?, gone = ? WHERE name = ? AND gone < ?",
        [(entry.dead, entry.gone, entry.name, entry.gone) for entry in kept],
    )
    # A reader that searches now and then finds what it needs in `gone`, because entries
    # stay until the change of the manifest after the one that made them unnecessary.
    settled = state(connection).settled
    lowest, last = connection.execute(
        "SELECT min(gone), (SELECT coalesce(max(at), 0) FROM gone) FROM segments"
    ).fetchone()
    upto = settled if lowest is None else min(settled, lowest)
    connection.execute("DELETE FROM gone WHERE at <= ? AND sequence <= ?", (upto, indexed))
    connection.execute(
        "UPDATE state SET version = version + 1, manifest = manifest + 1, indexed = ?, "
        "pruned = max(pruned, ?), settled = max(settled, ?)",
        (indexed, upto, last),
    )
