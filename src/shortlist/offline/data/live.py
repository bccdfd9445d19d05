"""Items written while serving, as another source of items beside the one that is configured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pyarrow as pa

from shortlist.config.schema import ItemsSection
from shortlist.core.catalogue import ColumnKind
from shortlist.offline.data.engine import stored
from shortlist.offline.data.items import ITEM_ID, column_kinds, item_columns
from shortlist.offline.data.source import locate
from shortlist.offline.data.values import as_boolean, as_id, as_time
from shortlist.stores.items import NEVER, ItemStore, LiveItem, items_file

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend

_TYPES: dict[ColumnKind, pa.DataType] = {
    "number": pa.float64(),
    "time": pa.timestamp("us", "UTC"),
    "keyword": pa.string(),
    "keywords": pa.list_(pa.string()),
    "text": pa.string(),
}


def _make_timestamptz(microseconds: int) -> None:
    """The instant of microseconds since the epoch."""


_instant = ibis.udf.scalar.builtin(
    _make_timestamptz,
    name="make_timestamptz",
    signature=((dt.int64,), dt.Timestamp(timezone="UTC")),
)


def written_items(folder: Path) -> list[LiveItem]:
    """All items that were written, oldest write first; none where there never was one.

    Args:
        folder: the project's folder.
    """
    file = items_file(folder / ".shortlist" / "state")
    if not file.is_file():
        return []
    store = ItemStore(file)
    try:
        return store.since(0)
    finally:
        store.close()


def with_written(
    con: Backend,
    items: ir.Table,
    section: ItemsSection,
    folder: Path,
    written: Sequence[LiveItem],
) -> ir.Table:
    """The items source with what was written since it was made.

    A written item that the source has as well counts where it is newer than the source's files;
    a source that is a database never is.

    Args:
        con: the engine.
        items: what `offline.data.items.read_items` returns.
        section: which columns there are.
        folder: the project's folder.
        written: what `written_items` returns; at least one.
    """
    kinds = column_kinds(items, section)
    plain = stored(con, items.select(ITEM_ID, **_plain(items, section, kinds)), "plain_items")
    source = locate(section, folder)
    made = max((file.stat().st_mtime_ns // 1_000 for file in source.files), default=0)
    own = stored(con, _table(written, section, kinds), "written_items")
    newer = own.filter(own.shortlist_written > made)
    others = own.filter(own.shortlist_written <= made).anti_join(plain, ITEM_ID)
    columns = plain.columns
    parts = [plain.anti_join(newer, ITEM_ID), newer, others]
    return stored(con, ibis.union(*(part.select(*columns) for part in parts)), "all_items")


def _plain(
    items: ir.Table, section: ItemsSection, kinds: dict[str, ColumnKind]
) -> dict[str, ir.Column]:
    """Every column that the section names, in the one type that its values are written in."""
    plain: dict[str, ir.Column] = {}
    for name in dict.fromkeys(item_columns(section).values()):
        column = items[name]
        match kinds.get(name):
            case "number":
                plain[name] = column.cast("float64")
            case "time":
                plain[name] = _instant(as_time(column))
            case "keyword":
                plain[name] = as_id(column)
            case "keywords":
                plain[name] = column.cast("array<string>")
            case "text":
                text = column.join(" ") if column.type().is_array() else column.cast("string")
                plain[name] = text
            case None if name == section.id:
                plain[name] = items[ITEM_ID]
            case None if name == section.available:
                plain[name] = as_boolean(column)
            case None:
                plain[name] = _instant(as_time(column))
    return plain


def _table(
    written: Sequence[LiveItem], section: ItemsSection, kinds: dict[str, ColumnKind]
) -> pa.Table:
    """Written items as a table of the same columns; where there is no column for it, whether an
    item is available or expires is lost."""
    ids = [item.id for item in written]
    columns = {
        ITEM_ID: pa.array(ids, pa.string()),
        "shortlist_written": pa.array([item.written for item in written], pa.int64()),
    }
    for name in dict.fromkeys(item_columns(section).values()):
        if name in kinds:
            values = [item.body.attributes.get(name) for item in written]
            if name == section.available and kinds[name] == "keyword":
                values = [str(item.body.available).lower() for item in written]
            columns[name] = pa.array(values, _TYPES[kinds[name]])
        elif name == section.id:
            columns[name] = pa.array(ids, pa.string())
        elif name == section.available:
            columns[name] = pa.array([item.body.available for item in written], pa.bool_())
        else:
            ends = [None if i.body.expires == NEVER else i.body.expires for i in written]
            columns[name] = pa.array(ends, _TYPES["time"])
    return pa.table(columns)
