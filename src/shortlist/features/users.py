"""What the user has been doing: activity, idleness, and this very item."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel
from shortlist.core.times import DAY
from shortlist.features.contract import HISTORY, AsOf, View

if TYPE_CHECKING:
    import ibis.expr.types as ir

NEVER = 36_500.0
"""Days since something that has not happened: longer ago than anything that has."""

ACTIVITY = {"user_count_1d": 1, "user_count_7d": 7}


@dataclass(frozen=True)
class UserActivity:
    """The user's interactions among the newest `HISTORY`.

    `user_count`: all of them. `user_count_<n>d`: those within n days before the request.
    """

    name: str
    default: float = 0.0

    def offline(self, at: AsOf) -> ir.Table:
        """(request) with every user column."""
        return user_activity(at)

    def online(self, view: View, out: NDArray[np.float32]) -> None:
        """The same count for every candidate."""
        times = view.history_times
        days = ACTIVITY.get(self.name)
        start = 0 if days is None else int(np.searchsorted(times, view.now - days * DAY))
        out.fill(len(times) - start)


@dataclass(frozen=True)
class UserIdle:
    """Days since the user's last interaction."""

    name: str = "user_idle"
    default: float = NEVER

    def offline(self, at: AsOf) -> ir.Table:
        """(request) with every user column."""
        return user_activity(at)

    def online(self, view: View, out: NDArray[np.float32]) -> None:
        """The same span for every candidate."""
        times = view.history_times
        out.fill((view.now - int(times[-1])) / DAY if len(times) else self.default)


@dataclass(frozen=True)
class UserItem:
    """How many of the user's newest `HISTORY` interactions were with this very item."""

    name: str = "user_item_count"
    default: float = 0.0

    def offline(self, at: AsOf) -> ir.Table:
        """(request, item)."""
        from shortlist.features.windows import history, sequenced_requests, user_log

        points = at.candidates.select("request", "item").join(
            sequenced_requests(at).select("request", "user", "sequence"), "request"
        )
        table = history(at, points, user_log(at), "item")
        return table.select("request", "item", **{self.name: table["count"]})

    def online(self, view: View, out: NDArray[np.float32]) -> None:
        """Count equal rows."""
        _occurrences(view.rows, view.history_rows, out)


def user_activity(at: AsOf) -> ir.Table:
    """Every column of the user for every request."""
    import ibis

    from shortlist.features.windows import frame, user_timeline

    line = user_timeline(at)
    happened = ibis.ifelse(line.event == 1, line.time, ibis.null("int64"))
    # Events are in order of time: of the last HISTORY, those within a span are the span's
    # events or all HISTORY of them, whichever is fewer.
    line = line.mutate(
        user_count=line.event.sum().over(frame(["user"], "key")),
        last=happened.max().over(frame(["user"], "key")),
        **{
            name: line.event.sum().over(frame(["user"], "key", 2 * days * DAY))
            for name, days in ACTIVITY.items()
        },
    ).filter(line.event == 0)
    counts = {name: ibis.least(line[name], HISTORY) for name in ("user_count", *ACTIVITY)}
    return line.select("request", **counts, user_idle=(line.time - line["last"]) / float(DAY))


@kernel
def _occurrences(
    rows: NDArray[np.int32], history: NDArray[np.int32], out: NDArray[np.float32]
) -> None:
    out[:] = 0.0
    for seen in history:
        for i in range(len(rows)):
            out[i] += np.float32(1.0) if rows[i] == seen else np.float32(0.0)
