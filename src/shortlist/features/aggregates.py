"""The offline side of declared aggregates: one expression for each family of them.

By item or attribute: running totals over the union of the log and the request times, as in
`features.windows`. By user: the newest `HISTORY` events before each request are joined to it, in
blocks of as many events, so that the join is by equality.

Decays. Σ x · 2^(-(now - t)/h) needs a frame whose weights do not depend on its end: 2^(t/h) does
not, but overflows. Time is therefore cut into blocks of `BLOCK` half-lives; an event counts in its
own block and in the next, measured from the start of either, and what is older than that is below
any float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shortlist.features.aggregate_columns import (
    TERM,
    above,
    below,
    events_with,
    listed,
    summary_of,
    terms_of,
    value_of,
)
from shortlist.features.aggregates_of_users import of_users
from shortlist.features.contract import AsOf
from shortlist.features.declared import OLD, Aggregate
from shortlist.features.windows import frame

if TYPE_CHECKING:
    import ibis.expr.types as ir

BLOCK = 400
"""Half-lives; 2^400 is far from what float64 holds."""


def aggregates(features: Sequence[Aggregate], at: AsOf) -> list[tuple[ir.Table, list[str]]]:
    """Tables keyed by (request, item) or (request), and the columns of each.

    Features that share what events are matched by are columns of one table.
    """
    families: dict[Any, list[Aggregate]] = {}
    for feature in features:
        apart: object = None
        if feature.by_user:
            apart = feature.name if listed(feature) else None
        else:
            apart = "distinct" if feature.section.value == "distinct" else feature.half_life
        families.setdefault((feature.by_user, feature.key, apart), []).append(feature)
    return [
        (of_users(family, at) if by_user else _of_everybody(family, at), [f.name for f in family])
        for (by_user, _, _), family in families.items()
    ]


def _of_everybody(features: Sequence[Aggregate], at: AsOf) -> ir.Table:
    """A family by item or by attribute."""
    key = features[0].key
    terms = terms_of(at, key)
    asked = at.candidates.select("request", "item").join(
        at.requests.select("request", "time"), "request"
    )
    asked = asked.join(terms, "item")
    points = asked.select(TERM, "time").distinct()
    events, columns = events_with(features, at, at.log)
    events = events.join(terms, "item").semi_join(points, TERM)
    if features[0].section.value == "distinct":
        line = _distinct(features, events, points, columns)
    else:
        line = _totals(features, events, points, columns)
    found = asked.join(line, [TERM, "time"])
    names = [feature.name for feature in features]
    if key == "item":
        return found.select("request", "item", *names)
    return found.group_by(["request", "item"]).agg(
        **{feature.name: summary_of(feature, found[feature.name]) for feature in features}
    )


def _line(
    events: ir.Table, points: Sequence[ir.Table], by: Sequence[str], columns: Sequence[str]
) -> ir.Table:
    """The union of events and points, which have `now` and `at`: the instant they stand at."""
    import ibis

    nothing = {c: ibis.null(events[c].type()) for c in columns}
    return ibis.union(
        events.select(
            *by,
            *columns,
            key=events.time * 2 + 1,
            now=events.time,
            shift=ibis.null("int64"),
        ),
        *(
            point.select(
                *by,
                **nothing,
                key=(point.time - point.shift) * 2,
                now=point.time,
                shift=point.shift.cast("int64"),
            )
            for point in points
        ),
    )


def _totals(
    features: Sequence[Aggregate], events: ir.Table, points: ir.Table, columns: Sequence[str]
) -> ir.Table:
    """(term, time) with each feature, from running totals.

    What a window holds is the total at its end less the total at its beginning: every point stands
    in the line once for each window. One running frame over few columns is several times faster
    than a sliding frame for each feature.
    """
    import ibis

    half_life = features[0].half_life
    by = [TERM]
    if half_life is not None:
        by.append("block")
        span = float(BLOCK * half_life)
        points = points.mutate(block=(points.time / span).floor().cast("int64"))
        own = events.mutate(block=(events.time / span).floor().cast("int64"))
        events = ibis.union(own, own.mutate(block=own.block + 1))
        scale = ibis.literal(2.0) ** ((events.time - events.block * span) / float(half_life))
        totalled = {above(f) for f in features if f.section.value != "last"}
        totalled |= {below(f) for f in features} - {""}
        events = events.mutate(**{c: events[c] * scale for c in sorted(totalled)})
    slid = [f for f in features if f.section.value != "last" and f.window is not None]
    shifts = sorted({0, *(f.window for f in slid if f.window is not None)})
    shifted = [points.mutate(shift=ibis.literal(shift, "int64")) for shift in shifts]
    line = _line(events, shifted, by, columns)
    running = ibis.window(group_by=by, order_by="key", rows=(None, 0))
    lasting = {above(f) for f in features if f.section.value == "last"}
    line = line.mutate(
        **{c: (line[c].max() if c in lasting else line[c].sum()).over(running) for c in columns}
    ).filter(line.shift.notnull())
    wanted = {
        (c, shift)
        for f in features
        for c in (above(f), below(f))
        for shift in (0, f.window or 0)
        if c and (shift == 0 or c not in lasting)
    }
    wide = line.group_by([*by, "now"]).agg(
        **{f"{c}@{shift}": line[c].max(where=line.shift == shift) for c, shift in sorted(wanted)}
    )
    values = {}
    for feature in features:
        if feature.section.value == "last":
            newest = wide[f"{above(feature)}@0"]
            if feature.window is not None:
                newest = ibis.ifelse(newest >= wide.now - feature.window, newest, None)
            values[feature.name] = value_of(feature, newest, None, wide.now)
            continue
        parts = []
        for column in (above(feature), below(feature)):
            if column:
                part = wide[f"{column}@0"].fill_null(0.0)
                if feature.window is not None:
                    part = part - wide[f"{column}@{feature.window}"].fill_null(0.0)
                parts.append(part)
        x, y = parts[0], parts[1] if len(parts) > 1 else None
        if half_life is not None:
            scale = ibis.literal(2.0) ** (-(wide.now - wide.block * span) / float(half_life))
            x = x * scale
            if y is not None:
                y = ibis.ifelse(y * scale < 2.0**-OLD, None, y * scale)
        values[feature.name] = value_of(feature, x, y, wide.now)
    return wide.select(TERM, time=wide.now, **values)


def _distinct(
    features: Sequence[Aggregate], events: ir.Table, points: ir.Table, columns: Sequence[str]
) -> ir.Table:
    """(term, time) with each feature; how many different values a window has is no difference."""
    import ibis

    line = _line(events, [points.mutate(shift=ibis.literal(0, "int64"))], [TERM], columns)
    counts = {}
    for feature in features:
        window = None if feature.window is None else 2 * feature.window
        over = frame([TERM], "key", window)
        counts[feature.name] = line[above(feature)].nunique().over(over)
    line = line.mutate(**counts).filter(line.shift.notnull())
    values = {f.name: value_of(f, line[f.name], None, line.now) for f in features}
    return line.select(TERM, time=line.now, **values)
