"""`Live`: keeps a snapshot at the newest write of any process.

Every search asks for the file's version (one lookup). When it moved, the rows and deletions since
are read and applied. A change of the list of segments is not urgent, because the rows of a new
segment are known already: it is taken over in the background, where its files can be verified
first. Only a process that has not searched for a while, and would have to read too much, does so
at once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock

import numpy as np

from shortlist.core.bitmap import unpack
from shortlist.core.errors import StoreError
from shortlist.stores.vectors import manifest
from shortlist.stores.vectors.block import CAPACITY, Block
from shortlist.stores.vectors.manifest import Entry, Sequences, State
from shortlist.stores.vectors.rows import RowFile, Rows
from shortlist.stores.vectors.segment import Segment
from shortlist.stores.vectors.view import Snapshot, View

_READ = 4 * CAPACITY
"""Rows read from the file at a time."""

Loaded = Mapping[str, Segment | StoreError]
"""Segments by name, or what is wrong with one."""


class Live:
    """The newest snapshot of a store.

    Args:
        rows: the rows and the manifest.
        folder: where segments are.
        behind: how many rows a search may read rather than wait for the segments that hold them.
        moved: called when the list of segments has changed and was not taken over yet.
    """

    def __init__(self, rows: RowFile, folder: Path, behind: int, moved: Callable[[], None]) -> None:
        self._rows = rows
        self._folder = folder
        self._behind = behind
        self._moved = moved
        self._lock = Lock()
        self._snapshot = Snapshot()
        self._trusted: set[str] = set()

    def now(self) -> Snapshot:
        """A snapshot that holds every write that returned before this call."""
        snapshot = self._snapshot
        if self._rows.version() == snapshot.version:
            return snapshot
        with self._lock, self._rows.read() as connection:
            state = manifest.state(connection)
            if state.version != self._snapshot.version:
                self._refresh(connection, state)
            return self._snapshot

    def trust(self, name: str) -> None:
        """A segment that this process has just written need not be verified."""
        self._trusted.add(name)

    def take_over(self) -> Snapshot:
        """A snapshot with the segments of the newest manifest; verifies those that are new."""
        while True:
            with self._rows.read() as connection:
                entries = manifest.segments(connection)
            loaded = self._load(entries)
            with self._lock, self._rows.read() as connection:
                entries = manifest.segments(connection)
                if any(entry.name not in loaded for entry in entries):
                    continue  # the manifest moved on meanwhile
                state = manifest.state(connection)
                if state.manifest != self._snapshot.manifest:
                    self._adopt(connection, state, entries, loaded)
                self._refresh(connection, state)
                return self._snapshot

    def _refresh(self, connection: sqlite3.Connection, state: State) -> None:
        """Bring the snapshot to the connection's instant; the lock is held."""
        snapshot = self._snapshot
        if state.manifest != snapshot.manifest:
            pending = self._rows.pending(connection, snapshot.sequence, self._behind + 1)
            if snapshot.gone < state.pruned or pending > self._behind or snapshot.manifest < 0:
                entries = manifest.segments(connection)
                self._adopt(connection, state, entries, self._load(entries))
            else:
                self._moved()
        gone, dead = manifest.gone(connection, self._snapshot.gone)
        snapshot = self._snapshot
        blocks, sequence = snapshot.blocks, snapshot.sequence
        while rows := self._rows.after(connection, sequence, _READ):
            blocks = self._append(blocks, rows)
            sequence = int(rows.sequences[-1])
        self._snapshot = replace(
            snapshot,
            version=state.version,
            gone=gone,
            sequence=sequence,
            segments=tuple(view.without(dead) for view in snapshot.segments),
            blocks=tuple(view.without(dead) for view in blocks),
        )

    def _append(self, blocks: tuple[View, ...], rows: Rows) -> tuple[View, ...]:
        """Views with rows added to the last block and to new ones."""
        start, out = 0, list(blocks)
        while start < len(rows):
            last = out[-1] if out else None
            grows = last is not None and isinstance(last.part, Block) and last.n < CAPACITY
            if last is None or not grows or last.part.size != last.n:
                last = View(Block(self._rows.schema), 0)
                out.append(last)
            assert isinstance(last.part, Block)
            start += last.part.append(rows, start)
            out[-1] = last.grown(last.part.size)
        return tuple(out)

    def _load(self, entries: Sequence[Entry]) -> Loaded:
        """The segments of a manifest, those that are open already as they are."""
        loaded: dict[str, Segment | StoreError] = {
            view.part.name: view.part
            for view in self._snapshot.segments
            if isinstance(view.part, Segment)
        }
        for entry in entries:
            if entry.name in loaded:
                continue
            verify = entry.name not in self._trusted
            try:
                loaded[entry.name] = Segment.load(
                    self._folder / entry.name, entry.digest, self._rows.schema, verify=verify
                )
            except StoreError as error:
                loaded[entry.name] = error
        return loaded

    def _adopt(
        self,
        connection: sqlite3.Connection,
        state: State,
        entries: Sequence[Entry],
        loaded: Loaded,
    ) -> None:
        """Take a manifest over; the lock is held."""
        snapshot = self._snapshot
        segments, damaged = [], {}
        for entry in entries:
            part = loaded[entry.name]
            if isinstance(part, StoreError):
                damaged[entry.name] = str(part)
                continue
            dead = unpack(np.frombuffer(entry.dead, np.uint8), part.size)
            segments.append(View(part, part.size, dead if dead.any() else None))
        blocks: tuple[View, ...] = ()
        if damaged:
            blocks = self._rescued(connection, state, segments)
        for view in snapshot.blocks:
            # Sequences ascend in a block: what is indexed now is its beginning.
            below = int(np.searchsorted(view.sequences, state.indexed, side="right"))
            if below < view.n:
                blocks += (view.without(view.sequences[:below]),)
        gone, dead_now = manifest.gone(connection, 0)
        self._snapshot = Snapshot(
            version=snapshot.version,
            manifest=state.manifest,
            indexed=state.indexed,
            gone=max(gone, state.pruned),
            sequence=max(snapshot.sequence, state.indexed),
            segments=tuple(view.without(dead_now) for view in segments),
            blocks=tuple(view.without(dead_now) for view in blocks),
            damaged=damaged,
        )

    def _rescued(
        self, connection: sqlite3.Connection, state: State, segments: Sequence[View]
    ) -> tuple[View, ...]:
        """Blocks of the rows that should be in segments and are in none that can be used."""
        wanted = self._rows.sequences(connection, state.indexed)
        held: list[Sequences] = [view.sequences for view in segments]
        missing = np.setdiff1d(wanted, np.concatenate([np.empty(0, np.int64), *held]))
        blocks: tuple[View, ...] = ()
        for start in range(0, len(missing), _READ):
            rows = self._rows.of(connection, missing[start : start + _READ])
            blocks = self._append(blocks, rows)
        return blocks
