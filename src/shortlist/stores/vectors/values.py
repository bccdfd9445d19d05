"""Values of attributes: what callers may give, and the plain values that are kept."""

from __future__ import annotations

import math
from collections.abc import Collection
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from shortlist.core.errors import RequestError
from shortlist.core.times import SECOND
from shortlist.stores.vectors.contract import Attribute, AttributeKind

MAX_TEXT = 65_535
"""Bytes (UTF-8) of a text."""
MAX_TERMS = 1_024
"""Texts of a `keywords` value."""
_EXACT = 2**53
"""Integers up to this are exact in the float64 columns that filters run on."""
_ONLY = {
    "keyword": "a text",
    "keywords": f"a list of up to {MAX_TERMS} texts",
    "integer": "an integer between -2**53 and 2**53",
    "number": "a number that is not infinite",
    "boolean": "true or false",
    "time": "microseconds since the epoch, a datetime or ISO 8601 text",
}


def utf8(text: str, where: str) -> bytes:
    """Text as UTF-8.

    Raises:
        RequestError: it has a lone surrogate.
    """
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise RequestError(
            f"{text!r} has a lone surrogate.",
            remedy="Send text that UTF-8 can encode.",
            where=where,
        ) from None


def values_of(name: str, kind: AttributeKind, values: Any, n: int) -> list[Attribute]:
    """The n values of an attribute as they are kept; None for missing ones.

    Raises:
        RequestError: there are not n, or one is not of the kind; names its place.
    """
    if values is None:
        return [None] * n
    where = f"attributes.{name}"
    if kind == "time" and isinstance(values, np.ndarray) and values.dtype.kind == "M":
        values = values.astype("datetime64[us]")  # else nanoseconds come out as bare numbers
    values = values.tolist() if hasattr(values, "tolist") else values
    if isinstance(values, str) or not isinstance(values, Collection):
        raise RequestError(
            f"is {str(values)[:40]!r}.", remedy="Give a list of one value per id.", where=where
        )
    if len(values) != n:
        raise RequestError(
            f"holds {len(values)} values for {n} ids.", remedy="Give one per id.", where=where
        )
    return [_value(value, kind, place, where) for place, value in enumerate(values)]


def _value(value: Any, kind: AttributeKind, place: int, where: str) -> Attribute:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    match kind:
        case "keyword":
            if isinstance(value, str) and len(utf8(value, where)) <= MAX_TEXT:
                return value
        case "keywords":
            texts = value.tolist() if hasattr(value, "tolist") else value
            if isinstance(texts, list | tuple | set | frozenset) and len(texts) <= MAX_TERMS:
                return [_text(text, kind, place, where) for text in texts] or None
        case "boolean":
            if isinstance(value, bool | np.bool_):
                return bool(value)
        case "integer":
            whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
            if whole and abs(int(value)) <= _EXACT:
                return int(value)
        case "number":
            number = _number(value)
            if math.isfinite(number):
                return number
        case "time":
            return _instant(value, place, where)
    raise _unfit(value, kind, place, where)


def _number(value: Any) -> float:
    """A number as a float; not finite where it is none, or too large for one."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _text(value: Any, kind: AttributeKind, place: int, where: str) -> str:
    if isinstance(value, str) and len(utf8(value, where)) <= MAX_TEXT:
        return value
    raise _unfit(value, kind, place, where)


def _instant(value: Any, place: int, where: str) -> int:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise _unfit(value, "time", place, where) from None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return round(aware.timestamp() * SECOND)
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if whole and abs(int(value)) < 2**63:
        return int(value)
    raise _unfit(value, "time", place, where)


def _unfit(value: Any, kind: AttributeKind, place: int, where: str) -> RequestError:
    return RequestError(
        f"value {place} is {str(value)[:40]!r} ({type(value).__name__}), and the attribute is of "
        f"the kind {kind}.",
        remedy=f"Give {_ONLY[kind]}, or null.",
        where=where,
    )
