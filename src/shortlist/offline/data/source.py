"""Sources: the files or the database that a section of `[data]` names, as Ibis tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis.common.exceptions import IbisError, TableNotFound

from shortlist.config.schema import (
    EventsSection,
    ItemsSection,
    KnowledgeSection,
    QueriesSection,
    UsersSection,
)
from shortlist.core.errors import DataError, did_you_mean
from shortlist.offline.data.engine import stored
from shortlist.offline.data.scan import format_of, missing_column
from shortlist.offline.data.typed import open_file, same_types

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend


@dataclass(frozen=True)
class Source:
    """Where a section's rows are.

    Attributes:
        section: the config's table (`data.events`, …), for messages.
        path: as the config has it.
        files: the files, sorted by name; empty for a database.
        table: the table of the database.
    """

    section: str
    path: str
    files: tuple[Path, ...]
    table: str = ""

    @property
    def is_database(self) -> bool:
        """Whether it is a database URL."""
        return not self.files


def locate(
    section: EventsSection | ItemsSection | UsersSection | KnowledgeSection | QueriesSection,
    folder: Path,
) -> Source:
    """Find what a section names, relative to the project folder.

    Raises:
        DataError: there is no such file, or its ending says no known format.
    """
    name = "data." + type(section).__name__.removesuffix("Section").lower()
    if "://" in section.path:
        if not section.table:
            raise DataError(
                f"{section.path!r} is a database, and no table is named.",
                remedy=f'Write `table = "…"` in [{name}].',
                where=f"{name}.table",
            )
        return Source(name, section.path, (), section.table)
    pattern = Path(section.path).expanduser()
    exact = folder / pattern
    root = Path(pattern.anchor) if pattern.is_absolute() else folder
    inside = str(pattern.relative_to(root) if pattern.is_absolute() else pattern)
    paths = [exact] if exact.is_file() else root.glob(inside)
    files = tuple(sorted(path for path in paths if path.is_file()))
    if not files:
        beside = exact.parent
        near = [path.name for path in beside.iterdir()] if beside.is_dir() else []
        raise DataError(
            f"there is no file {exact}.",
            remedy=did_you_mean(exact.name, near) or f"Correct `path` in [{name}].",
            where=f"{name}.path",
        )
    for file in files:
        format_of(file)
    return Source(name, section.path, files)


def open_source(con: Backend, source: Source, id_column: str = "") -> ir.Table:
    """All rows of a source as one typed table.

    Args:
        con: the engine that reads.
        source: what `locate` found.
        id_column: the column that must stay text in a text format: an id `007` is not 7.

    Raises:
        DataError: a file is damaged, or is not UTF-8, or has a broken row; a database cannot be
            reached.
    """
    if source.is_database:
        return _copy_database(con, source)
    tables = [open_file(con, file, id_column) for file in source.files]
    first = tables[0].columns
    for file, table in zip(source.files, tables, strict=True):
        for name in first:
            if name not in table.columns:
                raise missing_column(name, table.columns, str(file), f"It is in {source.files[0]}.")
    if len(tables) == 1:
        return tables[0]
    return ibis.union(*(table.select(*first) for table in same_types(tables)))


@contextmanager
def connected(source: Source) -> Iterator[ir.Table]:
    """The table of a database source, in that database."""
    try:
        backend = ibis.connect(source.path)
    except (IbisError, duckdb.Error, OSError, ImportError, ValueError) as error:
        raise DataError(
            f"the database cannot be opened: {error}",
            remedy="Check the URL, and that the Ibis backend for it is installed.",
            where=f"{source.section}.path",
        ) from error
    try:
        try:
            table = backend.table(source.table)
        except (IbisError, TableNotFound, duckdb.Error) as error:
            raise DataError(
                f"{source.path} has no table {source.table!r} that can be read.",
                remedy=f"Correct `table` in [{source.section}].",
                where=f"{source.section}.table",
            ) from error
        yield table
    finally:
        backend.disconnect()


def batches(table: ir.Table, rows: int = 100_000) -> Iterator[pa.RecordBatch]:
    """A database's table as a stream of record batches of at most so many rows."""
    backend = table.get_backend()
    if backend.name == "duckdb":  # Ibis 12 asks DuckDB 2 for a method that is no longer there
        yield from backend.con.sql(backend.compile(table)).to_arrow_reader(rows)
    else:
        with table.to_pyarrow_batches(chunk_size=rows) as reader:
            yield from reader


def _copy_database(con: Backend, source: Source) -> ir.Table:
    name = ibis.util.gen_name("source")
    with connected(source) as table:
        schema = table.schema().to_pyarrow()
        reader = pa.RecordBatchReader.from_batches(
            schema, (batch.cast(schema) for batch in batches(table))
        )
        return stored(con, reader, name)
