"""Filter expressions as tantivy queries, with the meaning of `core.expression.matches`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import tantivy
from tantivy import FieldType, Occur, Query

from shortlist.core.catalogue import ColumnKind
from shortlist.core.errors import RequestError, did_you_mean
from shortlist.core.expression import (
    COMPARE,
    Compare,
    Contains,
    Expression,
    Junction,
    Like,
    Literal,
    Member,
    Missing,
    Not,
)
from shortlist.core.times import SECOND

PRESENT = "present"
"""The field that lists which attributes a document has a value of."""

TermsOf = Callable[[str], list[str]]
"""The distinct terms of a field."""


class FilterCompiler:
    """Compiles expressions for one index.

    Args:
        schema: of the index.
        attributes: attribute → its field in the schema and its kind.
        terms_of: lists terms, for comparisons that an inverted index cannot look up.
    """

    def __init__(
        self,
        schema: tantivy.Schema,
        attributes: Mapping[str, tuple[str, ColumnKind]],
        terms_of: TermsOf,
    ) -> None:
        self._schema, self._attributes, self._terms_of = schema, attributes, terms_of

    def __call__(self, expression: Expression) -> Query:
        """The query that finds what the expression holds for; it scores nothing.

        Raises:
            RequestError: an unknown attribute, or a comparison that its kind cannot make.
        """
        match expression:
            case Junction(parts, every):
                occur = Occur.Must if every else Occur.Should
                return Query.boolean_query([(occur, self(part)) for part in parts])
            case Not(inner):
                return Query.boolean_query(
                    [(Occur.Must, Query.all_query()), (Occur.MustNot, self(inner))]
                )
            case Missing(name):
                field, _ = self._field(name)
                there = Query.term_query(self._schema, PRESENT, field)
                return Query.boolean_query(
                    [(Occur.Must, Query.all_query()), (Occur.MustNot, there)]
                )
            case Contains(name, values, every):
                field, kind = self._field(name)
                if kind != "keywords":
                    raise unfit(name, kind, "Use == or in with it.")
                occur = Occur.Must if every else Occur.Should
                return Query.boolean_query(
                    [(occur, self._term(field, term_text(value))) for value in values]
                )
            case Compare(name) | Member(name) | Like(name):
                field, kind = self._field(name)
                if kind == "keywords":
                    raise unfit(name, kind, "Use array_contains with it.")
                if kind == "keyword":
                    return self._by_term(field, expression)
                return self._by_number(field, kind, expression)

    def _field(self, name: str) -> tuple[str, ColumnKind]:
        if name not in self._attributes:
            raise RequestError(
                f"the index has no attribute {name!r}.",
                remedy=did_you_mean(name, self._attributes),
                where="where",
            )
        return self._attributes[name]

    def _term(self, field: str, term: str) -> Query:
        return Query.term_query(self._schema, field, term, index_option="basic")

    def _by_term(self, field: str, leaf: Compare | Member | Like) -> Query:
        match leaf:
            case Member(_, values):
                return self._any_of(field, [term_text(value) for value in values])
            case Like(_, pattern):
                form = like_regex(pattern)
                terms = self._terms_of(field)
                return self._any_of(field, [term for term in terms if form.fullmatch(term)])
            case Compare(_, "==", value):
                return self._term(field, term_text(value))
            case Compare(_, "!=", value):
                there = Query.term_query(self._schema, PRESENT, field)
                return Query.boolean_query(
                    [(Occur.Must, there), (Occur.MustNot, self._term(field, term_text(value)))]
                )
            case Compare(_, op, value):
                bound, holds = term_text(value), COMPARE[op]
                terms = self._terms_of(field)
                return self._any_of(field, [term for term in terms if holds(term, bound)])

    def _any_of(self, field: str, terms: list[str]) -> Query:
        return Query.term_set_query(self._schema, field, terms)

    def _by_number(self, field: str, kind: ColumnKind, leaf: Compare | Member | Like) -> Query:
        typed = FieldType.Float if kind == "number" else FieldType.Integer
        match leaf:
            case Like(name, _):
                raise unfit(name, kind, "Compare it with numbers.")
            case Member(name, values):
                equal = [
                    self._range(field, typed, "==", number_of(name, value, kind))
                    for value in values
                ]
                return Query.boolean_query([(Occur.Should, query) for query in equal])
            case Compare(name, "!=", value):
                equals = self._range(field, typed, "==", number_of(name, value, kind))
                there = Query.term_query(self._schema, PRESENT, field)
                return Query.boolean_query([(Occur.Must, there), (Occur.MustNot, equals)])
            case Compare(name, op, value):
                return self._range(field, typed, op, number_of(name, value, kind))

    def _range(self, field: str, kind: FieldType, op: str, value: Any) -> Query:
        return Query.range_query(
            self._schema,
            field,
            kind,
            lower_bound=value if op in ("==", ">", ">=") else None,
            upper_bound=value if op in ("==", "<", "<=") else None,
            include_lower=op != ">",
            include_upper=op != "<",
        )


def term_text(value: Literal) -> str:
    """A literal as the keyword it stands for."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return value


def number_of(name: str, value: Literal, kind: ColumnKind) -> float | int:
    """A literal as a number, or as microseconds where the attribute is a time.

    Raises:
        RequestError: it is neither a number nor, for a time, ISO 8601 text.
    """
    if kind == "time" and isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise unfit(name, kind, f"{value!r} is not ISO 8601 text.") from None
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return round(aware.timestamp() * SECOND)
    if isinstance(value, bool | str):
        raise unfit(name, kind, f"{value!r} is not a number.")
    return round(value) if kind == "time" else value


def like_regex(pattern: str) -> re.Pattern[str]:
    """A `like` pattern as a regular expression over whole terms."""
    special = {"%": ".*", "_": "."}
    return re.compile("".join(special.get(c, re.escape(c)) for c in pattern), re.DOTALL)


def unfit(name: str, kind: str, remedy: str) -> RequestError:
    """The error of a comparison that a kind of attribute cannot make."""
    kind = "list" if kind == "keywords" else kind
    return RequestError(f"{name!r} is a {kind} attribute.", remedy=remedy, where="where")
