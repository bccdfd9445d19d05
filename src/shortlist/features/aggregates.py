"""The offline side of declared aggregates: one expression for each family of them.

By item, by attribute (of items, of users, or both), by part of time or by context: running totals,
looked up as of the requests (`features.totals`); how many different values a window has is no
difference of totals, and has a frame of its own. By user: the newest `HISTORY` events before each
request are joined to it, in blocks of as many events, so that the join is by equality.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shortlist.features.aggregate_columns import (
    TERM,
    above,
    events_with,
    listed,
    summary_of,
    value_of,
    with_terms,
)
from shortlist.features.aggregates_of_users import of_users
from shortlist.features.contract import AsOf
from shortlist.features.declared import Aggregate
from shortlist.features.totals import totals_as_of
from shortlist.features.windows import frame

if TYPE_CHECKING:
    import ibis.expr.types as ir


def aggregates(features: Sequence[Aggregate], at: AsOf) -> list[tuple[ir.Table, list[str]]]:
    """Tables keyed by (request, item), (item, time) or (request), and the columns of each.

    Features that share what events are matched by are columns of one table.
    """
    families: dict[Any, list[Aggregate]] = {}
    for feature in features:
        apart = feature.section.value == "distinct" and not feature.by_user
        only = feature.name if feature.by_user and listed(feature) else ""
        family = (feature.by_user, feature.shared, feature.key, apart, only)
        families.setdefault(family, []).append(feature)
    return [
        (of_users(family, at) if by_user else _of_everybody(family, at), [f.name for f in family])
        for (by_user, *_), family in families.items()
    ]


def _of_everybody(features: Sequence[Aggregate], at: AsOf) -> ir.Table:
    """A family by item, keyed by (item, time), by what all candidates of a request share, keyed by
    (request), or by another attribute, keyed by (request, item)."""
    first = features[0]
    key = first.key
    asked = at.requests
    if key:
        asked = at.candidates.select("request", "item").join(asked, "request")
    asked = with_terms(asked, at, first)
    points = asked.select(TERM, "time").distinct()
    events = with_terms(events_with(features, at, at.log), at, first).semi_join(points, TERM)
    if first.section.value == "distinct":
        line = _distinct(features, events, points)
    else:
        line = totals_as_of(features, events, points)
    if key == "item" and not first.paired:
        return line.rename(item=TERM)
    found = asked.join(line, [TERM, "time"])
    return found.group_by(["request", "item"] if key else "request").agg(
        **{feature.name: summary_of(feature, found[feature.name]) for feature in features}
    )


def _distinct(features: Sequence[Aggregate], events: ir.Table, points: ir.Table) -> ir.Table:
    """(term, time) with each feature, from a frame for each over the events and the points."""
    import ibis

    columns = sorted({above(feature) for feature in features})
    line = ibis.union(
        events.select(TERM, *columns, key=events.time * 2 + 1, now=ibis.null("int64")),
        points.select(
            TERM,
            **{c: ibis.null(events[c].type()) for c in columns},
            key=points.time * 2,
            now=points.time,
        ),
    )
    counts = {}
    for feature in features:
        window = None if feature.window is None else 2 * feature.window
        counts[feature.name] = line[above(feature)].nunique().over(frame([TERM], "key", window))
    line = line.mutate(**counts).filter(line.now.notnull())
    values = {f.name: value_of(f, line[f.name], None, line.now) for f in features}
    return line.select(TERM, time=line.now, **values)
