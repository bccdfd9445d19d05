"""Item statistics as of the start of the request's UTC hour: counts, trend, age.

Both sides use the start of the hour by definition, so that serving computes the columns of all
items once an hour (`features.statistics`) and looks them up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel
from shortlist.core.times import DAY
from shortlist.features.contract import AsOf, View

if TYPE_CHECKING:
    import ibis.expr.types as ir

WINDOWS = {"item_count_1d": 1, "item_count_7d": 7, "item_count_30d": 30}
"""Column and length of each window in days; windows end at the start of the hour."""
NO_AGE = -1.0
"""The age of an item without an interaction: younger than the youngest."""

ITEM_DEFAULTS = {
    "item_count_1d": 0.0,
    "item_count_7d": 0.0,
    "item_count_30d": 0.0,
    "item_count": 0.0,
    "item_trend": 1.0,
    "item_age": NO_AGE,
}
"""Every item column with its value for an item without interactions."""


@dataclass(frozen=True)
class ItemStatistic:
    """One of `ITEM_DEFAULTS`.

    `item_count_<n>d`: interactions in the n days before the hour. `item_count`: all before it.
    `item_trend`: (count of 1d + 1) / (count of 7d / 7 + 1). `item_age`: days from the first
    interaction to the hour.
    """

    name: str

    @property
    def default(self) -> float:
        """The value of an item without interactions."""
        return ITEM_DEFAULTS[self.name]

    def offline(self, at: AsOf) -> ir.Table:
        """(request, item) with every item column."""
        return item_statistics(at)

    def online(self, view: View, out: NDArray[np.float32]) -> None:
        """A gather from the columns of the hour."""
        _gather(view.items[self.name], view.rows, out)


@kernel
def _gather(column: NDArray[np.float32], rows: NDArray[np.int32], out: NDArray[np.float32]) -> None:
    """`out[i] = column[rows[i]]`; `np.take` would first copy a column that is not contiguous."""
    for i in range(len(rows)):
        out[i] = column[rows[i]]


def item_statistics(at: AsOf) -> ir.Table:
    """Every item column for every candidate."""
    import ibis

    from shortlist.features.windows import frame, hours

    asked = at.candidates.select("request", "item").join(
        hours(at).select("request", "hour"), "request"
    )
    points = asked.select("item", "hour").distinct()
    line = ibis.union(
        at.log.select(
            "item",
            key=at.log.time * 2 + 1,
            time=at.log.time,
            event=ibis.literal(1, "int64"),
        ),
        points.select(
            "item", key=points.hour * 2, time=ibis.null("int64"), event=ibis.literal(0, "int64")
        ),
    )
    columns = {
        name: line.event.sum().over(frame(["item"], "key", 2 * days * DAY))
        for name, days in WINDOWS.items()
    }
    everything = frame(["item"], "key")
    line = line.mutate(
        **columns,
        item_count=line.event.sum().over(everything),
        first=line.time.min().over(everything),
    ).filter(line.event == 0)
    hour = (line.key / 2).cast("int64")
    line = line.select(
        "item",
        *WINDOWS,
        "item_count",
        hour=hour,
        item_trend=(line.item_count_1d + 1.0) / (line.item_count_7d / 7.0 + 1.0),
        item_age=(hour - line["first"]) / float(DAY),
    )
    return asked.join(line, ["item", "hour"]).select("request", "item", *ITEM_DEFAULTS)
