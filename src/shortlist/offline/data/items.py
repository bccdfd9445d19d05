"""The catalogue from an items source: DuckDB computes the columns, arrow hands them over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from ibis import _

from shortlist.config.schema import ItemsSection
from shortlist.core.catalogue import NO_TIME, Catalogue, Column, ColumnKind
from shortlist.core.errors import DataError
from shortlist.core.vocabulary import Vocabulary
from shortlist.offline.data.engine import counted, stored
from shortlist.offline.data.scan import readable, require
from shortlist.offline.data.source import locate, open_source
from shortlist.offline.data.values import as_boolean, as_id, as_time

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend

# Columns that are added to those of the file; no file is likely to have them.
ITEM_ID = "shortlist item id"
ITEM_ROW = "shortlist item row"
NEVER = np.iinfo(np.int64).max


def read_items(con: Backend, section: ItemsSection, folder: Path) -> ir.Table:
    """The items source as a table, with the ids as text in `ITEM_ID`.

    Raises:
        DataError: the source cannot be read, lacks a column, or has an id twice.
    """
    source = locate(section, folder)
    items = open_source(con, source, section.id)
    wanted = item_columns(section)
    require(items.columns, wanted, section.path)
    chosen = items.select(*dict.fromkeys(wanted.values()))
    with readable(section.path):
        chosen = chosen.mutate(**{ITEM_ID: as_id(chosen[section.id])})
        chosen = stored(con, chosen, "items")
    unique_ids(con, chosen, ITEM_ID, "item", section.path)
    return chosen


def unique_ids(con: Backend, chosen: ir.Table, column: str, what: str, where: str) -> ir.Table:
    """The ids of a table's rows; those without one are passed over.

    Raises:
        DataError: an id is there twice.
    """
    ids = chosen.filter(chosen[column].notnull()).group_by(column).aggregate(rows=_.count())
    twice = con.to_pyarrow(ids.filter(ids.rows > 1).order_by(column).limit(1)).to_pylist()
    if twice:
        raise DataError(
            f"the {what} id {twice[0][column]!r} is on {twice[0]['rows']} rows.",
            remedy=f"Keep one row for each {what}.",
            where=where,
        )
    return ids


def item_columns(section: ItemsSection) -> dict[str, str]:
    """Config key → column, of every column that the section names."""
    keys = ("id", "available", "expires", "category", "price")
    named = {key: getattr(section, key) for key in keys}
    named |= {f"text[{place}]": name for place, name in enumerate(section.text)}
    named |= {f"attributes[{place}]": name for place, name in enumerate(section.attributes)}
    return {key: name for key, name in named.items() if name}


def column_kinds(items: ir.Table, section: ItemsSection) -> dict[str, ColumnKind]:
    """The kind of every catalogue column, from the types in the file.

    Raises:
        DataError: the price is no number, or a column is of a type that fits no kind.
    """
    names = dict.fromkeys([*section.text, *section.attributes, section.category, section.price])
    kinds: dict[str, ColumnKind] = {}
    for name in names:
        if name in section.text:
            kinds[name] = "text"
        elif name:
            kinds[name] = kind_of(items[name], name, "data.items.attributes")
    if section.category and kinds[section.category] in ("number", "time"):
        kinds[section.category] = "keyword"
    if section.price and kinds[section.price] != "number":
        raise DataError(
            f"the price column {section.price!r} holds {kinds[section.price]} values.",
            remedy="Give prices as plain numbers, or leave `price` out.",
            where="data.items.price",
        )
    return kinds


def build_catalogue(
    con: Backend, items: ir.Table, section: ItemsSection, vocabulary: Vocabulary
) -> Catalogue:
    """The catalogue over a vocabulary's rows.

    Args:
        con: the engine.
        items: what `read_items` returns.
        section: which columns are wanted.
        vocabulary: rows that `items` does not have become unavailable, their columns empty.
    """
    every = item_rows(con, vocabulary).left_join(items, ITEM_ID)
    every = stored(con, every, "every_item")
    columns = build_columns(con, every, column_kinds(items, section))
    available = every[ITEM_ID + "_right"].notnull()
    if section.available:
        available = available & as_boolean(every[section.available]).fill_null(True)
    expires = ibis.literal(NEVER, "int64")
    if section.expires:
        expires = as_time(every[section.expires]).fill_null(NEVER)
    table = _fetch(con, every.select(item_row=ITEM_ROW, available=available, expires=expires))
    return Catalogue(
        vocabulary,
        columns,
        available=table["available"].to_numpy(),
        expires=table["expires"].to_numpy(),
    )


def build_columns(con: Backend, every: ir.Table, kinds: dict[str, ColumnKind]) -> dict[str, Column]:
    """Columns of a table that has a line for every row, numbered by `ITEM_ROW`."""
    return {
        name: _COLUMNS[kind](con, every.select(item_row=ITEM_ROW, value=every[name]))
        for name, kind in kinds.items()
    }


def item_rows(con: Backend, vocabulary: Vocabulary) -> ir.Table:
    """A table of `ITEM_ID` and `ITEM_ROW`."""
    rows = pa.array(np.arange(len(vocabulary), dtype=np.int32))
    ids = pa.array(vocabulary.ids(), pa.string())
    return stored(con, pa.table({ITEM_ID: ids, ITEM_ROW: rows}), "item_rows")


def bare_catalogue(vocabulary: Vocabulary) -> Catalogue:
    """The catalogue without an items source: ids only, all available."""
    n = len(vocabulary)
    return Catalogue(vocabulary, {}, np.ones(n, np.bool_), np.full(n, NEVER, np.int64))


def kind_of(column: ir.Column, name: str, where: str) -> ColumnKind:
    """The kind that a column of a file is, by its type.

    Args:
        column: the column.
        name: its name, for the message.
        where: the key that names it, for the message.

    Raises:
        DataError: it is of a type that fits no kind.
    """
    dtype = column.type()
    if dtype.is_array():
        return "keywords"
    if dtype.is_numeric() and not dtype.is_boolean():
        return "number"
    if dtype.is_timestamp() or dtype.is_date():
        return "time"
    if dtype.is_string() or dtype.is_boolean() or dtype.is_uuid():
        return "keyword"
    raise DataError(
        f"the column {name!r} is of type {dtype}, which is no attribute.",
        remedy="Attributes are numbers, texts, lists of texts, booleans or times.",
        where=where,
    )


def _fetch(con: Backend, table: ir.Table, *order: str) -> pa.Table:
    """A table in the order of its rows, as arrow arrays without chunks."""
    return con.to_pyarrow(table.order_by("item_row", *order)).combine_chunks()


def _number(con: Backend, values: ir.Table) -> Column:
    table = _fetch(con, values.mutate(value=values.value.cast("float64")))
    return Column("number", {"values": pc.fill_null(table["value"], np.nan).to_numpy()})


def _time(con: Backend, values: ir.Table) -> Column:
    table = _fetch(con, values.mutate(value=as_time(values.value)))
    return Column("time", {"values": pc.fill_null(table["value"], int(NO_TIME)).to_numpy()})


def _text(con: Backend, values: ir.Table) -> Column:
    is_list = values.value.type().is_array()
    text = values.value.join(" ") if is_list else values.value.cast("string")
    table = _fetch(con, values.mutate(value=text.fill_null("")))
    array = table["value"].cast(pa.large_string()).chunk(0)
    _, offsets, blob = array.buffers()
    return Column(
        "text",
        {
            "offsets": np.frombuffer(offsets, np.int64, len(array) + 1, array.offset * 8),
            "blob": np.frombuffer(blob, np.uint8) if blob else np.empty(0, np.uint8),
        },
    )


def _keyword(con: Backend, values: ir.Table) -> Column:
    codes, terms = _coded(con, values.mutate(value=as_id(values.value)))
    return Column("keyword", {"codes": codes["code"].to_numpy()}, terms)


def _keywords(con: Backend, values: ir.Table) -> Column:
    single = values.unnest("value", offset="place")
    single = single.mutate(value=as_id(single.value)).drop_null("value")
    codes, terms = _coded(con, single, "place")
    rows = counted(con, values)
    offsets = np.zeros(rows + 1, np.int64)
    np.cumsum(np.bincount(codes["item_row"].to_numpy(), minlength=rows), out=offsets[1:])
    return Column("keywords", {"offsets": offsets, "codes": codes["code"].to_numpy()}, terms)


def _coded(con: Backend, values: ir.Table, *order: str) -> tuple[pa.Table, tuple[str, ...]]:
    """Values as ranks among the distinct ones, -1 for null; and the distinct ones, ascending."""
    distinct = values.select("value").drop_null().distinct().order_by("value")
    terms = tuple(con.to_pyarrow(distinct)["value"].to_pylist())
    rank = ibis.dense_rank().over(order_by=values.value.asc(nulls_first=False))
    code = ibis.ifelse(values.value.isnull(), -1, rank).cast("int32")
    return _fetch(con, values.mutate(code=code).drop("value"), *order), terms


_COLUMNS: dict[ColumnKind, Callable[[Backend, ir.Table], Column]] = {
    "number": _number,
    "time": _time,
    "keyword": _keyword,
    "keywords": _keywords,
    "text": _text,
}
