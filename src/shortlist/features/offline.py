"""The offline side of a feature set: one expression for every column, and its matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import NO_TIME, Catalogue, Column
from shortlist.core.users import UserTable
from shortlist.features.aggregate_columns import group_column, with_others
from shortlist.features.aggregates import aggregates
from shortlist.features.contexts import columns_of_events
from shortlist.features.contract import AsOf, Feature, Others
from shortlist.features.declared import Aggregate, Cross
from shortlist.features.pairs import terms_of_users

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

    from shortlist.features.sets import FeatureSet

KEYS = ("request", "item")


def join(features: Sequence[Feature], at: AsOf) -> ir.Table:
    """Every candidate with every feature as of its request.

    Returns:
        A table (request, item, one float32 column per feature by its name), one line per
        candidate, without nulls.
    """
    import ibis

    families: dict[Any, tuple[ir.Table, list[str]]] = {}
    crosses = [feature for feature in features if isinstance(feature, Cross)]
    plain = [feature for feature in features if not isinstance(feature, Cross)]
    for feature in plain:
        if not isinstance(feature, Aggregate):
            table = feature.offline(at)
            families.setdefault(table.op(), (table, []))[1].append(feature.name)
    counted = [feature for feature in plain if isinstance(feature, Aggregate)]
    declared = aggregates([one for one in counted if not one.beyond], at)
    if beyond := [one for one in counted if one.beyond]:
        declared += aggregates(beyond, with_others(at))
    joined = at.candidates.select(*KEYS).join(at.requests.select("request", "time"), "request")
    # One chain of joins, with no projection between two of them: nested, they would be deeper than
    # a compiler of SQL can follow.
    for number, (table, names) in enumerate([*families.values(), *declared]):
        keys = [key for key in (*KEYS, "time") if key in table.columns]
        # half as wide before the join as after it
        columns = {name: table[name].cast("float32") for name in names}
        theirs = {f"{key} {number}": table[key] for key in keys}
        by = list(zip(keys, theirs, strict=True))
        joined = joined.left_join(table.select(**theirs, **columns), by)
    joined = joined.select(
        *KEYS,
        **{
            feature.name: joined[feature.name].fill_null(ibis.literal(feature.default, "float32"))
            for feature in plain
        },
    )
    crossed = {cross.name: _cross(cross, joined) for cross in crosses}
    return joined.mutate(**crossed).select(*KEYS, *(feature.name for feature in features))


def _cross(cross: Cross, joined: ir.Table) -> ir.Value:
    """Two joined columns as one."""
    import ibis

    a, b = (joined[name].cast("float64") for name in (cross.left, cross.right))
    match cross.how:
        case "product":
            made = a * b
        case "ratio":
            made = a / b.nullif(0.0)
        case _:
            made = a - b
    # beyond float32 there is no such number
    return ibis.ifelse(made.abs() < 3.4e38, made, None).fill_null(cross.default).cast("float32")


def matrix(
    features: Sequence[Feature], at: AsOf
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """The joined features as a matrix.

    Returns:
        requests `int64[n]`, items `int32[n]`, ascending by both, and values `float32[f, n]`.
    """
    table = join(features, at).order_by(KEYS).to_pyarrow()
    out = np.empty((len(features), table.num_rows), np.float32)
    for column, feature in zip(out, features, strict=True):
        column[:] = table.column(feature.name).to_numpy()
    requests = table.column("request").to_numpy().astype(np.int64, copy=False)
    items = table.column("item").to_numpy().astype(np.int32, copy=False)
    return requests, items, out


def catalogue_table(
    catalogue: Catalogue, attributes: Sequence[str], texts: Sequence[str] = ()
) -> pa.Table:
    """`AsOf.catalogue` of a catalogue.

    Returns:
        item, `attribute:<name>` for each of `attributes` and `text:<name>` for each of `texts`.
    """
    import pyarrow as pa

    rows = pa.array(np.arange(len(catalogue), dtype=np.int32))
    return pa.table({"item": rows, **_arrow_columns(catalogue.columns, attributes, texts)})


def others_of(features: FeatureSet, others: Others | None) -> ir.Table | None:
    """`AsOf.others` of some events; None where no feature counts any of them."""
    import ibis
    import pyarrow as pa

    if others is None or not any(one.beyond for one in features.counted):
        return None
    columns = {
        "user": others.user,
        "item": others.item,
        "time": others.time,
        "kind": others.kind.astype(np.int64),
        **columns_of_events(features.contexts, others.context),
    }
    return ibis.memtable(pa.table(columns))


def users_of(
    features: FeatureSet,
    table: UserTable | None,
    users: NDArray[np.int32],
    keys: NDArray[np.uint64],
) -> ir.Table | None:
    """`AsOf.users` for some features; None where none of them asks for users.

    Args:
        features: they say which columns.
        table: what is known of users.
        users: `int32[n]`, the rows that requests have users by, each once.
        keys: `uint64[n]`, the key of each one's id.
    """
    import ibis
    import pyarrow as pa

    attributes, texts = features.user_attributes, features.user_texts
    if table is None or not (attributes or texts):
        return None
    rows = table.vocabulary.rows_of_keys(keys)
    known = rows >= 0
    columns = pa.table(_arrow_columns(table.columns, attributes, texts)).take(pa.array(rows[known]))
    for group in features.groups:
        if len(group) > 1:
            starts, codes = terms_of_users(table, group, rows[known])
            pairs = pa.ListArray.from_arrays(
                pa.array(starts.astype(np.int32)), pa.array(codes.astype(np.int64), mask=codes < 0)
            )
            columns = columns.append_column(group_column(group), pairs)
    return ibis.memtable(columns.append_column("user", pa.array(users[known])))


def _arrow_columns(
    columns: Mapping[str, Column], attributes: Sequence[str], texts: Sequence[str]
) -> dict[str, pa.Array]:
    made = {f"attribute:{name}": _coded(columns[name]) for name in attributes}
    return made | {f"text:{name}": _text(columns[name]) for name in texts}


def _coded(column: Column) -> pa.Array:
    """Numbers, instants or codes; null where missing."""
    import pyarrow as pa

    arrays = column.arrays
    match column.kind:
        case "keyword":
            codes = np.asarray(arrays["codes"])
            return pa.array(codes, mask=codes < 0)
        case "keywords":
            return pa.ListArray.from_arrays(
                pa.array(arrays["offsets"].astype(np.int32)), pa.array(arrays["codes"])
            )
        case "number":
            return pa.array(np.asarray(arrays["values"]), from_pandas=True)
        case "time":
            instants = np.asarray(arrays["values"])
            return pa.array(instants, mask=instants == NO_TIME)
        case kind:
            raise AssertionError(f"no feature reads {kind} columns")


def _text(column: Column) -> pa.Array:
    """The terms of a keyword or keywords column; null or an empty list where missing."""
    import pyarrow as pa

    terms = pa.array(column.terms, pa.string())
    codes = np.asarray(column.arrays["codes"])
    values = terms.take(pa.array(codes, mask=codes < 0))
    if column.kind == "keyword":
        return values
    return pa.ListArray.from_arrays(pa.array(column.arrays["offsets"].astype(np.int32)), values)
