"""Collect: take what is new in the event sources into the lake.

Parts of the sources are staged in DuckDB, freed of duplicates against the lake's months that they
touch, and committed one by one by replacing the manifest. A run that is killed loses at most
the part it was at; the next run goes on there, under the rules the killed one had begun with.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import ibis.expr.types as ir
import pyarrow as pa
from xxhash import xxh3_64_hexdigest

from shortlist.config.schema import Config, EventsSection
from shortlist.core.progress import Progress
from shortlist.core.times import iso, now, parse_span
from shortlist.offline.data.engine import engine, stored, viewed
from shortlist.offline.data.lake import Lake, SourceState
from shortlist.offline.data.scan import read_raw, readable, require, require_keys
from shortlist.offline.data.source import Source, batches, connected, locate
from shortlist.offline.data.staging import (
    INBOX_CONTEXT,
    Batch,
    Staging,
    context_key,
    stage_rows,
)
from shortlist.offline.data.unread import PART_ROWS, Part, parts, unread_state
from shortlist.offline.data.values import time_bound

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend

INBOX = "inbox"
_COLUMNS = ("user", "item", "time", "kind", "position", "request", "propensity", "variants")


@dataclass
class CollectReport:
    """What one run took in and what it left.

    Attributes:
        taken: events added to the lake.
        late: of those, how many were no newer than what the lake held of their source.
        duplicates: events that the lake or the same run already had.
        too_late: events further behind the watermark than `lateness`.
        unusable: rows without a user, an item or a time.
        files_read, files_skipped: source files with and without anything new.
        examples: `duplicates`, `too_late`, `unusable` → one such row.
        watermark: the newest event time in the lake, microseconds; None for an empty lake.
        events: all events in the lake.
    """

    taken: int = 0
    late: int = 0
    duplicates: int = 0
    too_late: int = 0
    unusable: int = 0
    files_read: int = 0
    files_skipped: int = 0
    examples: dict[str, str] = field(default_factory=dict)
    watermark: int | None = None
    events: int = 0

    def add(self, batch: Batch) -> None:
        """Count what one commit did."""
        for name in ("taken", "late", "duplicates", "too_late", "unusable"):
            setattr(self, name, getattr(self, name) + getattr(batch, name))
        self.examples = batch.examples | self.examples

    def lines(self) -> list[str]:
        """The report as lines of text."""
        upto = f", up to {iso(self.watermark)}" if self.watermark is not None else ""
        lines = [f"{self.taken:,} new events; the lake holds {self.events:,}{upto}"]
        if self.late:
            lines.append(f"{self.late:,} of them came late")
        for name, what in (
            ("duplicates", "duplicates left out"),
            ("too_late", "events left out that came later than `data.events.lateness` allows"),
            ("unusable", "rows left out without a user, an item or a time"),
        ):
            if count := getattr(self, name):
                lines.append(f"{count:,} {what}, such as {self.examples[name]}")
        return lines


def collect(config: Config, folder: Path, progress: Progress) -> CollectReport:
    """Take what is new in `data.events` and the inbox into the lake.

    Args:
        config: the project's configuration.
        folder: the project folder; state goes to `.shortlist` in it.
        progress: told of bytes read.

    Raises:
        DataError: a source is missing, damaged or lacks a column; what was committed before
            stays, and the next run goes on from there. Or another process is collecting.
    """
    lake = Lake(folder)
    with lake.locked(), engine(lake.folder / "scratch") as con:
        lake.remove_orphans()
        run = _Run(config, folder, lake, con, progress)
        run.take_files(INBOX, _inbox(folder), _inbox_columns(config.data.events))
        source = locate(config.data.events, folder)
        columns = event_columns(config.data.events)
        if source.is_database:
            run.take_database(source, columns)
        else:
            run.take_files(f"{source.section} {source.path}", source.files, columns)
        return run.finish()


def _inbox(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted((folder / ".shortlist" / "inbox").glob("*.jsonl")))


def event_columns(section: EventsSection) -> dict[str, str]:
    """Config key → column, of every column that the section names."""
    columns = {key: getattr(section, key) for key in _COLUMNS if getattr(section, key)}
    return columns | {context_key(name): name for name in section.context}


def _inbox_columns(section: EventsSection) -> dict[str, str]:
    """The same of what servers write: all contexts are in one object."""
    columns = {name: name for name in _COLUMNS}
    return columns | {context_key(name): INBOX_CONTEXT for name in section.context}


class _Run:
    """One run of `collect`: the manifest as it grows and the report."""

    def __init__(
        self, config: Config, folder: Path, lake: Lake, con: Backend, progress: Progress
    ) -> None:
        self.lateness = parse_span(config.data.events.lateness)
        self.folder, self.lake, self.con, self.progress = folder, lake, con, progress
        self.manifest = lake.manifest()
        self.staging = Staging(con, config.data.events.context)
        self.report = CollectReport()

    def take_files(self, key: str, files: tuple[Path, ...], columns: dict[str, str]) -> None:
        """Stage and commit what is new in files."""
        if not files:
            return
        state = self.begin(key, columns)
        unread = []
        for file in files:
            start = unread_state(file, state.files.get(self._name(file)), state.floor)
            if start is not None:
                unread.append((file, start))
        self.report.files_read += len(unread)
        self.report.files_skipped += len(files) - len(unread)
        if not unread:
            state.reading = False
            return
        size = sum(start.size - start.offset for _, start in unread)
        self.progress.step(f"collect {key}", max(size, 1))
        scratch = self.lake.folder / "scratch"
        for file, start in unread:
            for part in parts(file, start, scratch, only_whole_lines=key == INBOX):
                table = self._scan(part, columns, is_inbox=key == INBOX)
                since = part.state.since
                rows = stage_rows(
                    table, columns, str(file), state.floor, since, is_inbox=key == INBOX
                )
                with readable(file, part.lines_before, part.path):
                    self.staging.add(rows)
                state.files[self._name(file)] = part.state
                if len(self.staging) >= PART_ROWS:
                    self.commit(state)
                self.progress.advance(part.size)
        self.end(state)

    def take_database(self, source: Source, columns: dict[str, str]) -> None:
        """Stage and commit the rows of a database's table that are newer than the floor."""
        key = f"database {xxh3_64_hexdigest(source.path.encode())} {source.table}"
        state = self.begin(key, columns)
        since = state.floor if state.complete else None
        self.progress.step(f"collect {source.table}")
        with connected(source) as table:
            require(table.columns, columns, f"{source.section}, table {source.table}")
            wanted = table.select(*dict.fromkeys(columns.values()))
            if since is not None:
                column = wanted[columns["time"]]
                newest = table.get_backend().to_pyarrow(column.max()).as_py()
                bound = time_bound(column, since, newest)
                wanted = wanted if bound is None else wanted.filter(bound)
            for batch in batches(wanted):
                rows = stored(self.con, pa.Table.from_batches([batch]), "batch")
                self.staging.add(stage_rows(rows, columns, source.table, state.floor, since))
                if len(self.staging) >= PART_ROWS:
                    self.commit(state)
        self.end(state)

    def begin(self, key: str, columns: dict[str, str]) -> SourceState:
        """The state of a source, open for this run; a killed run's floor stays in force."""
        state = self.manifest.sources.setdefault(key, SourceState(columns))
        state.check_columns(columns, key)
        if not state.reading:
            state.reading = True
            mark = state.watermark
            state.floor = None if mark is None else mark - self.lateness
        return state

    def end(self, state: SourceState) -> None:
        """Commit the rest of a source and close its run."""
        state.reading = False
        state.complete = True
        self.commit(state)

    def commit(self, state: SourceState) -> None:
        """Write what is staged into the lake and make it count."""
        before = None if state.floor is None else state.floor + self.lateness
        batch = self.staging.take(self.lake, self.manifest, before)
        self.manifest.commits += 1
        self.manifest.files.extend(batch.files)
        if batch.newest is not None:
            # An event from the future must not make everything until then too late.
            newest = min(batch.newest, now())
            state.watermark = max(newest, newest if state.watermark is None else state.watermark)
            marks = [each.watermark for each in self.manifest.sources.values()]
            self.manifest.watermark = max(mark for mark in marks if mark is not None)
        self.lake.commit(self.manifest)
        self.report.add(batch)

    def finish(self) -> CollectReport:
        """The report, complete."""
        self.report.watermark = self.manifest.watermark
        self.report.events = sum(file.rows for file in self.manifest.files)
        for line in self.report.lines():
            self.progress.note(line)
        return self.report

    def _name(self, file: Path) -> str:
        """A file's name in the manifest; a project folder may move with its files."""
        return str(file.relative_to(self.folder) if file.is_relative_to(self.folder) else file)

    def _scan(self, part: Part, columns: dict[str, str], is_inbox: bool) -> ir.Table:
        if part.lines_before == 0 and not is_inbox:
            require_keys(self.con, part.path, columns, str(part.file))
        # A server that was killed may leave half a line, which must not stop every collect.
        if part.rows:
            scan = part.parquet_scan()
        else:
            scan = read_raw(part.path, columns, skip_broken=is_inbox)
        with readable(part.file, part.lines_before, part.path):
            return viewed(self.con, scan, "part")
