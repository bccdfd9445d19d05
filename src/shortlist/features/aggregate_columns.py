"""What declared aggregates are made of, offline: terms, columns of events, and values of totals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from shortlist.core.context import COLUMN
from shortlist.core.keys import kind_code
from shortlist.core.times import DAY
from shortlist.features.clock import part_of
from shortlist.features.contract import AsOf
from shortlist.features.declared import Aggregate

if TYPE_CHECKING:
    import ibis.expr.types as ir

PAIR = 1 << 32
"""A term of an item times this, and what is shared besides (at most 32 bits), are one term."""
TERM = "term"
"""The column of what events and candidates share."""
EVENTS = "1:"
"""The column that counts every event."""
NEWEST = "last::"
"""The column of every event's time."""


def listed(feature: Aggregate) -> str:
    """The attribute whose values are counted: an item may have several."""
    of = feature.section.of
    return of if feature.section.value == "distinct" and of not in ("user", "item") else ""


def with_others(at: AsOf) -> AsOf:
    """The same with events that are no interactions in the log, at the weight 0."""
    import ibis

    assert at.others is not None, "events that are no interactions are not there"
    others = at.others.mutate(weight=ibis.literal(0.0, "float64"))
    log = at.log.select(*(name for name in at.log.columns if name in others.columns))
    others = others.select(*log.columns).cast(log.schema())
    return replace(at, log=ibis.union(log, others), others=None)


def terms_of(at: AsOf, key: str) -> ir.Table:
    """(item, term): what an item and its events share; once for each value."""
    if key == "item":
        return at.catalogue.select("item", term=at.catalogue["item"].cast("int64"))
    values = at.catalogue.select("item", term=at.catalogue[f"attribute:{key}"])
    if values.term.type().is_array():
        values = values.select("item", term=values.term.unnest()).distinct()
    return values.drop_null(TERM).mutate(term=lambda t: t.term.cast("int64"))


def with_terms(table: ir.Table, at: AsOf, feature: Aggregate) -> ir.Table:
    """The table with `term`: a line once for each value of its item, and of its user.

    Args:
        table: events or requests; it has `item` where the feature has a key.
        at: what is joined.
        feature: it says what is shared.
    """
    import ibis

    key = feature.key
    if key == "item":
        table = table.mutate(term=table["item"].cast("int64"))
    elif key:
        table = table.join(terms_of(at, key), "item")
    else:
        table = table.mutate(term=ibis.literal(0, "int64"))
    match feature.side:
        case "":
            return table
        case "time":
            table = table.mutate(own=part_of(feature.names[0], table.time).cast("int64"))
        case "context":
            table = table.mutate(own=table[COLUMN + feature.names[0]]).drop_null("own")
        case _:
            table = table.join(_values_of_users(at, group_column(feature.names)), "user")
    return table.mutate(term=table.term * PAIR + table.own).drop("own")


def group_column(names: Sequence[str]) -> str:
    """The column of `AsOf.users` with the values, or pairs of values, that events share."""
    return f"attribute:{names[0]}" if len(names) == 1 else f"group:{','.join(names)}"


def _values_of_users(at: AsOf, column: str) -> ir.Table:
    """(user, own): the values of each user, each once."""
    assert at.users is not None, "[data.users] is not there"
    values = at.users.select("user", own=at.users[column])
    if values.own.type().is_array():
        values = values.select("user", own=values.own.unnest()).distinct()
    return values.drop_null("own").mutate(own=lambda t: t.own.cast("int64"))


def _named(kinds: Sequence[int]) -> str:
    return "-".join(map(str, sorted(kinds)))


def above(feature: Aggregate) -> str:
    """The column that a feature aggregates; features of the same events share it."""
    section = feature.section
    counted = "1" if section.value in ("count", "rate") else f"{section.value}:{section.of}"
    counted = f"v:{section.of}" if section.value in ("sum", "mean") else counted
    return f"{counted}:{_named(feature.kinds)}"


def below(feature: Aggregate) -> str:
    """The column that it divides by; empty for none."""
    match feature.section.value:
        case "mean":
            # every event has a weight
            counted = "1" if feature.section.of == "weight" else f"n:{feature.section.of}"
            return f"{counted}:{_named(feature.kinds)}"
        case "rate":
            return f"1:{_named(feature.among)}"
        case _:
            return ""


def shares_of(feature: Aggregate) -> list[tuple[str, dict[int, float] | None]]:
    """The columns of a feature, above and below, each with what an event of each kind adds to it.

    None where that is not a matter of kinds, or where kinds are not told apart.
    """
    section, every = feature.section, {kind_code(k): w for k, w in feature.weights.items() if w > 0}
    ones = dict.fromkeys(feature.kinds or every, 1.0)
    match section.value:
        case "sum" | "mean" if section.of == "weight":
            up = {kind: every[kind] for kind in ones if kind in every}
            told = [(above(feature), up), (below(feature), ones)]
        case "count" | "rate":
            told = [(above(feature), ones), (below(feature), dict.fromkeys(feature.among, 1.0))]
        case _:
            told = [(above(feature), {}), (below(feature), {})]
    return [(name, shares or None) for name, shares in told if name]


def events_with(features: Sequence[Aggregate], at: AsOf, log: ir.Table) -> ir.Table:
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
        # 1, cast: DuckDB takes 1.0 for a decimal, whose sums are 128 bits wide and slow
        match feature.section.value:
            case "sum" | "mean":
                value = (log.weight if of == "weight" else log[of]).cast("float64")
                value = ibis.ifelse(there & ~value.isnan() & ~value.isinf(), value, None)
                columns[up] = value
                if down:
                    columns[down] = ibis.ifelse(value.notnull(), 1, None).cast("float64")
            case "last":
                columns[up] = ibis.ifelse(there, log.time, None)
            case "distinct":
                told = log["value"] if listed(feature) else log[of]
                columns[up] = ibis.ifelse(there, told.cast("int64"), None)
            case _:
                columns[up] = ibis.ifelse(there, 1, None).cast("float64")
                if down:
                    columns[down] = ibis.ifelse(counts(feature.among), 1, None).cast("float64")
    return log.mutate(**columns)


def value_of(feature: Aggregate, x: ir.Value, y: ir.Value | None, now: ir.Value) -> ir.Value:
    """The feature from its aggregated columns."""
    match feature.section.value:
        case "count" | "sum" | "distinct":
            return x.cast("float64").fill_null(0.0)
        case "last":
            return (now - x) / float(DAY)
        case _:
            assert y is not None
            above_it, below_it = feature.prior
            if not below_it:
                return x.fill_null(0.0) / y.nullif(0.0)
            return (x.fill_null(0.0) + above_it) / (y.fill_null(0.0) + below_it)


def summary_of(feature: Aggregate, column: ir.Value) -> ir.Value:
    """Several values of a candidate's attribute as one."""
    return column.min() if feature.section.value == "last" else column.mean()
