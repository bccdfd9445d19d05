"""When the request is made, and what part of the day or week an instant is in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shortlist.core.times import DAY, HOUR
from shortlist.features.contract import AsOf, View

if TYPE_CHECKING:
    import ibis.expr.types as ir

WEEK = 7 * DAY
MONDAY = 3 * DAY
"""The epoch was a Thursday: this much after the start of its week."""
_CYCLES = {"hour": (0, DAY, HOUR), "weekday": (MONDAY, WEEK, DAY)}
"""For each of `config.features.PARTS_OF_TIME`: where the epoch is in its cycle, how long that is,
and how long a part of it."""


def parts_of(part: str, times: NDArray[np.int64]) -> NDArray[np.int64]:
    """The UTC hour (from 0) or weekday (Monday 0) of instants."""
    start, cycle, length = _CYCLES[part]
    return (times + start) % cycle // length


def part_of(part: str, time: ir.IntegerValue) -> ir.NumericValue:
    """The same in a table."""
    start, cycle, length = _CYCLES[part]
    # SQL's remainder takes the sign of the dividend; the second one makes it positive.
    return ((((time + start) % cycle + cycle) % cycle) / float(length)).floor()


@dataclass(frozen=True)
class HourOfDay:
    """The UTC hour of the request, 0 to 23."""

    name: str = "hour"
    default: float = 0.0

    def offline(self, at: AsOf) -> ir.Table:
        """(request)."""
        return clock(at)

    def online(self, view: View, out: NDArray[np.float32]) -> None:
        """The same hour for every candidate."""
        out[:] = parts_of("hour", np.array(view.now))


@dataclass(frozen=True)
class Weekday:
    """The UTC weekday of the request, Monday 0 to Sunday 6."""

    name: str = "weekday"
    default: float = 0.0

    def offline(self, at: AsOf) -> ir.Table:
        """(request)."""
        return clock(at)

    def online(self, view: View, out: NDArray[np.float32]) -> None:
        """The same day for every candidate."""
        out[:] = parts_of("weekday", np.array(view.now))


def clock(at: AsOf) -> ir.Table:
    """Hour and weekday of every request."""
    time = at.requests.time
    return at.requests.select(
        "request", hour=part_of("hour", time), weekday=part_of("weekday", time)
    )
