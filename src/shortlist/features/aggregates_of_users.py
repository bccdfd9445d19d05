"""Declared aggregates by user, offline: over the newest `HISTORY` events before each request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

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
from shortlist.features.contract import HISTORY, AsOf
from shortlist.features.declared import OLD, Aggregate
from shortlist.features.windows import sequenced_requests, user_log

if TYPE_CHECKING:
    import ibis.expr.types as ir


def of_users(features: Sequence[Aggregate], at: AsOf) -> ir.Table:
    """A family by user, keyed by request, or by request and item where candidates matter."""
    import ibis

    key = features[0].key
    events = user_log(at)
    if attribute := listed(features[0]):
        values = terms_of(at, attribute).rename(value=TERM)
        events = events.join(values, "item")
    events = events_with(features, at, events)
    columns = sorted({name for f in features for name in (above(f), below(f)) if name})
    events = events.mutate(block=((events.sequence - 1) / HISTORY).floor().cast("int64"))
    requests = sequenced_requests(at)
    newest = ((requests.sequence - 1) / HISTORY).floor().cast("int64")
    blocks = ibis.union(requests.mutate(block=newest), requests.mutate(block=newest - 1))
    blocks = blocks.select("request", "user", "block", now="time", newest="sequence")
    pairs = blocks.join(events, ["user", "block"])
    pairs = pairs.filter(
        pairs.sequence <= pairs.newest, pairs.sequence > pairs.newest - HISTORY
    ).select("request", "now", "time", "item", *columns)
    by = ["request"]
    if key:
        pairs = pairs.join(terms_of(at, key), "item")
        by.append(TERM)
    found = pairs.group_by(by).agg(
        **{name: value for feature in features for name, value in _over_pairs(feature, pairs)}
    )
    requests = at.requests.select("request", now="time")
    if not key:
        line = requests.left_join(found, "request").drop("request_right")
    else:
        asked = at.candidates.select("request", "item").join(terms_of(at, key), "item")
        line = asked.join(requests, "request").left_join(found, by)
        line = line.drop("request_right", "term_right")
    values = {}
    for feature in features:
        y = line[f"y:{feature.name}"] if below(feature) else None
        if y is not None and feature.half_life is not None:
            y = ibis.ifelse(y < 2.0**-OLD, None, y)
        values[feature.name] = value_of(feature, line[f"x:{feature.name}"], y, line.now)
    if not key:
        return line.select("request", **values)
    line = line.select("request", "item", **values)
    if key == "item":
        return line
    return line.group_by(["request", "item"]).agg(
        **{feature.name: summary_of(feature, line[feature.name]) for feature in features}
    )


def _over_pairs(feature: Aggregate, pairs: ir.Table) -> Iterator[tuple[str, ir.Value]]:
    """The aggregated columns of one feature over the pairs of a request and its events."""
    import ibis

    age = pairs.now - pairs.time
    inside = age <= feature.window if feature.window is not None else ibis.literal(True)
    for name, column in (("x", above(feature)), ("y", below(feature))):
        if not column:
            continue
        value = ibis.ifelse(inside, pairs[column], None)
        match feature.section.value:
            case "last":
                made = value.max()
            case "distinct":
                made = value.nunique()
            case _:
                if feature.half_life is not None:
                    value = value * ibis.literal(2.0) ** (-age / float(feature.half_life))
                made = value.sum()
        yield f"{name}:{feature.name}", made
