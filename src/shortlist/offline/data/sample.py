"""Samples of a source's columns: what `init` guesses from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import ibis

from shortlist.config.samples import ColumnSample
from shortlist.config.schema import EventsSection
from shortlist.core.errors import DataError
from shortlist.offline.data.engine import named
from shortlist.offline.data.scan import readable
from shortlist.offline.data.source import Source, connected, locate, open_source

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend

_ROWS = 50_000
_KEPT = ("VARCHAR", "BOOLEAN", "FLOAT", "DOUBLE")


def sample(path: str, *, folder: Path = Path(), table: str = "") -> dict[str, ColumnSample]:
    """Up to 50,000 rows of a source, drawn evenly from all of it, as columns.

    Args:
        path: a CSV, JSON lines or Parquet file, a glob of such files, or a database URL.
        folder: what a relative path is relative to.
        table: the table to read when the path is a database URL. Of a database the first rows
            are taken.

    Returns:
        A sample of each column, by name, in the order of the file.

    Raises:
        DataError: there is no such file, its format is unknown, or it is damaged.
    """
    try:
        source = locate(EventsSection(path=path, table=table), folder)
    except DataError as error:
        if not error.where.startswith("data."):
            raise
        remedy = error.remedy if error.remedy.startswith("Did") else "Check the path."
        raise DataError(error.problem, remedy=remedy) from None
    columns = _read_database(source) if source.is_database else _read_files(source)
    if not columns:
        raise DataError("there are no columns.", remedy="Check the file.", where=path)
    return columns


def _read_files(source: Source) -> dict[str, ColumnSample]:
    con = ibis.duckdb.connect()
    try:
        con.raw_sql("SET TimeZone = 'UTC'")
        con.raw_sql("SET threads = 1")  # the only way to draw the same rows each time
        rows = con.compile(open_source(con, source))
        with readable(Path(source.path)):
            con.raw_sql(
                f"CREATE TEMP TABLE drawn AS SELECT * FROM ({rows})"
                f" USING SAMPLE reservoir({_ROWS} ROWS) REPEATABLE (1)"
            )
        return _columns(con)
    finally:
        con.disconnect()


def _read_database(source: Source) -> dict[str, ColumnSample]:
    con = ibis.duckdb.connect()
    try:
        with connected(source) as table:
            con.create_table("drawn", table.limit(_ROWS).to_pyarrow(), temp=True)
        return _columns(con)
    finally:
        con.disconnect()


def _columns(con: Backend) -> dict[str, ColumnSample]:
    kinds = {name: kind for name, kind, *_ in con.raw_sql("DESCRIBE drawn").fetchall()}
    chosen = ", ".join(_plain(name, kind) for name, kind in kinds.items())
    rows = con.raw_sql(f"SELECT {chosen} FROM drawn").fetchall()
    samples = {}
    for number, (name, kind) in enumerate(kinds.items()):
        values = [row[number] for row in rows if row[number] is not None]
        nulls = 1 - len(values) / len(rows) if rows else 0.0
        samples[name] = ColumnSample(kind, values, len(set(map(str, values))), nulls)
    return samples


def _plain(name: str, kind: str) -> str:
    """A column as values that Python has: text, numbers, booleans, lists of text."""
    column = named(name)
    if kind.endswith("[]"):
        return f"CAST({column} AS VARCHAR[])"
    if kind.startswith("DECIMAL"):
        return f"CAST({column} AS DOUBLE)"
    if kind.startswith(_KEPT) or kind.endswith(("INT", "INTEGER")):
        return column
    return f"CAST({column} AS VARCHAR)"
