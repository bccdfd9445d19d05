"""What is sent as an item, checked against the catalogue and brought to its columns' kinds."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np

from shortlist.core.catalogue import Catalogue, ColumnKind, Value
from shortlist.core.errors import RequestError, did_you_mean
from shortlist.core.times import SECOND
from shortlist.stores.items import NEVER, ItemBody
from shortlist.stores.vectors.contract import MAX_ID

_LIMIT = np.iinfo(np.int64).max
_NONE: tuple[Value, ...] = (None, "", [])


def check_id(id: str) -> None:
    """Raise the RequestError that an id deserves, if it deserves one."""
    if not id:
        raise RequestError("the id is empty.", remedy="Give one.", where="id")
    if len(id.encode("utf-8", "surrogatepass")) > MAX_ID:
        raise RequestError(
            f"the id {id[:20]!r}… is too long.", remedy=f"At most {MAX_ID} bytes.", where="id"
        )


def item_body(
    catalogue: Catalogue,
    attributes: Mapping[str, object],
    available: object = True,
    expires: object = None,
) -> ItemBody:
    """An item's body.

    Args:
        catalogue: whose columns say which attributes there are, and of which kinds.
        attributes: values by name; None, or leaving one out, says that it is missing.
        available: whether the item may be shown.
        expires: from when on it may not: ISO 8601 text, a datetime or microseconds; None: never.

    Raises:
        RequestError: an attribute is unknown, or a value is not of its kind; names the field.
    """
    known = catalogue.columns
    kept: dict[str, Value] = {}
    for name, value in attributes.items():
        if name not in known:
            remedy = did_you_mean(name, known) or "Name its column in data.items and train."
            raise RequestError(
                f"the catalogue has no attribute {name!r}.",
                remedy=remedy,
                where=f"attributes.{name}",
            )
        made = _value(known[name].kind, value, f"attributes.{name}")
        if made not in _NONE:
            kept[name] = made
    if not isinstance(available, bool):
        raise _unfit(available, "true or false", "available")
    ends = None if expires is None else _time(expires, "expires")
    return ItemBody(kept, available, NEVER if ends is None else ends)


def body_of(catalogue: Catalogue, row: int) -> ItemBody:
    """The body of an item as a release has it."""
    values = {name: value for name, value in catalogue.item(row).items() if value not in _NONE}
    return ItemBody(values, bool(catalogue.available[row]), int(catalogue.expires[row]))


def _value(kind: ColumnKind, value: object, where: str) -> Value:
    if value is None:
        return None
    match kind:
        case "number":
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise _unfit(value, "a number", where)
            if not abs(value) <= sys.float_info.max:  # nor is NaN
                raise _unfit(value, "a finite number", where)
            return float(value)
        case "time":
            return _time(value, where)
        case "keyword":
            return _word(value, where)
        case "keywords":
            if not isinstance(value, list | tuple | np.ndarray):
                raise _unfit(value, "a list of texts", where)
            return [_word(one, where) for one in value if one is not None]
        case "text":
            if isinstance(value, list | tuple | np.ndarray):
                return " ".join(_text(one, where) for one in value if one is not None)
            return _text(value, where)


def _word(value: object, where: str) -> str:
    """A keyword; booleans and whole numbers are written as the catalogue writes them."""
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return _text(value, where)


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise _unfit(value, "a text", where)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _unfit(value, "valid Unicode", where) from None
    return value


def _time(value: object, where: str) -> int:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise _unfit(value, "a time: ISO 8601 text or microseconds", where) from None
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return round(aware.timestamp() * SECOND)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= _LIMIT:
        raise _unfit(value, "a time: ISO 8601 text or microseconds", where)
    return value


def _unfit(value: object, wanted: str, where: str) -> RequestError:
    return RequestError(
        f"{str(value)[:80]!r} is not {wanted}.",
        remedy="Send a value that is, or leave it out.",
        where=where,
    )
