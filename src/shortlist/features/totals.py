"""Running totals after every event of a term, and what instants find of them.

What a window holds is the total before its end less the total before its beginning, so a value is
made of as-of look-ups. An as-of join is not something that every engine has; counting is. The
events of a term are numbered in order of time and carry the totals up to and with themselves. An
instant needs to know no more than how many events precede it, which is one count over the union of
events and instants: a sort of two narrow columns, however many features there are. The totals are
then fetched by that number, a join by equality.

Decays. Σ x · 2^(-(now - t)/h) needs weights that do not depend on its end: 2^(t/h) does not, but
overflows. Time is therefore cut into blocks of `BLOCK` half-lives; a total is of an event's own
block and the one before it, each measured from its start, and what is older than that is below any
float32. It is kept as of the event, and fades from there to the instant that finds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shortlist.features.aggregate_columns import TERM, above, below, value_of
from shortlist.features.declared import OLD, Aggregate
from shortlist.features.totals_plan import NUMBER, THEN, Plan
from shortlist.features.windows import frame

if TYPE_CHECKING:
    import ibis.expr.types as ir

BLOCK = 400
"""Half-lives; 2^400 is far from what float64 holds."""


def totals_as_of(features: Sequence[Aggregate], events: ir.Table, points: ir.Table) -> ir.Table:
    """Features of a family as of instants.

    Args:
        features: none of them `distinct`.
        events: term, time, kind, and the columns that the features aggregate (`events_with`).
        points: term and time, each pair once.

    Returns:
        term, time, one column per feature; one line per point.
    """
    plan = Plan.of(features)
    found = _numbers(plan, events, points).left_join(
        _after_each(plan, events), [TERM, NUMBER], rname="{name}_right"
    )
    return _values(features, plan, _wide(plan, found))


def _after_each(plan: Plan, events: ir.Table) -> ir.Table:
    """term, number (from 1), then (its time), and the totals up to and with that event."""
    import ibis

    for kind in plan.kinds:
        one = ibis.ifelse(events.kind == kind, 1, None).cast("float64")
        events = events.mutate(**{plan.of_kind(kind): one})
    so_far = frame([TERM], "time")  # with its peers: which of them is the n-th does not matter
    totals = {
        c: (events[c].max() if c in plan.lasting else events[c].sum()).over(so_far)
        for c in plan.summed[None]
    }
    number = ibis.row_number().over(group_by=TERM, order_by="time") + 1
    faded = {
        plan.total(c, half_life): _fading(events, c, half_life)
        for half_life, columns in plan.summed.items()
        if half_life is not None
        for c in columns
    }
    return events.select(TERM, **{NUMBER: number, THEN: events.time}, **totals, **faded)


def _fading(events: ir.Table, column: str, half_life: int) -> ir.FloatingValue:
    """The decayed total of a column as of each event: of its own block and the one before."""
    import ibis

    two, span = ibis.literal(2.0), BLOCK * half_life
    block = (events.time / float(span)).floor()
    age = (events.time - block * float(span)) / float(half_life)
    # A frame as long as a block meets two of them, one of which is even: the blocks' sums, each
    # measured from its block's start, stay apart.
    even = (block / 2).floor() * 2 == block
    recent = frame([TERM], "time", span)
    amount = events[column] * two**age
    evens, odds = (
        ibis.ifelse(there, amount, None).sum().over(recent).fill_null(0.0)
        for there in (even, ~even)
    )
    own, before = ibis.ifelse(even, evens, odds), ibis.ifelse(even, odds, evens)
    return own * two ** (-age) + before * two ** (-age - float(BLOCK))


def _numbers(plan: Plan, events: ir.Table, points: ir.Table) -> ir.Table:
    """term, now, shift, number: how many of the term's events are strictly before now - shift."""
    import ibis

    line = ibis.union(
        events.select(
            TERM,
            key=events.time * 2 + 1,
            event=ibis.literal(1, "int8"),
            now=ibis.null("int64"),
            shift=ibis.null("int64"),
        ),
        *(
            points.select(
                TERM,
                key=(points.time - shift) * 2,
                event=ibis.null("int8"),
                now=points.time,
                shift=ibis.literal(shift, "int64"),
            )
            for shift in plan.shifts
        ),
    )
    line = line.mutate(**{NUMBER: line.event.count().over(frame([TERM], "key"))})
    return line.filter(line.shift.notnull()).select(TERM, "now", "shift", NUMBER)


def _wide(plan: Plan, found: ir.Table) -> ir.Table:
    """One line per point: its totals as of each of its instants, `<total> <shift>`."""
    if len(plan.shifts) == 1:
        return found.select(TERM, "now", **{f"{c} 0": found[c] for c, _ in plan.wanted})
    return found.group_by([TERM, "now"]).agg(
        **{f"{c} {shift}": found[c].max(where=found.shift == shift) for c, shift in plan.wanted}
    )


def _values(features: Sequence[Aggregate], plan: Plan, wide: ir.Table) -> ir.Table:
    """term, time and the features, from the totals of each point."""
    import ibis

    values = {}
    for feature in features:
        if feature.section.value == "last":
            (newest,) = (wide[f"{total} 0"] for total in plan.parts(feature, above(feature)))
            if feature.window is not None:
                newest = ibis.ifelse(newest >= wide.now - feature.window, newest, None)
            values[feature.name] = value_of(feature, newest, None, wide.now)
            continue
        x = _amount(plan, feature, above(feature), wide)
        y = _amount(plan, feature, below(feature), wide) if below(feature) else None
        if y is not None and feature.half_life is not None:
            y = ibis.ifelse(y < 2.0**-OLD, None, y)
        values[feature.name] = value_of(feature, x, y, wide.now)
    return wide.select(TERM, time=wide.now, **values)


def _amount(plan: Plan, feature: Aggregate, column: str, wide: ir.Table) -> ir.NumericValue:
    """What a column amounts to between a window's ends, or faded to the instant."""
    import ibis

    amount: ir.NumericValue = ibis.literal(0.0)
    for number, (total, share) in enumerate(plan.parts(feature, column).items()):
        part = wide[f"{total} 0"].fill_null(0)
        if feature.window is not None:
            part = part - wide[f"{total} {feature.window}"].fill_null(0)
        part = part.cast("float64") if share == 1.0 else part * share
        amount = part if number == 0 else amount + part
    if feature.half_life is None:
        return amount
    fade = ibis.literal(2.0) ** (-(wide.now - wide[f"{THEN} 0"]) / float(feature.half_life))
    return (amount * fade).fill_null(0.0)
