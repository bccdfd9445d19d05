"""Filters of a store, checked against the kinds of its attributes before any row is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shortlist.core.catalogue import Catalogue
from shortlist.core.errors import RequestError
from shortlist.core.expression import (
    Compare,
    Contains,
    Expression,
    Junction,
    Like,
    Literal,
    Member,
    Missing,
    Not,
    matches,
)
from shortlist.core.parser import parse
from shortlist.stores.vectors.contract import AttributeKind


def filter_of(
    where: str, empty: Catalogue, kinds: Mapping[str, AttributeKind]
) -> Expression | None:
    """The expression of a filter; None where it allows all.

    Args:
        where: the text of it.
        empty: the schema's attributes as columns without rows.
        kinds: their kinds.

    Raises:
        RequestError: it is not text, does not parse, or does not fit the schema.
    """
    if not isinstance(where, str):
        raise RequestError(
            f"is {where!r}.", remedy="Write a filter as text; '' allows all.", where="where"
        )
    if not where.strip():
        return None
    expression = parse(where)
    matches(expression, empty)
    for leaf in _leaves(expression):
        if kinds[leaf.column] == "boolean":
            _check_truth(leaf)
    return expression


_Leaf = Compare | Member | Like


def _leaves(expression: Expression) -> Iterator[_Leaf]:
    """What an expression compares."""
    match expression:
        case Junction(parts, _):
            for part in parts:
                yield from _leaves(part)
        case Not(inner):
            yield from _leaves(inner)
        case Missing() | Contains():
            pass  # `matches` has seen that the latter is asked of lists
        case _:
            yield expression


def _check_truth(leaf: _Leaf) -> None:
    """Booleans are equal to true or false, or not; nothing else can be said of them."""
    if isinstance(leaf, Compare) and leaf.op not in ("==", "!="):
        raise RequestError(
            f"at character {leaf.at + 1}: {leaf.column!r} is a boolean attribute, which "
            f"{leaf.op} cannot compare.",
            remedy=f"Write {leaf.column} == true.",
            where="where",
        )
    for value in leaf.values if isinstance(leaf, Member) else (_value(leaf),):
        if not isinstance(value, bool):
            shown = f"{value:g}" if isinstance(value, float) else repr(value)
            raise RequestError(
                f"at character {leaf.at + 1}: expected true or false, found {shown}: "
                f"{leaf.column!r} is a boolean attribute.",
                remedy="Write true or false, without quotes.",
                where="where",
            )


def _value(leaf: Compare | Like) -> Literal:
    return leaf.value if isinstance(leaf, Compare) else leaf.pattern
