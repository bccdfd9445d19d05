"""Rows into segments, and segments into fewer: built beside what serves, swapped in one commit.

Two things go on independently, each by one process at a time (a lock file each): *flush* makes a
segment of the rows that are in none, *merge* makes one segment of several. Segments are merged
when `FAN` of about the same size have gathered, or when a third of one is dead, so a row is
written about log(n / flushed) / log(FAN) times, and searches see a few segments of each size.
Source: O'Neil et al., "The log-structured merge-tree", Acta Informatica 1996; the tiered variant.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np

from shortlist.core.bitmap import pack, unpack
from shortlist.core.catalogue import Column
from shortlist.core.progress import Progress
from shortlist.stores.vectors.block import Block
from shortlist.stores.vectors.columns import take
from shortlist.stores.vectors.contract import StoreSchema
from shortlist.stores.vectors.live import Live
from shortlist.stores.vectors.rows import Entry, RowFile, Sequences
from shortlist.stores.vectors.segment import Content, Segment, write_segment
from shortlist.stores.vectors.view import Snapshot, View

FAN = 4
GRACE = 300.0
"""Seconds that files stay after the manifest stops naming them, for readers about to open them."""
_DEAD = 1 / 3
_KINDS = {"flush": "f", "merge": "m"}


class Compactor:
    """Flushes and merges of one store.

    Args:
        rows: the rows and the manifest.
        live: gives snapshots.
        folder: where segments are.
        most: how many rows may wait before they are flushed.
    """

    def __init__(self, rows: RowFile, live: Live, folder: Path, most: int) -> None:
        self._rows = rows
        self._live = live
        self._folder = folder
        self._most = most
        folder.mkdir(parents=True, exist_ok=True)

    def flush(self, progress: Progress, *, wait: bool, least: int) -> bool:
        """Make a segment of the rows that are in none; whether there was anything to do.

        Args:
            progress: told of the build.
            wait: wait for another process that flushes; else leave it to that one.
            least: do nothing where fewer rows wait.
        """
        with self._alone("flush", wait=wait) as mine:
            if not mine:
                return False
            snapshot = self._live.take_over()
            if not snapshot.damaged and snapshot.waiting < max(least, 1):
                return False
            added = self._written("flush", snapshot.blocks, progress)
            with self._rows.transaction() as connection:
                last, dead = self._rows.gone(connection, 0)
                current = {entry.name: entry for entry in self._rows.segments(connection)}
                self._rows.commit(
                    connection,
                    added=None if added is None else _entry(*added, dead, last),
                    kept=_kept(snapshot, current, dead, last),
                    removed=list(snapshot.damaged),
                    indexed=snapshot.sequence,
                )
            self._unnamed(snapshot.damaged)
            self._live.take_over()
            return True

    def merge(self, progress: Progress, *, wait: bool) -> bool:
        """Make one segment of several, if that is due; whether it was."""
        with self._alone("merge", wait=wait) as mine:
            if not mine:
                return False
            snapshot = self._live.take_over()
            chosen = plan(snapshot.segments, self._most)
            if not chosen:
                return False
            added = self._written("merge", chosen, progress)
            with self._rows.transaction() as connection:
                last, dead = self._rows.gone(connection, 0)
                current = {entry.name: entry for entry in self._rows.segments(connection)}
                for view in chosen:  # rows that died while the new segment was built
                    entry = current[view.part.name]
                    flags = unpack(np.frombuffer(entry.dead, np.uint8), view.n)
                    dead = np.concatenate([dead, view.sequences[flags]])
                self._rows.commit(
                    connection,
                    added=None if added is None else _entry(*added, dead, last),
                    kept=[],
                    removed=[view.part.name for view in chosen],
                    indexed=self._rows.state(connection).indexed,
                )
            self._unnamed([view.part.name for view in chosen])
            self._live.take_over()
            return True

    def _written(
        self,
        kind: Literal["flush", "merge"],
        views: Sequence[View],
        progress: Progress,
    ) -> tuple[str, str, Sequences] | None:
        """Name, digest and sequences of a new segment; None where no row is alive."""
        self._sweep(kind)
        content = gathered(views, self._rows.schema)
        if content is None:
            return None
        name = f"{_KINDS[kind]}{time.time_ns():019d}{secrets.token_hex(4)}"
        digest = write_segment(self._folder / name, content, self._rows.schema, progress)
        self._live.trust(name)
        return name, digest, content.sequences

    @contextmanager
    def _alone(self, kind: str, *, wait: bool) -> Iterator[bool]:
        """Hold the lock of a kind of work; the system lets it go when the process dies."""
        path = self._folder.with_name(f"{kind}.lock")
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
                return
            yield True
        finally:
            os.close(handle)

    def _unnamed(self, names: Iterable[str]) -> None:
        """The manifest no longer names these: start their time of grace."""
        for name in names:
            if (self._folder / name).is_dir():
                os.utime(self._folder / name)

    def _sweep(self, kind: Literal["flush", "merge"]) -> None:
        """Remove folders of a kind that nothing names: merged ones, and those of killed builds."""
        with self._rows.read() as connection:
            named = {entry.name for entry in self._rows.segments(connection)}
        for path in self._folder.glob(f"{_KINDS[kind]}*"):
            old = path.stat().st_mtime < time.time() - GRACE
            if path.name not in named and (old or path.suffix == ".new"):
                shutil.rmtree(path, ignore_errors=True)


def plan(segments: Sequence[View], most: int) -> list[View]:
    """The segments to merge now; none when none is due."""
    tiers: dict[int, list[View]] = {}
    for view in segments:
        tier = 0
        while view.alive > most * FAN ** (tier + 1):
            tier += 1
        tiers.setdefault(tier, []).append(view)
    for tier in sorted(tiers):
        if len(tiers[tier]) >= FAN:
            return [view for lower in range(tier + 1) for view in tiers.get(lower, [])]
    rotten = [view for view in segments if view.n - view.alive > view.n * _DEAD]
    return rotten[:1]


def gathered(views: Sequence[View], schema: StoreSchema) -> Content | None:
    """The rows of views that are alive, by sequence; None where there is none."""
    views = [view for view in views if view.alive]
    if not views:
        return None
    sequences = np.concatenate([view.sequences[view.alive_rows] for view in views])
    order = np.argsort(sequences, kind="stable")
    sorted_already = bool((order[1:] > order[:-1]).all())

    def columns(of: list[Column]) -> Column:
        joined = take([(col, view.alive_rows) for col, view in zip(of, views, strict=True)])
        return joined if sorted_already else take([(joined, order)])

    ids = [_ids(view) for view in views]
    held = {}
    for field in schema.fields:
        parts = [view.part.held(field.name, view.alive_rows) for view in views]
        joined = parts[0] if len(parts) == 1 else np.concatenate(parts)
        held[field.name] = joined if sorted_already else joined[order]
    return Content(
        sequences[order],
        columns(ids),
        {
            name: columns([view.part.column(name, view.n) for view in views])
            for name in schema.attributes
        },
        held,
    )


def _ids(view: View) -> Column:
    if isinstance(view.part, Segment):
        return view.part.id_column
    assert isinstance(view.part, Block)
    return Column.text(view.part.ids(np.arange(view.n)))


def _entry(name: str, digest: str, sequences: Sequences, dead: Sequences, gone: int) -> Entry:
    return Entry(name, digest, pack(np.isin(sequences, dead)).tobytes(), gone)


def _kept(snapshot: Snapshot, current: dict[str, Entry], dead: Sequences, gone: int) -> list[Entry]:
    """Segments of the snapshot that are still named, with the rows that have died since."""
    kept = []
    for view in snapshot.segments:
        entry = current.get(view.part.name)
        if entry is None:
            continue
        before = unpack(np.frombuffer(entry.dead, np.uint8), view.n)
        flags = before | np.isin(view.sequences, dead)
        kept.append(Entry(entry.name, entry.digest, pack(flags).tobytes(), gone))
    return kept
