"""Attributes as features: of the candidate, of the user, and what both share.

They are as they are now, not as of the request: a catalogue and a table of users have no past.
Only the days since a time attribute depend on the instant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import NO_TIME, Column, ColumnKind
from shortlist.core.times import DAY
from shortlist.features.contract import AsOf, View
from shortlist.features.tastes import values_of

if TYPE_CHECKING:
    import ibis.expr.types as ir


@dataclass(frozen=True)
class ItemColumn:
    """An attribute of the candidate.

    A number; the days since a time; of a keyword its place among all keywords in order; with
    `equals` 1 where that is its value, or one of its values, else 0.
    """

    name: str
    attribute: str
    default: float = 0.0
    kind: ColumnKind = "number"
    equals: str = ""

    @property
    def item_texts(self) -> tuple[str, ...]:
        """The attributes that the offline side reads as text."""
        return (self.attribute,) if self.equals else ()

    def offline(self, at: AsOf) -> ir.Table:
        """(request, item) for a time, (item) for others."""
        if self.kind == "time":
            asked = at.candidates.select("request", "item").join(
                at.requests.select("request", now="time"), "request"
            )
            then = at.catalogue.select("item", then=at.catalogue[f"attribute:{self.attribute}"])
            asked = asked.join(then, "item")
            age = (asked.now - asked.then) / float(DAY)
            return asked.select("request", "item", **{self.name: age})
        value = _told(at.catalogue, self.attribute, self.kind, self.equals)
        return at.catalogue.select("item", **{self.name: value})

    def online(self, view: View, out: NDArray[np.float32]) -> None:
        """A gather."""
        column = view.catalogue.columns[self.attribute]
        _read(column, view.rows, view.now, self.equals, self.default, out)


@dataclass(frozen=True)
class UserColumn:
    """An attribute of the user, as `ItemColumn` reads one of the candidate.

    The default for users that `[data.users]` does not have, or who lack the attribute.
    """

    name: str
    of: str
    default: float = 0.0
    kind: ColumnKind = "number"
    equals: str = ""

    @property
    def user_attributes(self) -> tuple[str, ...]:
        """The attributes of users that the offline side reads as numbers."""
        return () if self.equals else (self.of,)

    @property
    def user_texts(self) -> tuple[str, ...]:
        """Those that the offline side reads as text."""
        return (self.of,) if self.equals else ()

    def offline(self, at: AsOf) -> ir.Table:
        """(request)."""
        assert at.users is not None, "[data.users] is not there"
        value = _told(at.users, self.of, self.kind, self.equals)
        known = at.users.select("user", told=value)
        asked = at.requests.join(known, "user")
        told = asked.told
        if self.kind == "time":
            told = (asked.time - told) / float(DAY)
        return asked.select("request", **{self.name: told})

    def online(self, view: View, out: NDArray[np.float32]) -> None:
        """The same for every candidate."""
        one = np.full(1, self.default, np.float32)
        if view.user_row >= 0 and view.users is not None:
            row = np.array([view.user_row], np.int32)
            _read(view.users.columns[self.of], row, view.now, self.equals, self.default, one)
        out.fill(one[0])


@dataclass(frozen=True)
class Match:
    """How many values an attribute of the user and one of the candidate share.

    0 or 1 where either has a single value; the default where either has none.
    """

    name: str
    of: str
    by: str
    default: float = 0.0

    @property
    def item_texts(self) -> tuple[str, ...]:
        """The attributes that the offline side reads as text."""
        return (self.by,)

    @property
    def user_texts(self) -> tuple[str, ...]:
        """Those that the offline side reads as text."""
        return (self.of,)

    def offline(self, at: AsOf) -> ir.Table:
        """(request, item) where both have a value."""
        assert at.users is not None, "[data.users] is not there"
        own = _terms(at.users, "user", self.of)
        theirs = _terms(at.catalogue, "item", self.by)
        asked = at.candidates.select("request", "item").join(
            at.requests.select("request", "user"), "request"
        )
        asked = asked.semi_join(own, "user").semi_join(theirs, "item")
        shared = asked.join(theirs, "item").join(own, ["user", "term"])
        shared = shared.group_by(["request", "item"]).agg(shared=shared.count())
        line = asked.left_join(shared, ["request", "item"])
        return line.select("request", "item", **{self.name: line.shared.fill_null(0)})

    def online(self, view: View, out: NDArray[np.float32]) -> None:
        """Look the user's few values up among those of each candidate."""
        out.fill(self.default)
        if view.user_row < 0 or view.users is None:
            return
        own = view.users.columns[self.of]
        _, codes = values_of(own, np.array([view.user_row], np.int32))
        if not (codes >= 0).any():
            return
        column = view.catalogue.columns[self.by]
        wanted = np.array([column.code(own.terms[code]) for code in codes[codes >= 0]], np.int32)
        starts, theirs = values_of(column, view.rows)
        candidate = np.repeat(np.arange(len(out)), np.diff(starts))
        has = np.bincount(candidate, theirs >= 0, len(out)) > 0
        shared = np.isin(theirs, wanted) & (theirs >= 0)
        out[:] = np.where(has, np.bincount(candidate, shared, len(out)), self.default)


def _told(table: ir.Table, name: str, kind: ColumnKind, equals: str) -> ir.Value:
    """An attribute of a table of items or users as a number; null where missing."""
    import ibis

    if equals:
        text = table[f"text:{name}"]
        if kind == "keyword":
            return (text == equals).cast("float64")
        return ibis.ifelse(text.length() > 0, text.contains(equals).cast("float64"), None)
    value = table[f"attribute:{name}"]
    if kind == "number":
        return ibis.ifelse(value.isnan() | value.isinf(), None, value)
    return value


def _terms(table: ir.Table, key: str, name: str) -> ir.Table:
    """(key, term), once for each value."""
    terms = table.select(key, term=table[f"text:{name}"])
    if terms.term.type().is_array():
        terms = terms.select(key, term=terms.term.unnest()).distinct()
    return terms.drop_null("term")


def _read(
    column: Column,
    rows: NDArray[np.int32],
    now: int,
    equals: str,
    default: float,
    out: NDArray[np.float32],
) -> None:
    """An attribute of rows as numbers."""
    if column.kind in ("keyword", "keywords"):
        starts, codes = values_of(column, rows)
        if not equals:
            out[:] = np.where(codes >= 0, codes, default)
            return
        row = np.repeat(np.arange(len(rows)), np.diff(starts))
        has = np.bincount(row, codes >= 0, len(rows)) > 0
        code = column.code(equals)
        equal = np.bincount(row, (codes == code) & (codes >= 0), len(rows))
        out[:] = np.where(has, equal, default)
        return
    values = column.arrays["values"][rows]
    if column.kind == "time":
        found, age = values != NO_TIME, (now - values.astype(np.float64)) / DAY
    else:
        found, age = np.isfinite(values), values
    out[:] = np.where(found, age, default)
