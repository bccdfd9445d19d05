"""Sources: the files or the database that `[data.events]` and `[data.items]` name, as Ibis tables.

Text formats are read as text, column by column; `typed` finds the types afterwards, over the
whole file, so a value that does not fit the others makes a keyword of its column, not an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.common.exceptions import IbisError, TableNotFound
from pyarrow import ArrowException

from shortlist.config.schema import (
    EventsSection,
    ItemsSection,
    KnowledgeSection,
    QueriesSection,
    UsersSection,
)
from shortlist.core.errors import DataError, did_you_mean
from shortlist.offline.data.engine import quote, stored
from shortlist.offline.data.text import check_encoding, csv_dialect, explain_broken

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend

Format = Literal["csv", "json", "parquet"]
_FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_TYPES = ("int64", "float64", "boolean", "timestamp('UTC')")


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


def format_of(file: Path) -> Format:
    """The format that a file's ending says.

    Raises:
        DataError: it says none that is known.
    """
    suffixes = [suffix.lower() for suffix in file.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    if not suffixes or suffixes[-1] not in _FORMATS:
        raise DataError(
            "the ending says no format that can be read.",
            remedy="Use .csv, .jsonl (both also with .gz) or .parquet.",
            where=str(file),
        )
    return _FORMATS[suffixes[-1]]


def read_text(file: Path, columns: Mapping[str, str] | None = None, sample: int = -1) -> str:
    """The SQL that scans a CSV or JSON lines file, every column as text unless `columns` says.

    Args:
        file: the file.
        columns: JSON only: the keys to read and their DuckDB types; all keys when None.
        sample: how many objects tell the keys; -1 for all.
    """
    if format_of(file) == "csv":
        dialect = csv_dialect(file)
        names = ", ".join(f"{quote(name)}: 'VARCHAR'" for name in dialect.columns)
        return (
            f"read_csv({quote(file)}, auto_detect=false, header=true, columns={{{names}}},"
            f" delim={quote(dialect.delimiter)}, quote='\"', escape='\"',"
            " max_line_size=16777216)"
        )
    if columns is None:
        return (
            f"read_json({quote(file)}, format='newline_delimited', sample_size={sample},"
            " map_inference_threshold=-1)"
        )
    keys = ", ".join(f"{quote(name)}: {quote(kind)}" for name, kind in columns.items())
    return f"read_json({quote(file)}, format='newline_delimited', columns={{{keys}}})"


def read_raw(file: Path, columns: Mapping[str, str], *, skip_broken: bool = False) -> str:
    """The SQL that scans columns of an events file: text in text formats, else as they are.

    Args:
        file: the file.
        columns: config key → column.
        skip_broken: JSON lines only: a line that is no object gives nulls, not an error.
    """
    if format_of(file) == "parquet":
        return f"read_parquet({quote(file)})"
    scan = read_text(file, dict.fromkeys(columns.values(), "VARCHAR"))
    return scan.removesuffix(")") + ", ignore_errors=true)" if skip_broken else scan


def require_keys(con: Backend, file: Path, columns: Mapping[str, str], where: str) -> None:
    """Check that an events file has the wanted columns.

    Of a JSON lines file only the first objects are looked at, and only for user, item and time:
    other keys may be absent from some objects.

    Args:
        con: the engine.
        file: the file, or a part of it.
        columns: config key → column.
        where: the file's name for the message.

    Raises:
        DataError: one is missing.
    """
    form = format_of(file)
    if form == "parquet":
        check_parquet(file)
        require(tuple(pq.read_schema(file).names), columns, where)
    elif form == "csv":
        require(csv_dialect(file).columns, columns, where)
    elif file.stat().st_size:
        with readable(where):
            scan = read_text(file, sample=1_000)
            described = con.raw_sql(f"DESCRIBE SELECT * FROM {scan}").fetchall()
        needed = {key: columns[key] for key in ("user", "item", "time")}
        require(tuple(name for name, *_ in described), needed, where)


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
    tables = [_open_file(con, file, id_column) for file in source.files]
    first = tables[0].columns
    for file, table in zip(source.files, tables, strict=True):
        for name in first:
            if name not in table.columns:
                raise missing_column(name, table.columns, str(file), f"It is in {source.files[0]}.")
    if len(tables) == 1:
        return tables[0]
    return ibis.union(*(table.select(*first) for table in _same_types(tables)))


def missing_column(name: str, known: tuple[str, ...], where: str, hint: str = "") -> DataError:
    """The error for a column that a file does not have."""
    remedy = f"{hint} {did_you_mean(name, known)}".strip()
    return DataError(f"there is no column {name!r}.", remedy=remedy, where=where)


def require(known: tuple[str, ...], wanted: Mapping[str, str], where: str) -> None:
    """Check that the wanted columns are there.

    Args:
        known: the columns of the file.
        wanted: config key → column; empty columns are passed over.
        where: the file, for the message.

    Raises:
        DataError: one is not; the message names it, its key and the nearest column.
    """
    for key, name in wanted.items():
        if name and name not in known:
            raise missing_column(name, known, where, f"The config names it under `{key}`.")


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


@contextmanager
def readable(
    file: Path | str, lines_before: int = 0, scanned: Path | None = None
) -> Iterator[None]:
    """Turn what DuckDB says about a damaged file into an error with a remedy.

    Args:
        file: the file, for the message.
        lines_before: added to DuckDB's line numbers.
        scanned: what DuckDB reads, when that is a part of the file.
    """
    try:
        yield
    except (duckdb.InvalidInputException, duckdb.IOException, duckdb.ConversionException) as error:
        raise explain_broken(error, str(file), scanned or Path(file), lines_before) from error


def batches(table: ir.Table, rows: int = 100_000) -> Iterator[pa.RecordBatch]:
    """A database's table as a stream of record batches of at most so many rows."""
    backend = table.get_backend()
    if backend.name == "duckdb":  # Ibis 12 asks DuckDB 2 for a method that is no longer there
        yield from backend.con.sql(backend.compile(table)).to_arrow_reader(rows)
    else:
        with table.to_pyarrow_batches(chunk_size=rows) as reader:
            yield from reader


