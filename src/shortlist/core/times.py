"""Time: instants are int64 microseconds since the epoch (UTC), spans are int64 microseconds."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

MICROSECOND = 1
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")


def now() -> int:
    """This instant, in microseconds since the epoch."""
    return time.time_ns() // 1_000


def parse_span(text: str) -> int:
    """Microseconds in a span such as `30m`, `7d` or `1.5h`.

    Raises:
        ValueError: the text is not a number followed by one of s, m, h, d, w.
    """
    match = _SPAN.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a span of time; write a number and one of s, m, h, d, w")
    return int(float(match[1]) * _UNITS[match[2]])


def parse_instant(text: str) -> int:
    """Microseconds since the epoch of ISO 8601 text; UTC where it names no offset.

    Raises:
        ValueError: the text is not one.
    """
    moment = datetime.fromisoformat(text)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * SECOND)


def iso(instant: int) -> str:
    """An instant as ISO 8601 text in UTC, to the second."""
    return datetime.fromtimestamp(instant / SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
