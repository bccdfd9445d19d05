"""Where the newest part of a log begins: the holdout, and the window of ranker training."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist.core.times import DAY, parse_span

AUTO_SHARE = 10
"""`auto` wants one interaction in this many in the newest part."""
AUTO_LENGTH = 3
"""`auto` takes at most one in this many of the log's length."""


def newest_part(times: NDArray[np.int64], span: str) -> int:
    """The instant from which on events belong to the newest part of a log.

    Args:
        times: `int64[n]` microseconds, in any order.
        span: a span such as `7d`, counted back from just after the newest event; or `auto`, the
            shortest number of whole days, at most a third of the log's length, that holds a
            tenth of the events (a third of the length where no number of days does).

    Returns:
        microseconds; one past the newest event when no newest part can be cut off.

    Raises:
        ValueError: there are no times, or the span is not one.
    """
    if not len(times):
        raise ValueError("a log without events has no newest part")
    oldest, newest = int(times.min()), int(times.max())
    if span != "auto":
        return newest + 1 - parse_span(span)
    return newest_days(np.bincount((newest - times) // DAY), oldest, newest)


def newest_days(per_day: NDArray[np.int64], oldest: int, newest: int) -> int:
    """`newest_part` by the rule of `auto`, from counts.

    Args:
        per_day: `int64[days]`, events by whole days before the newest: entry d counts the ages
            from d days up to, and without, d + 1 days.
        oldest: the time of the oldest event, microseconds.
        newest: the time of the newest.
    """
    enough = np.cumsum(per_day) * AUTO_SHARE >= per_day.sum()
    days = int(np.argmax(enough)) + 1
    return newest + 1 - min(days * DAY, (newest - oldest) // AUTO_LENGTH)