def check_parquet(file: Path) -> None:
    """Read a Parquet file's footer.

    Raises:
        DataError: the file is truncated or is no Parquet file.
    """
    try:
        pq.read_metadata(file)
    except (ArrowException, OSError) as error:
        raise DataError(
            f"this is no complete Parquet file ({error}).",
            remedy="It may have been cut off while being copied; write it again.",
            where=str(file),
        ) from error


def _open_file(con: Backend, file: Path, id_column: str) -> ir.Table:
    kind = format_of(file)
    view = ibis.util.gen_name("source")
    if kind == "parquet":
        check_parquet(file)
        scan = f"read_parquet({quote(file)})"
    else:
        check_encoding(file)
        with readable(file):
            scan = read_text(file)
            if kind == "json":
                scan = _json_scan(con, file, scan, id_column)
    with readable(file):
        con.raw_sql(f"CREATE TEMP VIEW {view} AS SELECT * FROM {scan}")
        table = con.table(view)
        return _typed(con, table, id_column) if kind == "csv" else table


def _json_scan(con: Backend, file: Path, scan: str, id_column: str) -> str:
    described = con.raw_sql(f"DESCRIBE SELECT * FROM {scan}").fetchall()
    kinds = {name: kind for name, kind, *_ in described}
    if id_column in kinds:
        kinds[id_column] = "VARCHAR"
    return read_text(file, kinds)


def _typed(con: Backend, table: ir.Table, keep: str) -> ir.Table:
    """Give text columns the first type of `_TYPES` that all of their values have."""
    names = [name for name in table.columns if name != keep]
    tests = {}
    for number, name in enumerate(names):
        for kind in _TYPES:
            fits = (_fits(table[name], kind) | table[name].isnull()).all()
            tests[f"{number} {kind}"] = fits & table[name].notnull().any()
    if not tests:
        return table
    fits = con.to_pyarrow(table.aggregate(**tests)).to_pylist()[0]
    casts = {}
    for number, name in enumerate(names):
        fitting = [kind for kind in _TYPES if fits[f"{number} {kind}"]]
        if fitting:
            casts[name] = table[name].cast(fitting[0])
    return table.mutate(**casts)


def _fits(text: ir.StringColumn, kind: str) -> ir.BooleanValue:
    if kind == "boolean":  # a cast would also take 1, t and yes
        return text.lower().isin(["true", "false"])
    fits = text.try_cast(kind).notnull()
    if kind == "int64":  # a cast would round 1.5
        fits = fits & text.re_search(r"^\s*[+-]?[0-9]+\s*$")
    return fits


def _same_types(tables: list[ir.Table]) -> list[ir.Table]:
    """Cast the columns on which tables of one glob disagree to a type that holds them all."""
    casts = {}
    for name in tables[0].columns:
        kinds = {table[name].type().copy(nullable=True) for table in tables}
        if len(kinds) > 1:
            numeric = all(kind.is_numeric() for kind in kinds)
            casts[name] = "float64" if numeric else "string"
    return [table.cast(casts) if casts else table for table in tables]


def _copy_database(con: Backend, source: Source) -> ir.Table:
    name = ibis.util.gen_name("source")
    with connected(source) as table:
        schema = table.schema().to_pyarrow()
        reader = pa.RecordBatchReader.from_batches(
            schema, (batch.cast(schema) for batch in batches(table))
        )
        return stored(con, reader, name)
