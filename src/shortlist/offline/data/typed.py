"""Files as typed tables.

Text formats are read as text, column by column, and the types are found afterwards, over the whole
file, so a value that does not fit the others makes a keyword of its column, not an error.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir

from shortlist.offline.data.engine import quote, viewed
from shortlist.offline.data.scan import check_parquet, format_of, read_text, readable
from shortlist.offline.data.text import check_encoding

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend

_TYPES = ("int64", "float64", "boolean", "timestamp('UTC')")


def open_file(con: Backend, file: Path, id_column: str) -> ir.Table:
    """One file as a typed table.

    Args:
        con: the engine that reads.
        file: the file.
        id_column: the column that stays text.

    Raises:
        DataError: the file is damaged, or is not UTF-8.
    """
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
        table = viewed(con, scan, view)
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


def same_types(tables: list[ir.Table]) -> list[ir.Table]:
    """Cast the columns on which tables of one glob disagree to a type that holds them all."""
    casts = {}
    for name in tables[0].columns:
        kinds = {table[name].type().copy(nullable=True) for table in tables}
        if len(kinds) > 1:
            numeric = all(kind.is_numeric() for kind in kinds)
            casts[name] = "float64" if numeric else "string"
    return [table.cast(casts) if casts else table for table in tables]
