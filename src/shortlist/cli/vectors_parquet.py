"""Parquet files as records of a vector store."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from shortlist.cli.vectors_file import CONTENT, id_column, open_file, unreadable
from shortlist.core.errors import DataError, RequestError, did_you_mean
from shortlist.core.progress import Progress
from shortlist.stores.vectors import Records, StoreSchema, VectorStore
from shortlist.stores.vectors.checks import ids_of

BATCH = 2_000


@dataclass
class Imported:
    """What an import did: records that were new or different, and those that were as they are."""

    written: int = 0
    unchanged: int = 0


@dataclass(frozen=True)
class Sent:
    """Some rows of a file, aligned; `rows` are their numbers. See `VectorStore.upsert`."""

    rows: list[int]
    ids: list[str]
    vectors: dict[str, NDArray[np.float32]]
    attributes: dict[str, list[Any]]
    content: list[str]

    def take(self, places: Sequence[int]) -> Sent:
        """Some of them, in the order of their places."""
        return Sent(
            [self.rows[i] for i in places],
            [self.ids[i] for i in places],
            {name: matrix[list(places)] for name, matrix in self.vectors.items()},
            {name: [values[i] for i in places] for name, values in self.attributes.items()},
            [self.content[i] for i in places],
        )


def import_parquet(store: VectorStore, path: Path, id: str, progress: Progress) -> Imported:
    """Write the rows of a file; those that the store has as they are, it keeps.

    Running it again does nothing; an import that was broken off goes on where it was.

    Args:
        store: where to.
        path: a Parquet file. A column `content` is the hash of what was encoded.
        id: the column of ids; empty for `id` or `item_id`.
        progress: told of rows.

    Raises:
        DataError: the file cannot be read, lacks a column, or has a row that the store refuses;
            names the row. Some of what came before it is written.
    """
    file = open_file(path)
    names = _columns(store.schema, file, path, id)
    ignored = [name for name in file.schema_arrow.names if name not in names]
    progress.step(f"import {path.name}", file.metadata.num_rows)
    if ignored:
        progress.note(f"not in the store's schema, left out: {', '.join(ignored)}")
    done, row = Imported(), 0
    try:
        for batch in file.iter_batches(BATCH, columns=names):
            try:
                sent = _sent(store.schema, batch, names[0], row)
                changed = _changed(store, sent)
                _write(store, sent.take(changed))
            except RequestError as error:
                raise DataError(
                    str(error),
                    remedy="Correct it and import the file again: what is written stays as it is.",
                    where=str(path),
                ) from None
            done.written += len(changed)
            done.unchanged += len(sent.ids) - len(changed)
            row += len(batch)
            progress.advance(len(batch))
    except (pa.ArrowException, OSError) as error:
        raise unreadable(path, error) from error
    return done


def _columns(schema: StoreSchema, file: pq.ParquetFile, path: Path, id: str) -> list[str]:
    """The columns that are read: the ids', every field's, and the attributes there are."""
    there = file.schema_arrow.names
    for field in schema.fields:
        if field.name not in there:
            raise DataError(
                f"there is no column {field.name!r} for the store's vectors.",
                remedy=did_you_mean(field.name, there),
                where=str(path),
            )
    optional = [name for name in (*schema.attributes, CONTENT) if name in there]
    return [id_column(file, path, id), *(field.name for field in schema.fields), *optional]


def _sent(schema: StoreSchema, batch: pa.RecordBatch, id: str, start: int) -> Sent:
    """The rows of a batch that begins at a row; of rows with the same id the last."""
    ids = _ids(batch.column(id), id, start)
    attributes = {
        name: _values(batch.column(name))
        for name in schema.attributes
        if name in batch.schema.names
    }
    content = [""] * len(ids)
    if CONTENT in batch.schema.names:
        content = [text or "" for text in batch.column(CONTENT).cast(pa.string()).to_pylist()]
    vectors = {
        field.name: _matrix(batch.column(field.name), field.dim, field.name, start)
        for field in schema.fields
    }
    rows = list(range(start, start + len(ids)))
    sent = Sent(rows, ids, vectors, attributes, content)
    last = {id: place for place, id in enumerate(ids)}
    return sent if len(last) == len(ids) else sent.take(list(last.values()))


def _ids(column: pa.Array, name: str, start: int) -> list[str]:
    ids: list[Any] = column.cast(pa.string()).to_pylist()
    for row, id in enumerate(ids, start):
        try:
            ids_of([id])
        except RequestError as error:
            raise RequestError(
                f"{id and id[:40]!r} is no id.",
                remedy=error.remedy,
                where=f"row {row:,}, column {name}",
            ) from None
    return ids


def _matrix(column: pa.Array, dim: int, name: str, start: int) -> NDArray[np.float32]:
    """Lists of numbers as `float32[n, dim]`."""
    lengths = pc.fill_null(pc.list_value_length(column), -1).to_numpy(zero_copy_only=False)
    wrong = np.flatnonzero(lengths != dim)
    if len(wrong):
        place, length = int(wrong[0]), int(lengths[wrong[0]])
        raise RequestError(
            f"holds {'no vector' if length < 0 else f'{length} numbers'}, and the field has {dim}.",
            where=f"row {start + place:,}, column {name}",
        )
    values = pc.fill_null(column.flatten().cast(pa.float32()), float("nan"))
    return np.asarray(values.to_numpy(zero_copy_only=False)).reshape(-1, dim)


def _values(column: pa.Array) -> list[Any]:
    """An attribute's values; times as microseconds."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("us")).cast(pa.int64())
    elif pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    values: list[Any] = column.to_pylist()
    return values


def _changed(store: VectorStore, sent: Sent) -> list[int]:
    """The places of records that the store does not have as they are."""
    held = store.get(sent.ids)
    place = {id: j for j, id in enumerate(held.ids)}
    return [
        i for i, id in enumerate(sent.ids) if id not in place or not _same(sent, i, held, place[id])
    ]


def _same(sent: Sent, i: int, held: Records, j: int) -> bool:
    """Whether a row is what the store has."""
    nothing = [None] * len(sent.ids)
    return (
        sent.content[i] == held.content[j]
        and all(
            _plain(sent.attributes.get(name, nothing)[i]) == values[j]
            for name, values in held.attributes.items()
        )
        and all(
            bool(np.array_equal(matrix[i], held.vectors[name][j]))
            for name, matrix in sent.vectors.items()
        )
    )


def _plain(value: Any) -> Any:
    """A value as a store gives it back: what is not there is None."""
    absent = value == [] or (isinstance(value, float) and math.isnan(value))
    return None if absent else value


def _write(store: VectorStore, sent: Sent) -> None:
    """Write rows; where they are refused, up to the first that is, which the error names."""
    if not sent.ids:
        return
    try:
        store.upsert(sent.ids, sent.vectors, sent.attributes, content=sent.content)
    except RequestError as error:
        if len(sent.ids) == 1:
            raise RequestError(
                error.problem,
                remedy=error.remedy,
                where=f"row {sent.rows[0]:,} ({sent.ids[0]!r}), {error.where}",
            ) from error
        for i in range(len(sent.ids)):
            _write(store, sent.take([i]))
        raise  # no single row is at fault
