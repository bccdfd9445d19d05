"""What declared aggregates are made of, offline: terms, columns of events, and values of totals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shortlist.core.times import DAY
from shortlist.features.contract import AsOf
from shortlist.features.declared import Aggregate

if TYPE_CHECKING:
    import ibis.expr.types as ir

TERM = "term"
"""The column of what events and candidates share."""


def listed(feature: Aggregate) -> str:
    """The attribute whose values are counted: an item may have several."""
    of = feature.section.of
    return of if feature.section.value == "distinct" and of not in ("user", "item") else ""


def terms_of(at: AsOf, key: str) -> ir.Table:
    """(item, term): what an item and its events share; once for each value."""
    if key == "item":
        return at.catalogue.select("item", term=at.catalogue["item"].cast("int64"))
    values = at.catalogue.select("item", term=at.catalogue[f"attribute:{key}"])
    if values.term.type().is_array():
        values = values.select("item", term=values.term.unnest()).distinct()
    return values.drop_null(TERM).mutate(term=lambda t: t.term.cast("int64"))


def above(feature: Aggregate) -> str:
    """The column that a feature aggregates; features of the same events share it."""
    section = feature.section
    counted = "1" if section.value in ("count", "rate") else f"{section.value}:{section.of}"
    counted = f"v:{section.of}" if section.value in ("sum", "mean") else counted
    return f"{counted}:{sorted(feature.kinds)}"


def below(feature: Aggregate) -> str:
    """The column that it divides by; empty for none."""
    match feature.section.value:
        case "mean":
            # every event has a weight
            counted = "1" if feature.section.of == "weight" else f"n:{feature.section.of}"
            return f"{counted}:{sorted(feature.kinds)}"
        case "rate":
            return f"1:{sorted(feature.among)}"
        case _:
            return ""


def events_with(
    features: Sequence[Aggregate], at: AsOf, log: ir.Table
) -> tuple[ir.Table, list[str]]:
    """The log with the columns that features aggregate, null where an event does not count.

    count, rate: 1. sum, mean: the value, and 1 where there is one. last: the time. distinct: the
    value.
    """
    import ibis

    numbers = {f.section.of for f in features if f.section.value in ("sum", "mean")} - {"weight"}
    if numbers:
        values = {name: at.catalogue[f"attribute:{name}"] for name in sorted(numbers)}
        attributes = at.catalogue.select("item", **values)
        log = log.left_join(attributes, "item", rname="{name}_right").drop("item_right")
    columns: dict[str, ir.Value] = {}

    def counts(kinds: Sequence[int]) -> ir.BooleanValue:
        return log.kind.isin(kinds) if kinds else ibis.literal(True)

    for feature in features:
        of, up, down = feature.section.of, above(feature), below(feature)
        there = counts(feature.kinds)
        # cast: DuckDB takes 1.0 for a decimal, whose sums are 128 bits wide and slow
        match feature.section.value:
            case "sum" | "mean":
                value = (log.weight if of == "weight" else log[of]).cast("float64")
                value = ibis.ifelse(there & ~value.isnan() & ~value.isinf(), value, None)
                columns[up] = value
                if down:
                    columns[down] = ibis.ifelse(value.notnull(), 1.0, None).cast("float64")
            case "last":
                columns[up] = ibis.ifelse(there, log.time, None)
            case "distinct":
                told = log["value"] if listed(feature) else log[of]
                columns[up] = ibis.ifelse(there, told.cast("int64"), None)
            case _:
                columns[up] = ibis.ifelse(there, 1.0, None).cast("float64")
                if down:
                    columns[down] = ibis.ifelse(counts(feature.among), 1.0, None).cast("float64")
    return log.mutate(**columns), list(columns)


def value_of(feature: Aggregate, x: ir.Value, y: ir.Value | None, now: ir.Value) -> ir.Value:
    """The feature from its aggregated columns."""
    match feature.section.value:
        case "count" | "sum" | "distinct":
            return x.cast("float64").fill_null(0.0)
        case "last":
            return (now - x) / float(DAY)
        case _:
            assert y is not None
            return x.fill_null(0.0) / y.nullif(0.0)


def summary_of(feature: Aggregate, column: ir.Value) -> ir.Value:
    """Several values of a candidate's attribute as one."""
    return column.min() if feature.section.value == "last" else column.mean()
