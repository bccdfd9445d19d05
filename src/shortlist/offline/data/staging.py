"""Staged events: rows of any source in one shape, freed of duplicates and written into the lake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.types as ir
import pyarrow.parquet as pq
from xxhash import xxh3_64_hexdigest

from shortlist.core.context import COLUMN
from shortlist.offline.data.engine import named, quote
from shortlist.offline.data.files import sync
from shortlist.offline.data.lake import Lake, LakeFile, Manifest
from shortlist.offline.data.values import (
    as_chance,
    as_id,
    as_integer,
    as_keyword,
    as_object,
    as_time,
)

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend

DEFAULT_KIND = "event"
INBOX_CONTEXT = "context"
"""The key of an inbox line that holds the contexts of its event."""
_USABLE, _UNUSABLE, _TOO_LATE = 0, 1, 2


def context_key(name: str) -> str:
    """The config key of the column of a context."""
    return f"context.{name}"


def stage_rows(
    table: ir.Table,
    columns: Mapping[str, str],
    name: str,
    floor: int | None,
    since: int | None,
    *,
    is_inbox: bool = False,
) -> ir.Table:
    """A source's rows in the lake's columns, and status and example.

    The example is the row as the source has it, for messages.

    Args:
        table: rows with the columns as the source has them.
        columns: config key → column, without those that the source does not have.
        name: the source's name in examples.
        floor: events up to this instant are too late; None for none.
        since: rows up to this instant are passed over in silence; None for none.
        is_inbox: whether contexts are in one object.

    Raises:
        DataError: the column of a context is of a type that has no keywords.
    """
    none = ibis.null("string")
    user, item = as_id(table[columns["user"]]), as_id(table[columns["item"]])
    time = as_time(table[columns["time"]])
    kind = as_id(table[columns["kind"]]) if "kind" in columns else none
    request = as_id(table[columns["request"]]) if "request" in columns else none
    position = as_integer(table[columns["position"]]) if "position" in columns else None
    chance = as_chance(table[columns["propensity"]]) if "propensity" in columns else None
    variants = as_object(table[columns["variants"]]) if "variants" in columns else none
    too_late = ibis.literal(False) if floor is None else time <= floor
    unusable = user.isnull() | item.isnull() | time.isnull()
    raw = [table[columns[key]].cast("string").fill_null("null") for key in ("user", "item", "time")]
    shown = raw[0] + ", " + raw[1] + ", " + raw[2] + f" ({name})"
    rows = table.select(
        user=user,
        item=item,
        time=time,
        kind=kind.fill_null(DEFAULT_KIND),
        position=ibis.null("int32") if position is None else position,
        request=request,
        propensity=ibis.null("float32") if chance is None else chance,
        variants=variants,
        **_contexts(table, columns, name, is_inbox),
        status=ibis.cases((unusable, _UNUSABLE), (too_late, _TOO_LATE), else_=_USABLE),
        example=shown,
    )
    return rows if since is None else rows.filter(rows.time > since)


def _contexts(
    table: ir.Table, columns: Mapping[str, str], where: str, is_inbox: bool
) -> dict[str, ir.Column]:
    """The columns of contexts, as the lake has them."""
    told = {}
    for key, column in columns.items():
        role, _, name = key.partition(".")
        if role == "context" and is_inbox:
            told[COLUMN + name] = as_keyword(table[column].try_cast("json")[name].str)
        elif role == "context":
            told[COLUMN + name] = as_keyword(table[column], where)
    return told


@dataclass
class Batch:
    """What one commit takes in and leaves out; the counts are those of `CollectReport`."""

    files: list[LakeFile]
    taken: int = 0
    late: int = 0
    duplicates: int = 0
    too_late: int = 0
    unusable: int = 0
    newest: int | None = None
    examples: dict[str, str] = field(default_factory=dict)


class Staging:
    """The table that parts of sources are put into before they are committed together."""

    def __init__(self, con: Backend, contexts: Sequence[str]) -> None:
        self._con = con
        self._contexts = [named(COLUMN + name) for name in contexts]
        self._rows = 0
        self._clear()

    def __len__(self) -> int:
        return self._rows

    def add(self, rows: ir.Table) -> None:
        """Stage rows in the shape of `stage_rows`."""
        kept = rows.mutate(example=ibis.ifelse(rows.status == _USABLE, None, rows.example))
        self._con.raw_sql(f"INSERT INTO staged {self._con.compile(kept)}")
        self._rows = self._one("SELECT count(*) FROM staged")[0]

    def take(self, lake: Lake, manifest: Manifest, watermark: int | None) -> Batch:
        """Write what is staged into new files of the lake, without committing them; unstage it.

        Args:
            lake: where to.
            manifest: what the lake holds; not changed.
            watermark: the source's newest event before this run, for the count of late ones.
        """
        batch = Batch([])
        if self._rows:
            self._count(batch)
            self._mark_duplicates(batch, lake, manifest)
            self._write(batch, lake, manifest, watermark)
            self._clear()
        return batch

    def _count(self, batch: Batch) -> None:
        query = "SELECT status, count(*), first(example) FROM staged WHERE status > 0 GROUP BY 1"
        for status, count, example in self._con.raw_sql(query).fetchall():
            name = "unusable" if status == _UNUSABLE else "too_late"
            setattr(batch, name, count)
            batch.examples[name] = example

    def _mark_duplicates(self, batch: Batch, lake: Lake, manifest: Manifest) -> None:
        # Hashes find the few suspects without sorting or hashing whole rows; equality decides.
        self._con.raw_sql(
            """CREATE OR REPLACE TEMP TABLE live AS SELECT rowid AS row, "user", item, time, kind,
            hash("user", item, time, kind) AS key FROM staged WHERE status = 0"""
        )
        self._con.raw_sql(
            """CREATE OR REPLACE TEMP TABLE repeated AS SELECT row FROM (
              SELECT row, row_number() OVER (
                PARTITION BY "user", item, time, kind ORDER BY row) AS occurrence
              FROM live WHERE key IN (SELECT key FROM live GROUP BY key HAVING count(*) > 1)
            ) WHERE occurrence > 1"""
        )
        oldest, newest = self._one("SELECT min(time), max(time) FROM live")
        months = [
            month
            for (month,) in self._con.raw_sql(f"SELECT DISTINCT {_MONTH} FROM live").fetchall()
        ]
        touched = [
            str(lake.folder / file.path)
            for file in manifest.files
            if Path(file.path).parent.name.removeprefix("month=") in months
            and file.newest >= oldest
            and file.oldest <= newest
        ]
        if touched:
            paths = ", ".join(quote(path) for path in touched)
            self._con.raw_sql(
                f"""INSERT INTO repeated
                WITH suspects AS MATERIALIZED (
                  SELECT "user", item, time, kind FROM read_parquet([{paths}])
                  WHERE time >= {oldest} AND time <= {newest}
                  AND hash("user", item, time, kind) IN (SELECT key FROM live))
                SELECT DISTINCT row FROM live JOIN suspects USING ("user", item, time, kind)
                WHERE row NOT IN (SELECT row FROM repeated)"""
            )
        batch.duplicates = self._one("SELECT count(*) FROM repeated")[0]
        if batch.duplicates:
            batch.examples["duplicates"] = self._one(
                """SELECT concat_ws(', ', "user", item, kind, make_timestamp(time)) FROM live
                WHERE row = (SELECT min(row) FROM repeated)"""
            )[0]

    def _write(self, batch: Batch, lake: Lake, manifest: Manifest, watermark: int | None) -> None:
        fresh = "FROM staged WHERE status = 0"
        if batch.duplicates:
            fresh += " AND rowid NOT IN (SELECT row FROM repeated)"
        late = "0" if watermark is None else f"count(*) FILTER (time <= {watermark})"
        batch.taken, batch.newest, batch.late = self._one(
            f"SELECT count(*), max(time), {late} {fresh}"
        )
        if not batch.taken:
            return
        written = lake.folder / "scratch" / "written"
        contexts = "".join(f"{column}, " for column in self._contexts)
        self._con.raw_sql(
            f"""COPY (SELECT "user", item, time, kind, position, request, propensity, variants,
            {contexts}{_MONTH} AS month {fresh}) TO {quote(written)}
            (FORMAT parquet, PARTITION_BY (month))"""
        )
        name = xxh3_64_hexdigest(f"{manifest.commits} {batch.taken} {batch.newest}".encode())
        for number, path in enumerate(sorted(written.rglob("*.parquet"))):
            target = lake.events / path.parent.name / f"{name}-{number}.parquet"
            target.parent.mkdir(parents=True, exist_ok=True)
            sync(path)
            path.replace(target)
            sync(target.parent)
            batch.files.append(_described(target, lake.folder))
        sync(lake.events)
        rmtree(written)

    def _clear(self) -> None:
        contexts = "".join(f"{column} VARCHAR, " for column in self._contexts)
        self._con.raw_sql(
            f"""CREATE OR REPLACE TEMP TABLE staged ("user" VARCHAR, item VARCHAR, time BIGINT,
            kind VARCHAR, position INTEGER, request VARCHAR, propensity FLOAT, variants VARCHAR,
            {contexts}status TINYINT, example VARCHAR)"""
        )
        self._rows = 0

    def _one(self, query: str) -> tuple[Any, ...]:
        row: tuple[Any, ...] = self._con.raw_sql(query).fetchone()
        return row


_MONTH = "strftime(make_timestamp(time), '%Y-%m')"


def _described(file: Path, lake: Path) -> LakeFile:
    metadata = pq.read_metadata(file)
    times = metadata.schema.names.index("time")
    bounds = [
        metadata.row_group(g).column(times).statistics for g in range(metadata.num_row_groups)
    ]
    return LakeFile(
        path=str(file.relative_to(lake)),
        rows=metadata.num_rows,
        oldest=min(bound.min for bound in bounds),
        newest=max(bound.max for bound in bounds),
    )
