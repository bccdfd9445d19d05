"""The offline side of a feature set: one expression for every column, and its matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import NO_TIME, Catalogue
from shortlist.features.aggregates import aggregates
from shortlist.features.contract import AsOf, Feature
from shortlist.features.declared import Aggregate, Cross

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

KEYS = ("request", "item")


def join(features: Sequence[Feature], at: AsOf) -> ir.Table:
    """Every candidate with every feature as of its request.

    Returns:
        A table (request, item, one float32 column per feature by its name), one line per
        candidate, without nulls.
    """
    families: dict[Any, tuple[ir.Table, list[str]]] = {}
    crosses = [feature for feature in features if isinstance(feature, Cross)]
    plain = [feature for feature in features if not isinstance(feature, Cross)]
    for feature in plain:
        if not isinstance(feature, Aggregate):
            table = feature.offline(at)
            families.setdefault(table.op(), (table, []))[1].append(feature.name)
    declared = aggregates([feature for feature in plain if isinstance(feature, Aggregate)], at)
    joined = at.candidates.select(*KEYS)
    for table, names in [*families.values(), *declared]:
        keys = [key for key in KEYS if key in table.columns]
        joined = joined.left_join(table.select(*keys, *names), keys, rname="{name}_right")
        joined = joined.drop(*(f"{key}_right" for key in keys))
    joined = joined.select(
        *KEYS,
        **{
            feature.name: joined[feature.name]
            .cast("float64")
            .fill_null(feature.default)
            .cast("float32")
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


def catalogue_table(catalogue: Catalogue, attributes: Sequence[str]) -> pa.Table:
    """`AsOf.catalogue` of a catalogue: item and `attribute:<name>` for each name."""
    import pyarrow as pa

    columns: dict[str, pa.Array] = {"item": pa.array(np.arange(len(catalogue), dtype=np.int32))}
    for name in attributes:
        column = catalogue.columns[name]
        arrays = column.arrays
        match column.kind:
            case "keyword":
                codes = np.asarray(arrays["codes"])
                values = pa.array(codes, mask=codes < 0)
            case "keywords":
                values = pa.ListArray.from_arrays(
                    pa.array(arrays["offsets"].astype(np.int32)), pa.array(arrays["codes"])
                )
            case "number":
                values = pa.array(np.asarray(arrays["values"]), from_pandas=True)
            case "time":
                instants = np.asarray(arrays["values"])
                values = pa.array(instants, mask=instants == NO_TIME)
            case kind:
                raise AssertionError(f"no feature reads {kind} columns")
        columns[f"attribute:{name}"] = values
    return pa.table(columns)
