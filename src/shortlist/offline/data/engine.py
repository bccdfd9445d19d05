"""The DuckDB engine that collect, prepare and check run on, behind Ibis."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pyarrow as pa

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend

GIGABYTE = 1 << 30


def memory_limit() -> int:
    """Bytes DuckDB may hold before it spills: a quarter of the machine's, 1 to 4 GB."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(GIGABYTE, min(physical // 4, 4 * GIGABYTE))


@contextmanager
def engine(scratch: Path) -> Iterator[Backend]:
    """An in-memory DuckDB that spills into `scratch`, which is made, and removed at the end."""
    rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    connection = ibis.duckdb.connect(
        memory_limit=f"{memory_limit()}B", temp_directory=str(scratch / "spill")
    )
    try:
        connection.raw_sql("SET TimeZone = 'UTC'")
        connection.raw_sql("SET enable_progress_bar = false")
        yield connection
    finally:
        connection.disconnect()
        rmtree(scratch, ignore_errors=True)


def stored(con: Backend, table: ir.Table | pa.Table | pa.RecordBatchReader, name: str) -> ir.Table:
    """A temporary table with these rows, in their order."""
    if isinstance(table, ir.Table):
        query = con.compile(table)
    else:
        con.con.register("handed_over", table)
        query = "SELECT * FROM handed_over"
    con.raw_sql(f'CREATE OR REPLACE TEMP TABLE "{name}" AS {query}')
    return con.table(name)


def viewed(con: Backend, scan: str, name: str) -> ir.Table:
    """A temporary view of what a scan reads, every column of a type that Ibis knows.

    DuckDB 2 reads nanoseconds with a time zone, which pandas writes, as a type of its own that Ibis
    takes for no timestamp. They become microseconds.
    """
    described = con.raw_sql(f"DESCRIBE SELECT * FROM {scan}").fetchall()
    fine = [column for column, kind, *_ in described if kind == "TIMESTAMPTZ_NS"]
    casts = ", ".join(f"CAST({named(column)} AS TIMESTAMPTZ) AS {named(column)}" for column in fine)
    columns = f"* REPLACE ({casts})" if casts else "*"
    con.raw_sql(f"CREATE OR REPLACE TEMP VIEW {named(name)} AS SELECT {columns} FROM {scan}")
    return con.table(name)


def counted(con: Backend, table: ir.Table) -> int:
    """The number of rows of a table."""
    return int(con.to_pyarrow(table.count()).as_py())


def quote(text: str | Path) -> str:
    """Text as an SQL string literal."""
    return "'" + str(text).replace("'", "''") + "'"


def named(text: str) -> str:
    """Text as an SQL name."""
    return '"' + text.replace('"', '""') + '"'


def _epoch_us(instant: ir.TimestampValue) -> None:
    """Microseconds since the epoch of a timestamp with a time zone; null for infinite ones."""


epoch_us = ibis.udf.scalar.builtin(
    _epoch_us, name="epoch_us", signature=((dt.Timestamp(timezone="UTC"),), dt.int64)
)
