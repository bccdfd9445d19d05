"""Schemas that stores can be made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from msgspec import structs

from shortlist.core.errors import RequestError, did_you_mean
from shortlist.stores.vectors.contract import AttributeKind, Metric, StoreSchema

_WORD_LIMIT = 255
_DIM_LIMIT = 32_768


def schema_of(schema: StoreSchema) -> StoreSchema:
    """A schema that stores can be made of, with its fields as a tuple.

    Raises:
        RequestError: no field, a name given twice or that is no plain word, a wrong length, or a
            metric or kind that there is not.
    """
    if not isinstance(schema, StoreSchema) or not isinstance(schema.fields, list | tuple):
        raise RequestError(
            f"is {schema!r}.",
            remedy="Give a StoreSchema, whose fields are a tuple of VectorField.",
            where="schema",
        )
    if not schema.fields:
        raise RequestError("has no vector field.", remedy="Name at least one.", where="schema")
    names = [field.name for field in schema.fields] + list(schema.attributes)
    for place, name in enumerate(names):
        plain = isinstance(name, str) and name.isidentifier() and name.isascii()
        if not plain or len(name) > _WORD_LIMIT or name.startswith("_"):
            raise RequestError(
                f"{name!r} cannot be a name.",
                remedy="Write letters, digits and underscores, a letter first.",
                where="schema",
            )
        if name in names[:place] or name in ("id", "content"):
            raise RequestError(
                f"{name!r} is a name already.",
                remedy="Choose another: fields and attributes share their names with id and "
                "content.",
                where="schema",
            )
    for field in schema.fields:
        where = f"schema.{field.name}"
        if not isinstance(field.dim, int) or not 1 <= field.dim <= _DIM_LIMIT:
            raise RequestError(
                f"has length {field.dim!r}.", remedy=f"Write 1 to {_DIM_LIMIT}.", where=where
            )
        _one_of(field.metric, get_args(Metric), "metric", where)
    for name, kind in schema.attributes.items():
        _one_of(kind, get_args(AttributeKind), "kind of attribute", f"schema.{name}")
    return structs.replace(schema, fields=tuple(schema.fields))


def _one_of(given: Any, known: Sequence[str], what: str, where: str) -> None:
    if given not in known:
        raise RequestError(
            f"there is no {what} {given!r}.",
            remedy=did_you_mean(str(given), known),
            where=where,
        )
