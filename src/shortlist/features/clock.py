"""When the request is made."""

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
        out.fill(view.now % DAY // HOUR)


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
        out.fill((view.now + MONDAY) % WEEK // DAY)


def clock(at: AsOf) -> ir.Table:
    """Hour and weekday of every request."""
    time = at.requests.time
    # SQL's remainder takes the sign of the dividend; the second one makes it positive.
    return at.requests.select(
        "request",
        hour=(((time % DAY + DAY) % DAY) / float(HOUR)).floor(),
        weekday=((((time + MONDAY) % WEEK + WEEK) % WEEK) / float(DAY)).floor(),
    )
