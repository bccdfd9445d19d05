"""Attributes as the columns that filters run on, and columns put together from several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import Catalogue, Column, ColumnKind, Value
from shortlist.core.vocabulary import Vocabulary
from shortlist.stores.vectors.contract import Attribute, AttributeKind

Rows = NDArray[np.int64]


def column(kind: AttributeKind, values: Sequence[Attribute]) -> Column:
    """A column of checked values."""
    match kind:
        case "keyword":
            return Column.keyword([None if v is None else str(v) for v in values])
        case "keywords":
            return Column.keywords([v if isinstance(v, list) else None for v in values])
        case "boolean":
            return Column.keyword([None if v is None else str(v).lower() for v in values])
        case "time":
            return Column.time([v if isinstance(v, int) else None for v in values])
        case "integer" | "number":
            return Column.number([v if isinstance(v, int | float) else None for v in values])


def attribute(kind: AttributeKind, value: Value) -> Attribute:
    """A value of a column as callers get it."""
    match kind:
        case "boolean":
            return None if value is None else value == "true"
        case "integer":
            return int(value) if isinstance(value, int | float) else None
        case "keywords":
            return value or None
        case _:
            return value


def catalogue(columns: Mapping[str, Column]) -> Catalogue:
    """Columns as what `core.expression.matches` reads: attributes of rows without ids."""
    nothing = np.empty(0, np.int64)
    return Catalogue(Vocabulary.of([]), columns, nothing.astype(np.bool_), nothing)


def take(parts: Sequence[tuple[Column, Rows]]) -> Column:
    """One column of some rows of several columns of the same kind, one after the other."""
    kind = parts[0][0].kind
    if kind in ("number", "time"):
        values = np.concatenate([column.arrays["values"][rows] for column, rows in parts])
        return Column(kind, {"values": values})
    if kind == "text":
        offsets, blob = _ragged(parts, "blob")
        return Column(kind, {"offsets": offsets, "blob": blob})
    terms: dict[str, int] = {}
    renamed = []
    for column, _ in parts:
        codes = [terms.setdefault(term, len(terms)) for term in column.terms]
        renamed.append(np.array([*codes, -1], np.int32)[column.arrays["codes"]])
    if kind == "keyword":
        codes = [codes[rows] for codes, (_, rows) in zip(renamed, parts, strict=True)]
        return _used("keyword", {}, np.concatenate(codes), tuple(terms))
    lists = [
        (Column(kind, {"offsets": column.arrays["offsets"], "codes": codes}), rows)
        for codes, (column, rows) in zip(renamed, parts, strict=True)
    ]
    offsets, flat = _ragged(lists, "codes")
    return _used("keywords", {"offsets": offsets}, flat, tuple(terms))


def _used(
    kind: ColumnKind, arrays: dict[str, NDArray[Any]], codes: NDArray[Any], terms: tuple[str, ...]
) -> Column:
    """A column without the terms that none of its rows has."""
    used = np.unique(codes[codes >= 0])
    places = np.full(len(terms) + 1, -1, np.int32)
    places[used] = np.arange(len(used), dtype=np.int32)
    kept = tuple(terms[code] for code in used.tolist())
    return Column(kind, {**arrays, "codes": places[codes]}, kept)


def _ragged(
    parts: Sequence[tuple[Column, Rows]], name: str
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Offsets and content of some rows' lists."""
    lengths, content = [], []
    for column, rows in parts:
        starts = column.arrays["offsets"][rows]
        sizes = column.arrays["offsets"][rows + 1] - starts
        lengths.append(sizes)
        ends = np.cumsum(sizes)
        inside = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - sizes, sizes)
        content.append(column.arrays[name][np.repeat(starts, sizes) + inside])
    offsets = np.zeros(sum(map(len, lengths)) + 1, np.int64)
    np.cumsum(np.concatenate(lengths), out=offsets[1:])
    return offsets, np.concatenate(content)
