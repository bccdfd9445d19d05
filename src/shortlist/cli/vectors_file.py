"""A Parquet file of records: opening it, and the schema of a store that fits it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shortlist.core.errors import DataError, did_you_mean
from shortlist.stores.vectors import StoreSchema, VectorField
from shortlist.stores.vectors.contract import AttributeKind, Metric

IDS = ("id", "item_id")
CONTENT = "content"


def guess_schema(path: Path, id: str, metric: Metric, encoder: str) -> StoreSchema:
    """The schema of a store that holds the rows of a file.

    Columns of lists of floats are vector fields; texts, numbers, booleans, times and lists of
    texts are attributes; other columns are left out.

    Raises:
        DataError: the file cannot be read, or has no column of vectors.
    """
    file = open_file(path)
    fields: list[VectorField] = []
    attributes: dict[str, AttributeKind] = {}
    name_of_id = id_column(file, path, id)
    for column in file.schema_arrow:
        if column.name in {name_of_id, CONTENT}:
            continue
        if _is_vector(column.type):
            dim = _dim(file, column, path)
            fields.append(VectorField(column.name, dim, metric, encoder))
        elif kind := _kind(column.type):
            attributes[column.name] = kind
    if not fields:
        raise DataError(
            "no column holds lists of floats, which vectors are.",
            remedy=f"Columns: {', '.join(file.schema_arrow.names)}.",
            where=str(path),
        )
    return StoreSchema(tuple(fields), attributes)


def open_file(path: Path) -> pq.ParquetFile:
    """A Parquet file.

    Raises:
        DataError: it is not there, or is none.
    """
    try:
        return pq.ParquetFile(path)
    except FileNotFoundError:
        raise DataError(
            "there is no such file.", remedy="Check the path.", where=str(path)
        ) from None
    except (pa.ArrowException, OSError) as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> DataError:
    """What to raise for an error of Arrow or of the system."""
    return DataError(
        f"the file cannot be read as Parquet: {str(error).splitlines()[0]}",
        remedy="Write it again.",
        where=str(path),
    )


def id_column(file: pq.ParquetFile, path: Path, id: str) -> str:
    """The column of ids: the one that is named, else `id` or `item_id`.

    Raises:
        DataError: it is not there.
    """
    names = file.schema_arrow.names
    found = [name for name in ([id] if id else IDS) if name in names]
    if not found:
        wanted = repr(id) if id else " or ".join(map(repr, IDS))
        raise DataError(
            f"there is no column {wanted} for ids.",
            remedy=f"Name it with --id. {did_you_mean(id or IDS[0], names)}",
            where=str(path),
        )
    return found[0]


def _kind(type: pa.DataType) -> AttributeKind | None:
    """The kind of attribute that a column of a type is."""
    if _is_list(type):
        return "keywords" if _is_text(type.value_type) else None
    checks: dict[AttributeKind, Callable[[pa.DataType], bool]] = {
        "keyword": _is_text,
        "boolean": pa.types.is_boolean,
        "integer": pa.types.is_integer,
        "number": lambda one: pa.types.is_floating(one) or pa.types.is_decimal(one),
        "time": lambda one: pa.types.is_timestamp(one) or pa.types.is_date(one),
    }
    return next((kind for kind, holds in checks.items() if holds(type)), None)


def _is_vector(type: pa.DataType) -> bool:
    return _is_list(type) and bool(pa.types.is_floating(type.value_type))


def _is_list(type: pa.DataType) -> bool:
    lists = pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list
    return any(holds(type) for holds in lists)


def _is_text(type: pa.DataType) -> bool:
    if pa.types.is_dictionary(type):
        type = type.value_type
    return bool(pa.types.is_string(type) or pa.types.is_large_string(type))


def _dim(file: pq.ParquetFile, column: pa.Field, path: Path) -> int:
    if pa.types.is_fixed_size_list(column.type):
        return int(column.type.list_size)
    for batch in file.iter_batches(1, columns=[column.name]):
        length = pc.list_value_length(batch.column(0))[0].as_py()
        if length:
            return int(length)
        break
    raise DataError(
        f"the first row has no vector in the column {column.name!r}.",
        remedy="Make the store with `shortlist vectors create`.",
        where=str(path),
    )
