"""Filter expressions as Milvus writes them, with the meaning of `core.expression.matches`.

The language is Milvus' own, but there a comparison with a missing value is neither true nor
false. Negations are therefore pushed down to the leaves, which say what a missing value means.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from shortlist.core.catalogue import ColumnKind
from shortlist.core.errors import RequestError, did_you_mean
from shortlist.core.expression import (
    Compare,
    Contains,
    Expression,
    Junction,
    Like,
    Member,
    Missing,
    Not,
)
from shortlist.index.lexical.filters import number_of, term_text, unfit

Attributes = Mapping[str, tuple[str, ColumnKind]]
"""Attribute → its field in the collection and its kind."""


def milvus_filter(expression: Expression, attributes: Attributes, *, negated: bool = False) -> str:
    """The text of a filter.

    Raises:
        RequestError: an unknown attribute, or a comparison that its kind cannot make.
    """
    match expression:
        case Junction(parts, every):
            word = " and " if every != negated else " or "
            return word.join(
                f"({milvus_filter(part, attributes, negated=negated)})" for part in parts
            )
        case Not(inner):
            return milvus_filter(inner, attributes, negated=not negated)
        case Missing(name):
            field, kind = _field(name, attributes)
            if kind == "keywords":
                return f"array_length({field}) {'>' if negated else '=='} 0"
            return f"{field} is not null" if negated else f"{field} is null"
        case Contains(name, values, every):
            field, kind = _field(name, attributes)
            if kind != "keywords":
                raise unfit(name, kind, "Use == or in with it.")
            has = [f"array_contains({field}, {_quoted(term_text(v))})" for v in values]
            text = (" and " if every else " or ").join(has)
            return f"not ({text})" if negated else text
        case Compare(name) | Member(name) | Like(name):
            field, kind = _field(name, attributes)
            if kind == "keywords":
                raise unfit(name, kind, "Use array_contains with it.")
            text = f"{field} is not null and {_leaf(expression, field, kind)}"
            if not negated:
                return text
            return f"{field} is null or not ({_leaf(expression, field, kind)})"


def _leaf(leaf: Compare | Member | Like, field: str, kind: ColumnKind) -> str:
    def literal(value: Any) -> str:
        if kind == "keyword":
            return _quoted(term_text(value))
        return repr(number_of(leaf.column, value, kind))

    match leaf:
        case Compare(_, op, value):
            return f"{field} {op} {literal(value)}"
        case Member(_, values):
            return f"{field} in [{', '.join(map(literal, values))}]"
        case Like(name, pattern):
            if kind != "keyword":
                raise unfit(name, kind, "Compare it with numbers.")
            return f"{field} like {_quoted(pattern)}"


def _field(name: str, attributes: Attributes) -> tuple[str, ColumnKind]:
    if name not in attributes:
        raise RequestError(
            f"the index has no attribute {name!r}.",
            remedy=did_you_mean(name, attributes),
            where="where",
        )
    return attributes[name]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
