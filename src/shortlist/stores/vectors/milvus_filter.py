"""A filter expression in Milvus' own language, with the meaning it has here.

Milvus' logic is three-valued: `not (year > 2015)` leaves out records without a year. Here
comparisons with a missing value are false and `not` is plain negation, so negations are pushed
down to the comparisons, and a negated one says `or year is null`.
"""

from __future__ import annotations

import json
import re

from shortlist.core.catalogue import Catalogue
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
    number_of,
    term_of,
)
from shortlist.stores.vectors.contract import StoreSchema

ALL = 'id != ""'
NONE = 'id == ""'
"""No id is empty."""

_Leaf = Compare | Member | Like | Contains


def rendered(expression: Expression, schema: StoreSchema, columns: Catalogue) -> str:
    """An expression as Milvus reads it; it was checked against the schema's (empty) columns."""
    return _Renderer(schema, columns).render(expression, negated=False)


def quoted(text: str) -> str:
    """Text as a literal."""
    return json.dumps(text, ensure_ascii=False)


class _Renderer:
    def __init__(self, schema: StoreSchema, columns: Catalogue) -> None:
        self._kinds = schema.attributes
        self._columns = columns

    def render(self, expression: Expression, *, negated: bool) -> str:
        match expression:
            case Junction(parts, every):
                word = " and " if every is not negated else " or "
                return "(" + word.join(self.render(p, negated=negated) for p in parts) + ")"
            case Not(inner):
                return self.render(inner, negated=not negated)
            case Missing(name):
                return f"{name} is not null" if negated else f"{name} is null"
            case _:
                leaf = self._leaf(expression)
                if leaf in (ALL, NONE):
                    return leaf if not negated else (NONE if leaf == ALL else ALL)
                if not negated:
                    return leaf
                return f"(not ({leaf}) or {expression.column} is null)"

    def _leaf(self, leaf: _Leaf) -> str:
        match self._kinds[leaf.column]:
            case "boolean":
                return self._boolean(leaf)
            case "keyword":
                return self._keyword(leaf)
            case "keywords":
                assert isinstance(leaf, Contains)
                every = "all" if leaf.every else "any"
                values = ", ".join(quoted(term_of(value)) for value in leaf.values)
                return f"array_contains_{every}({leaf.column}, [{values}])"
            case kind:
                return self._number(leaf, whole=kind != "number")

    def _keyword(self, leaf: _Leaf) -> str:
        match leaf:
            case Compare(name, op, value):
                return f"{name} {op} {quoted(term_of(value))}"
            case Member(name, values):
                return f"{name} in [{', '.join(quoted(term_of(value)) for value in values)}]"
            case Like(name, pattern):
                return f"{name} like {quoted(pattern.replace(chr(92), chr(92) * 2))}"
        raise AssertionError("checked before")

    def _boolean(self, leaf: _Leaf) -> str:
        """Which of true and false the comparison, which is one of texts, holds for."""
        holds = [truth for truth in (True, False) if _holds(leaf, term_of(truth))]
        if len(holds) == 2:
            return f"{leaf.column} is not null"
        return f"{leaf.column} == {str(holds[0]).lower()}" if holds else NONE

    def _number(self, leaf: _Leaf, *, whole: bool) -> str:
        column = self._columns.columns[leaf.column]

        def number(value: Literal) -> float | int:
            found = number_of(leaf.column, value, column)
            return int(found) if float(found).is_integer() and whole else found

        match leaf:
            case Compare(name, op, value):
                bound = number(value)
                if whole and isinstance(bound, float) and op in ("==", "!="):
                    return NONE if op == "==" else f"{name} is not null"
                return f"{name} {op} {bound!r}"
            case Member(name, values):
                options = [number(value) for value in values]
                options = [o for o in options if not (whole and isinstance(o, float))]
                return f"{name} in {options!r}" if options else NONE
        raise AssertionError("checked before")


def _holds(leaf: _Leaf, term: str) -> bool:
    match leaf:
        case Compare(_, op, value):
            return bool(COMPARE[op](term, term_of(value)))
        case Member(_, values):
            return term in {term_of(value) for value in values}
        case Like(_, pattern):
            form = "".join({"%": ".*", "_": "."}.get(c, re.escape(c)) for c in pattern)
            return re.fullmatch(form, term, re.DOTALL) is not None
    raise AssertionError("checked before")
