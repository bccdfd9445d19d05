"""The users source as a `UserTable`: read, checked, and what is wrong with it told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
from ibis import _

from shortlist.config.schema import UsersSection
from shortlist.core.catalogue import ColumnKind
from shortlist.core.errors import DataError, did_you_mean
from shortlist.core.users import UserTable
from shortlist.core.vocabulary import Vocabulary
from shortlist.offline.data.engine import counted, stored
from shortlist.offline.data.finding import Finding
from shortlist.offline.data.items import ITEM_ROW, build_columns, kind_of, unique_ids
from shortlist.offline.data.scan import readable, require
from shortlist.offline.data.source import locate, open_source
from shortlist.offline.data.values import as_id

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend

USER_ID = "shortlist user id"
EXAMPLES = 3


def read_users(con: Backend, section: UsersSection, folder: Path) -> tuple[UserTable, int]:
    """The users source as columns, and how many of its rows have no id.

    Raises:
        DataError: the source cannot be read, is empty, lacks a column, has an id twice, or an
            attribute of a type that fits no kind.
    """
    table = open_source(con, locate(section, folder), section.id)
    require(table.columns, user_columns(section), section.path)
    kinds = user_kinds(table, section)
    with readable(section.path):
        chosen = table.select(*section.attributes, **{USER_ID: as_id(table[section.id])})
        chosen = stored(con, chosen, "users_source")
    ids = unique_ids(con, chosen, USER_ID, "user", section.path)
    named = con.to_pyarrow(ids.select(USER_ID).order_by(USER_ID))[USER_ID].to_pylist()
    if not named:
        raise DataError("there is no user in it.", remedy="Check the file.", where=section.path)
    rows = pa.array(np.arange(len(named), dtype=np.int32))
    places = pa.table({USER_ID: pa.array(named, pa.string()), ITEM_ROW: rows})
    every = stored(con, places, "user_rows").inner_join(chosen, USER_ID)
    columns = build_columns(con, stored(con, every, "every_user"), kinds)
    without = counted(con, chosen.filter(chosen[USER_ID].isnull()))
    return UserTable(Vocabulary.of(named), columns), without


def user_columns(section: UsersSection) -> dict[str, str]:
    """Config key → column, of every column that the section names."""
    named = {f"attributes[{place}]": name for place, name in enumerate(section.attributes)}
    return {"id": section.id, **named}


def user_kinds(table: ir.Table, section: UsersSection) -> dict[str, ColumnKind]:
    """The kind of every attribute, from the types in the file.

    Raises:
        DataError: one is of a type that fits no kind.
    """
    where = "data.users.attributes"
    return {name: kind_of(table[name], name, where) for name in section.attributes}


def check_users(
    con: Backend, section: UsersSection, folder: Path, events: ir.Table | None
) -> Iterator[Finding]:
    """What is wrong with the users source; a source that cannot be read is a finding too.

    Args:
        con: the engine that reads.
        section: `[data.users]`.
        folder: the project folder.
        events: a table with the column `user`, the ids that events name; None where they cannot
            be told.
    """
    if not section.attributes:
        remedy = "No column is named, so nothing is known of users. Name those that features read."
        yield Finding("warning", "data.users.attributes", 1, [section.path], remedy)
        return
    try:
        table = open_source(con, locate(section, folder), section.id)
    except DataError as error:
        yield Finding.of("data.users.path", error)
        return
    absent = {k: n for k, n in user_columns(section).items() if n not in table.columns}
    for key, name in absent.items():
        remedy = f"There is no such column. {did_you_mean(name, table.columns)}"
        yield Finding("error", f"data.users.{key}", 1, [name], remedy)
    if absent:
        return
    try:
        user_kinds(table, section)
        ids = table.select(id=as_id(table[section.id]))
        with readable(section.path):
            ids = stored(con, ids.group_by("id").aggregate(rows=_.count()), "user_ids")
    except DataError as error:
        yield Finding.of("data.users.path", error)
        return
    yield from _ids(con, ids, section)
    if events is not None:
        known = ids.filter(ids.id.notnull()).select("id")
        strangers = events.filter(events.user.notnull()).anti_join(known, [("user", "id")])
        strangers = strangers.select("user").distinct()
        count = counted(con, strangers)
        if count and count == counted(con, events.select("user").drop_null().distinct()):
            yield Finding(
                "warning",
                "data.users.id",
                count,
                _examples(con, strangers.order_by("user").user),
                "The users source has none of the users of the events, for whom features are the "
                "default. Check that both sources write ids alike.",
            )


def _ids(con: Backend, ids: ir.Table, section: UsersSection) -> Iterator[Finding]:
    if not counted(con, ids.filter(ids.id.notnull())):
        yield Finding("error", "data.users.path", 1, [section.path], "There is no user in it.")
    empty = int(con.to_pyarrow(ids.filter(ids.id.isnull()).rows.sum()).as_py() or 0)
    if empty:
        remedy = "These rows have no user id and are left out; give them one."
        yield Finding("warning", "data.users.id", empty, ["null"], remedy)
    twice = ids.filter(ids.id.notnull() & (ids.rows > 1)).order_by("id")
    count = counted(con, twice)
    if count:
        remedy = "These user ids are on several rows; keep one row for each."
        yield Finding("error", "data.users.id", count, _examples(con, twice.id), remedy)


def _examples(con: Backend, column: ir.Column) -> list[str]:
    found: list[str] = con.to_pyarrow(column.name("example").as_table().limit(EXAMPLES))[
        "example"
    ].to_pylist()
    return found
