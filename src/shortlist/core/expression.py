"""Filter expressions: the boolean language of Milvus, over item attributes.

    lang in ["ko", "en"] and year > 2015 and not (price >= 100)
    array_contains(genres, "Comedy") or title_year == 1995 and 10 <= price < 20
    brand like "Acme%" and expires is not null

Comparisons with a missing value are false, and `not` is plain negation. Times compare with ISO
8601 text or with numbers of microseconds. Names that are not plain words go in backticks.
`core.parser.parse` makes a tree once; `matches` evaluates it over a catalogue's columns.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import NO_TIME, Catalogue, Column
from shortlist.core.errors import RequestError
from shortlist.core.jit import kernel
from shortlist.core.times import SECOND

Literal = float | str | bool
Flags = NDArray[np.bool_]

COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Compare:
    """`column op value`, op one of == != < <= > >=; `at` is where the value is in the text."""

    column: str
    op: str
    value: Literal
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Member:
    """`column in [values]`; `at` is where the values are in the text."""

    column: str
    values: tuple[Literal, ...]
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Like:
    """`column like pattern`; `%` stands for any text, `_` for one character.

    `at` is where the pattern is in the text.
    """

    column: str
    pattern: str
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Contains:
    """`array_contains…(column, values)`: any or all of the values are in the list."""

    column: str
    values: tuple[Literal, ...]
    every: bool


@dataclass(frozen=True, slots=True)
class Missing:
    """`column is null`."""

    column: str


@dataclass(frozen=True, slots=True)
class Not:
    """`not inner`."""

    inner: Expression


@dataclass(frozen=True, slots=True)
class Junction:
    """Several expressions joined by `and` (every) or `or`."""

    parts: tuple[Expression, ...]
    every: bool


Expression = Compare | Member | Like | Contains | Missing | Not | Junction


def matches(expression: Expression, catalogue: Catalogue) -> Flags:
    """Which items an expression holds for, `bool[items]`.

    Raises:
        RequestError: an attribute that does not exist, or a comparison that its kind cannot make.
    """
    match expression:
        case Junction(parts, every):
            combine = np.logical_and if every else np.logical_or
            flags = matches(parts[0], catalogue)
            for part in parts[1:]:
                flags = combine(flags, matches(part, catalogue))
            return flags
        case Not(inner):
            return ~matches(inner, catalogue)
        case _:
            column = catalogue.column(expression.column)
            return _leaf(expression, column)


def _leaf(leaf: Compare | Member | Like | Contains | Missing, column: Column) -> Flags:
    if isinstance(leaf, Missing):
        return _missing(column)
    if column.kind == "text":
        raise _unfit(leaf.column, "a text", "Search finds words in texts; filters do not.")
    if column.kind == "keywords" or isinstance(leaf, Contains):
        return _contains(leaf, column)
    if column.kind == "keyword":
        return _by_term(leaf, column)
    return _by_number(leaf, column)


def _missing(column: Column) -> Flags:
    arrays = column.arrays
    if column.kind == "number":
        return np.asarray(np.isnan(arrays["values"]))
    if column.kind == "time":
        return np.asarray(arrays["values"] == NO_TIME)
    if column.kind == "keyword":
        return np.asarray(arrays["codes"] < 0)
    return np.asarray(np.diff(arrays["offsets"]) == 0)


def _contains(leaf: Compare | Member | Like | Contains, column: Column) -> Flags:
    if not isinstance(leaf, Contains) or column.kind != "keywords":
        kind = "a list" if column.kind == "keywords" else f"a {column.kind}"
        use = "array_contains" if column.kind == "keywords" else "== or in"
        raise _unfit(leaf.column, kind, f"Use {use} with it.")
    codes = [column.code(term_of(value)) for value in leaf.values]
    found = [_has_code(column.arrays["offsets"], column.arrays["codes"], code) for code in codes]
    combine = np.logical_and if leaf.every else np.logical_or
    return np.asarray(combine.reduce(found))


@kernel
def _has_code(offsets: NDArray[np.int64], codes: NDArray[np.int32], code: int) -> Flags:
    out = np.zeros(len(offsets) - 1, np.bool_)
    for row in range(len(out)):
        for i in range(offsets[row], offsets[row + 1]):
            if codes[i] == code:
                out[row] = True
    return out


def _by_term(leaf: Compare | Member | Like | Contains, column: Column) -> Flags:
    """Decide each distinct term, then look codes up; -1 falls on the last decision, False."""
    match leaf:
        case Compare(_, op, value):
            decide = [COMPARE[op](term, term_of(value)) for term in column.terms]
        case Member(_, values):
            wanted = {term_of(value) for value in values}
            decide = [term in wanted for term in column.terms]
        case Like(_, pattern):
            form = re.compile(_like(pattern), re.DOTALL)
            decide = [form.fullmatch(term) is not None for term in column.terms]
        case Contains():
            raise AssertionError("a keyword column never gets here with Contains")
    return np.asarray(np.array([*decide, False], np.bool_)[column.arrays["codes"]])


def _by_number(leaf: Compare | Member | Like | Contains, column: Column) -> Flags:
    values = column.arrays["values"]
    match leaf:
        case Compare(name, op, value):
            flags = COMPARE[op](values, number_of(name, value, column))
        case Member(name, options):
            flags = np.isin(values, [number_of(name, value, column) for value in options])
        case _:
            raise _unfit(leaf.column, f"a {column.kind}", "Compare it with numbers.")
    present = ~np.isnan(values) if column.kind == "number" else values != NO_TIME
    return np.asarray(flags & present)


def term_of(value: Literal) -> str:
    """The keyword that a literal stands for."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return value


def number_of(name: str, value: Literal, column: Column) -> float | int:
    """The number that a literal stands for in a number or time column.

    Raises:
        RequestError: it is not a number, nor ISO 8601 text of a time.
    """
    if column.kind == "time" and isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise _unfit(name, "a time", f"{value!r} is not ISO 8601 text.") from None
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return round(aware.timestamp() * SECOND)
    if isinstance(value, bool | str):
        raise _unfit(name, f"a {column.kind}", f"{value!r} is not a number.")
    return value


def _like(pattern: str) -> str:
    return "".join({"%": ".*", "_": "."}.get(c, re.escape(c)) for c in pattern)


def _unfit(name: str, kind: str, remedy: str) -> RequestError:
    return RequestError(f"{name!r} is {kind} attribute.", remedy=remedy, where="where")
