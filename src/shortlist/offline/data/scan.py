"""The formats of files, and the SQL that scans them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import duckdb
import pyarrow.parquet as pq
from pyarrow import ArrowException

from shortlist.core.errors import DataError, did_you_mean
from shortlist.offline.data.engine import quote
from shortlist.offline.data.text import csv_dialect, explain_broken

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
            role, _, _ = key.partition(".")
            raise missing_column(name, known, where, f"The config names it under `{role}`.")


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
