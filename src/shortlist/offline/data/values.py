"""Columns of any type as ids, instants and text: the same Ibis expressions for every source."""

from __future__ import annotations

from datetime import UTC, datetime

import ibis
import ibis.expr.types as ir

from shortlist.core.context import LONGEST
from shortlist.core.errors import DataError
from shortlist.core.times import SECOND
from shortlist.offline.data.engine import epoch_us

# Numbers below the first bound count seconds, then milliseconds, then microseconds; above the
# last they are no time. The first bound is the year 5138 in seconds and 1973 in milliseconds.
_SCALES = ((1e11, 1e6), (1e14, 1e3), (1e17, 1.0))
"""Bound on the size of a number, and microseconds in its unit."""


def as_id(column: ir.Column) -> ir.StringColumn:
    """Ids as text; null where there is none. Whole floats lose the `.0` they never meant."""
    if column.type().is_floating():
        whole = column.try_cast("int64")
        is_whole = whole.cast("float64") == column
        text = ibis.ifelse(is_whole, whole.cast("string"), column.cast("string"))
    else:
        text = column.cast("string")
    return text.nullif("")


def as_time(column: ir.Column) -> ir.IntegerColumn:
    """Instants in microseconds (UTC); null where the value is no time.

    Timestamps, dates, ISO 8601 text, and numbers (or text of numbers) of seconds, milliseconds
    or microseconds, told apart by size. What carries no offset is UTC.
    """
    dtype = column.type()
    if dtype.is_timestamp() or dtype.is_date():
        return epoch_us(column.cast("timestamp('UTC')"))
    if dtype.is_numeric():
        return _instant(column.cast("float64"))
    if not dtype.is_string():
        return ibis.null("int64")
    number = _instant(column.try_cast("float64"))
    return ibis.coalesce(number, epoch_us(column.try_cast("timestamp('UTC')")))


def time_bound(column: ir.Column, since: int, newest: object) -> ir.BooleanValue | None:
    """A plain comparison that holds for every instant after `since`; None where there is none.

    Unlike `as_time`, a database can look it up in an index on the column.

    Args:
        column: the time column as the database has it.
        since: microseconds.
        newest: the largest value in the column, which tells the unit of numbers.
    """
    dtype = column.type()
    if dtype.is_timestamp():
        instant = datetime.fromtimestamp(since / SECOND, UTC)
        return column > ibis.literal(instant if dtype.timezone else instant.replace(tzinfo=None))
    if dtype.is_numeric() and isinstance(newest, (int, float)):
        scale = next((s for bound, s in _SCALES if abs(newest) < bound), 1.0)
        return column > since / scale
    return None


def as_integer(column: ir.Column) -> ir.IntegerColumn:
    """32-bit integers; null where the value is none."""
    return column.try_cast("int32")


def as_chance(column: ir.Column) -> ir.FloatingColumn:
    """Probabilities as 32-bit floats; null where the value is none above 0 and at most 1."""
    number = column.try_cast("float32")
    return ibis.ifelse((number > 0) & (number <= 1), number, ibis.null("float32"))


def as_keyword(column: ir.Column, where: str = "") -> ir.StringColumn:
    """Keywords as text; null where there is none, or more than a keyword.

    Raises:
        DataError: the column is neither text nor numbers nor booleans.
    """
    dtype = column.type()
    if not (dtype.is_string() or dtype.is_numeric() or dtype.is_boolean() or dtype.is_null()):
        raise DataError(
            f"the column {column.get_name()!r} has the type {dtype}, which holds no keywords.",
            remedy="Take it out of data.events.context, or write text.",
            where=where,
        )
    text = as_id(column)
    return ibis.ifelse(text.length() <= LONGEST, text, ibis.null("string"))


def as_object(column: ir.Column) -> ir.StringColumn:
    """JSON objects as text; null where the value is none."""
    text = column.try_cast("json").cast("string")
    return ibis.ifelse(text.startswith("{"), text, ibis.null("string"))


def as_boolean(column: ir.Column) -> ir.BooleanColumn:
    """Booleans from booleans, numbers (0 is false) and text (`true`, `0`, `no`, …); else null."""
    return column.try_cast("boolean")


def _instant(number: ir.FloatingColumn) -> ir.IntegerColumn:
    scale = ibis.cases(*((number.abs() < bound, scale) for bound, scale in _SCALES))
    return (number * scale).round().try_cast("int64")
