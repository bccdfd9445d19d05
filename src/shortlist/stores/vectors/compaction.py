"""Rows into segments, and segments into fewer: built beside what serves, swapped in one commit.

Two things go on independently, each by one process at a time (a lock file each): *flush* makes a
segment of the rows that are in none, *merge* makes one segment of several. A flush takes along what
is still small, because a search visits as many lists of a small segment as of a large one; where a
merge takes long and `PILE` have gathered meanwhile, it takes larger ones too. What two have taken
goes to the one that commits first; the other's work is thrown away. Segments are merged when `FAN`
of about the same size have gathered, or when a third of one is dead, so a row is written about
log(n / flushed) / log(FAN) times, and `FAN` / 2 times at first, and searches see one small segment
and a few of each size above.
Source: O'Neil et al., "The log-structured merge-tree", Acta Informatica 1996; the tiered variant.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Literal

import numpy as np

from shortlist.core.bitmap import pack, unpack
from shortlist.core.progress import Progress
from shortlist.stores.vectors import manifest
from shortlist.stores.vectors.gather import gathered
from shortlist.stores.vectors.live import Live
from shortlist.stores.vectors.manifest import Entry, Sequences
from shortlist.stores.vectors.rows import RowFile
from shortlist.stores.vectors.segment import write_segment
from shortlist.stores.vectors.view import Snapshot, View

FAN = 4
PILE = 2 * FAN
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
        self._choosing = Lock()
        self._taken: set[str] = set()
        folder.mkdir(parents=True, exist_ok=True)

    def flush(self, progress: Progress, *, wait: bool, least: int) -> bool:
        """Make a segment of the rows that are in none; whether one was made.

        None is where there is nothing to do, or where another process has merged meanwhile what
        was to be taken along.

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
            with self._claimed(lambda: self._pile(snapshot)) as pile:
                added = self._written("flush", [*pile, *snapshot.blocks], snapshot, progress)
                removed = [view.part.name for view in pile]
                with self._rows.transaction() as connection:
                    last, dead = manifest.gone(connection, 0)
                    current = {entry.name: entry for entry in manifest.segments(connection)}
                    if _lost(pile, current):
                        self._discard(added)
                        return False
                    dead = _died(pile, current, dead)
                    manifest.commit(
                        connection,
                        added=None if added is None else _entry(*added, dead, last),
                        kept=_kept(snapshot, current, dead, last),
                        removed=[*snapshot.damaged, *removed],
                        indexed=snapshot.sequence,
                    )
            self._unnamed([*snapshot.damaged, *removed])
            self._live.take_over()
            return True

    def merge(self, progress: Progress, *, wait: bool) -> bool:
        """Make one segment of several, if that is due; whether one was made."""
        with self._alone("merge", wait=wait) as mine:
            if not mine:
                return False
            snapshot = self._live.take_over()
            with self._claimed(lambda: plan(self._free(snapshot), self._most)) as chosen:
                if not chosen:
                    return False
                added = self._written("merge", chosen, snapshot, progress)
                with self._rows.transaction() as connection:
                    last, dead = manifest.gone(connection, 0)
                    current = {entry.name: entry for entry in manifest.segments(connection)}
                    if _lost(chosen, current):
                        self._discard(added)
                        return False
                    dead = _died(chosen, current, dead)
                    manifest.commit(
                        connection,
                        added=None if added is None else _entry(*added, dead, last),
                        kept=[],
                        removed=[view.part.name for view in chosen],
                        indexed=manifest.state(connection).indexed,
                    )
            self._unnamed([view.part.name for view in chosen])
            self._live.take_over()
            return True

    @contextmanager
    def _claimed(self, choose: Callable[[], list[View]]) -> Iterator[list[View]]:
        """Segments that no other thread of this process chooses meanwhile."""
        with self._choosing:
            chosen = choose()
            names = {view.part.name for view in chosen}
            self._taken |= names
        try:
            yield chosen
        finally:
            with self._choosing:
                self._taken -= names

    def _free(self, snapshot: Snapshot) -> list[View]:
        return [view for view in snapshot.segments if view.part.name not in self._taken]

    def _pile(self, snapshot: Snapshot) -> list[View]:
        """Segments that no merge has taken and that a flush makes one with its rows.

        A search visits as many lists of a small one as of a large one.
        """
        free = sorted(self._free(snapshot), key=lambda view: view.alive)
        if len([view for view in free if _tier(view, self._most) < 2]) < PILE:
            return [view for view in free if _tier(view, self._most) == 0]
        totals = np.cumsum([view.alive for view in free])
        return free[: int(np.searchsorted(totals, self._most * FAN**2, side="right"))]

    def _discard(self, added: tuple[str, str, Sequences] | None) -> None:
        if added is not None:
            shutil.rmtree(self._folder / added[0], ignore_errors=True)

    def _written(
        self,
        kind: Literal["flush", "merge"],
        views: Sequence[View],
        snapshot: Snapshot,
        progress: Progress,
    ) -> tuple[str, str, Sequences] | None:
        """Name, digest and sequences of a new segment; None where no row is alive."""
        self._sweep(kind)
        content = gathered(views, snapshot.segments, self._rows.schema)
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
            named = {entry.name for entry in manifest.segments(connection)}
        for path in self._folder.glob(f"{_KINDS[kind]}*"):
            old = path.stat().st_mtime < time.time() - GRACE
            if path.name not in named and (old or path.suffix == ".new"):
                shutil.rmtree(path, ignore_errors=True)


def plan(segments: Sequence[View], most: int) -> list[View]:
    """The segments to merge now; none when none is due."""
    tiers: dict[int, list[View]] = {}
    for view in segments:
        tiers.setdefault(_tier(view, most), []).append(view)
    for tier in sorted(tiers):
        if len(tiers[tier]) >= FAN:
            return [view for lower in range(tier + 1) for view in tiers.get(lower, [])]
    rotten = [view for view in segments if view.n - view.alive > view.n * _DEAD]
    return rotten[:1]


def _tier(view: View, most: int) -> int:
    """0 for what a flush takes along, then one more for each `FAN` times as many rows."""
    tier, beyond = 0, most * (FAN - 1)
    while view.alive >= beyond:
        tier, beyond = tier + 1, beyond * FAN
    return tier


def _lost(views: Sequence[View], current: Mapping[str, Entry]) -> bool:
    """Whether another process has made another segment of one of them meanwhile."""
    return any(view.part.name not in current for view in views)


def _died(views: Sequence[View], current: Mapping[str, Entry], dead: Sequences) -> Sequences:
    """Sequences that are dead, with those that died while a new segment was built of views."""
    for view in views:
        flags = unpack(np.frombuffer(current[view.part.name].dead, np.uint8), view.n)
        dead = np.concatenate([dead, view.sequences[flags]])
    return dead


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
        now = replace(view, dead=before).without(dead)
        flags = before if now.dead is None else now.dead
        kept.append(Entry(entry.name, entry.digest, pack(flags).tobytes(), gone))
    return kept
