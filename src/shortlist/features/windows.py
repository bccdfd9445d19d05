"""The offline side's building blocks: windows over the union of the log and the request times.

A request becomes one more line of the log, and "as of the request" is a window frame that ends at
that line. Frames are RANGE frames over integers, which every engine that Ibis speaks to has; an
as-of join is not. Two integers order things:

- `key` = 2·time for requests and 2·time + 1 for events: a request precedes the events of its own
  instant, so a frame that ends at it holds exactly what is strictly before it.
- `sequence`: the number of a user's events so far. A frame over the last `HISTORY` values of it
  is the user's history, whatever the times are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shortlist.core.times import HOUR
from shortlist.features.contract import AsOf

if TYPE_CHECKING:
    import ibis.expr.types as ir


def frame(
    by: Sequence[str], order: str, preceding: int | None = None
) -> ir.relations.bl.WindowBuilder:
    """A RANGE frame that ends at the current line and its peers; from the first line by default."""
    import ibis

    if preceding is None:
        return ibis.window(group_by=list(by), order_by=order, range=(None, 0))
    return ibis.range_window(group_by=list(by), order_by=order, preceding=preceding, following=0)


def hours(at: AsOf) -> ir.Table:
    """The requests with `hour`: the instant at which the UTC hour of their time began."""
    time = at.requests.time
    return at.requests.mutate(hour=time - ((time % HOUR) + HOUR) % HOUR)


def user_log(at: AsOf) -> ir.Table:
    """The events of users who make requests, with their `sequence` (from 1)."""
    import ibis

    log = at.log.semi_join(at.requests, "user")
    number = ibis.row_number().over(group_by="user", order_by=[log.time, log.item])
    return log.mutate(sequence=number + 1)


def user_timeline(at: AsOf) -> ir.Table:
    """The union of `user_log` and the requests: user, key, time, event (0 or 1), request."""
    import ibis

    log = at.log.semi_join(at.requests, "user")
    return ibis.union(
        log.select(
            "user",
            key=log.time * 2 + 1,
            time=log.time,
            event=ibis.literal(1, "int64"),
            request=ibis.null("int64"),
        ),
        at.requests.select(
            "user",
            key=at.requests.time * 2,
            time=at.requests.time,
            event=ibis.literal(0, "int64"),
            request=at.requests.request.cast("int64"),
        ),
    )


def sequenced_requests(at: AsOf) -> ir.Table:
    """The requests with `sequence`: how many events of the user lie strictly before them."""
    line = user_timeline(at)
    line = line.mutate(sequence=line.event.sum().over(frame(["user"], "key")))
    return line.filter(line.event == 0).select("request", "user", "time", "sequence")


def history(at: AsOf, points: ir.Table, events: ir.Table, by: str) -> ir.Table:
    """The points with `count` and `last` of the matching events within the user's history.

    Args:
        at: what is joined.
        points: request, user, sequence, and the column `by`.
        events: user, sequence, time, and the column `by`.
        by: what has to match besides the user (an item, a term).

    Returns:
        request, `by`, sequence, count (of events among the last `HISTORY`), last (time, or null).
    """
    import ibis

    from shortlist.features.contract import HISTORY

    line = ibis.union(
        events.select(
            "user",
            by,
            "sequence",
            time=events.time,
            event=ibis.literal(1, "int64"),
            request=ibis.null("int64"),
        ),
        points.select(
            "user",
            by,
            sequence=points.sequence.cast("int64"),
            time=ibis.null("int64"),
            event=ibis.literal(0, "int64"),
            request=points.request.cast("int64"),
        ),
    )
    recent = frame(["user", by], "sequence", HISTORY - 1)
    line = line.mutate(count=line.event.sum().over(recent), last=line.time.max().over(recent))
    return line.filter(line.event == 0).select("request", by, "sequence", "count", "last")
