"""Records as they are sent, one by one, to columns as a store takes them, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.core.errors import RequestError, did_you_mean
from shortlist.stores.vectors.contract import Records, StoreSchema, VectorField

MOST_RECORDS = 10_000
"""Records that one request may write, read or delete."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record.

    Attributes:
        id: its id.
        vectors: by field; a store of one field also takes it under the empty name.
        attributes: values by name; what is not there is missing.
        content: a hash of what was encoded; may be empty.
    """

    id: str
    vectors: Mapping[str, Sequence[float] | NDArray[np.float32]]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    content: str = ""


@dataclass(frozen=True, slots=True)
class Columns:
    """Many records, aligned; what `VectorStore.upsert` takes."""

    ids: list[str]
    vectors: dict[str, NDArray[np.float32]]
    attributes: dict[str, list[Any]]
    content: list[str]


def check_number(count: int, where: str, most: int = MOST_RECORDS) -> None:
    """Raise a RequestError where a request asks for too much at once."""
    if count > most:
        raise RequestError(
            f"{count:,} are too many.", remedy=f"Send up to {most:,} at once.", where=where
        )


def columns_of(schema: StoreSchema, records: Sequence[Record]) -> Columns:
    """The columns that records make.

    Raises:
        RequestError: there are too many, or a vector is missing, unknown or of another length.
    """
    check_number(len(records), "records")
    names = list(dict.fromkeys(name for record in records for name in record.attributes))
    for i, record in enumerate(records):
        for name in record.vectors:
            _check_name(schema, name, f"records[{i}].vectors")
    return Columns(
        [record.id for record in records],
        {one.name: _column(schema, one.name, one.dim, records) for one in schema.fields},
        {name: [record.attributes.get(name) for record in records] for name in names},
        [record.content for record in records],
    )


def records_of(found: Records) -> Iterator[Record]:
    """The records of columns."""
    for i, id in enumerate(found.ids):
        yield Record(
            id,
            {name: vectors[i] for name, vectors in found.vectors.items()},
            {name: values[i] for name, values in found.attributes.items()},
            found.content[i],
        )


def queries_of(queries: Sequence[Any], field: VectorField, where: str) -> NDArray[np.float32]:
    """Queries `float32[q, dim]` from lists of numbers.

    Args:
        queries: a list of numbers each.
        field: the field that they search.
        where: what the request calls them: `vector` for one, else `vectors`.

    Raises:
        RequestError: there is none, or one is of another length.
    """
    if not queries:
        raise RequestError("there is no query.", remedy="Give one.", where=where)
    for i, query in enumerate(queries):
        if len(query) != field.dim:
            raise RequestError(
                f"the query has {len(query)} numbers, and the field {field.name!r} has "
                f"{field.dim}.",
                remedy=f"Give {field.dim}.",
                where=where if where == "vector" else f"{where}[{i}]",
            )
    return _floats(queries)


def _column(
    schema: StoreSchema, name: str, dim: int, records: Sequence[Record]
) -> NDArray[np.float32]:
    alone = len(schema.fields) == 1
    rows = []
    for i, record in enumerate(records):
        row = record.vectors.get(name)
        if row is None and alone:
            row = record.vectors.get("")
        where = f"records[{i}].vectors.{name}"
        if row is None:
            raise RequestError(f"{record.id!r} has no vector.", remedy="Give it.", where=where)
        if len(row) != dim:
            raise RequestError(
                f"the vector of {record.id!r} has {len(row)} numbers, and the field has {dim}.",
                remedy=f"Give {dim}.",
                where=where,
            )
        rows.append(row)
    return _floats(rows) if rows else np.empty((0, dim), np.float32)


def _check_name(schema: StoreSchema, name: str, where: str) -> None:
    known = [one.name for one in schema.fields]
    if name in known or (not name and len(known) == 1):
        return
    raise RequestError(
        f"{name!r} is not a vector field.", remedy=did_you_mean(name, known), where=where
    )


def _floats(rows: Sequence[Any]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # what is too large becomes infinite, which stores refuse
        return np.array([np.asarray(row, np.float32) for row in rows], np.float32)
