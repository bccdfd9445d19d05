"""What callers give a vector store, checked before anything is written or asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.core.errors import RequestError, did_you_mean
from shortlist.stores.vectors.contract import MAX_ID, Attribute, StoreSchema, VectorField
from shortlist.stores.vectors.values import utf8, values_of

Floats = NDArray[np.float32]

MAX_K = 16_384
MAX_CONTENT = 128


@dataclass(frozen=True)
class Batch:
    """Records as they are written.

    Attributes:
        ids: each once.
        vectors: `float32[n, dim]` by field, contiguous.
        attributes: n values of every attribute of the schema.
        content: n hashes, empty where there is none.
    """

    ids: list[str]
    vectors: dict[str, Floats]
    attributes: dict[str, list[Attribute]]
    content: list[str]


def batch(
    schema: StoreSchema,
    ids: Sequence[str],
    vectors: Mapping[str, NDArray[np.float32]],
    attributes: Mapping[str, Sequence[Any]] | None,
    encoder: Mapping[str, str] | None,
    content: Sequence[str] | None,
) -> Batch:
    """Check the arguments of `VectorStore.upsert`.

    Raises:
        RequestError: see `VectorStore.upsert`.
    """
    checked = ids_of(ids)
    _once(checked)
    n = len(checked)
    for name, given in (("vectors", vectors), ("attributes", attributes), ("encoder", encoder)):
        if not isinstance(given, Mapping | None):
            raise RequestError(
                f"is of the type {type(given).__name__}.",
                remedy="Give a dictionary by name.",
                where=name,
            )
    known = [field.name for field in schema.fields]
    _unknown(vectors, known, "vectors", "vector field")
    _unknown(encoder or {}, known, "encoder", "vector field")
    _unknown(attributes or {}, schema.attributes, "attributes", "attribute")
    matrices = {}
    for field in schema.fields:
        where = f"vectors.{field.name}"
        if field.name not in vectors:
            raise RequestError(
                "is not given.", remedy="Every record has a vector in every field.", where=where
            )
        matrix = matrix_of(vectors[field.name], field, where)
        if len(matrix) != n:
            raise RequestError(
                f"holds {len(matrix)} vectors for {n} ids.",
                remedy="Give one vector per id.",
                where=where,
            )
        same_encoder(field, (encoder or {}).get(field.name, ""), f"encoder.{field.name}")
        matrices[field.name] = matrix
    values = {
        name: values_of(name, kind, (attributes or {}).get(name), n)
        for name, kind in schema.attributes.items()
    }
    return Batch(checked, matrices, values, _content(content, n))


def ids_of(ids: Sequence[str]) -> list[str]:
    """Ids, each text of 1 to `MAX_ID` bytes.

    Raises:
        RequestError: one is not; names its place.
    """
    ids = _listed(ids, "ids")
    for place, id in enumerate(ids):
        if not isinstance(id, str) or not id:
            raise RequestError(
                f"number {place} is {id!r}.",
                remedy="An id is text of at least one character.",
                where="ids",
            )
        if len(utf8(id, "ids")) > MAX_ID:
            raise RequestError(
                f"number {place}, {id[:40]!r}…, takes {len(id.encode())} bytes.",
                remedy=f"An id may take up to {MAX_ID} bytes of UTF-8; hash longer ones.",
                where="ids",
            )
    return ids


def _listed(texts: Iterable[str], where: str) -> list[str]:
    if isinstance(texts, str) or not isinstance(texts, Iterable):
        raise RequestError(f"is {texts!r}.", remedy="Give a list of texts.", where=where)
    return list(texts)


def _once(ids: list[str]) -> None:
    if len(set(ids)) == len(ids):
        return
    seen: dict[str, int] = {}
    for place, id in enumerate(ids):
        if id in seen:
            raise RequestError(
                f"{id!r} is number {seen[id]} and number {place}.",
                remedy="Write an id once in a call, with its newest record.",
                where="ids",
            )
        seen[id] = place


def _unknown(given: Mapping[str, Any], known: Any, where: str, what: str) -> None:
    for name in given:
        if name not in known:
            raise RequestError(
                f"there is no {what} {name!r}.", remedy=did_you_mean(name, known), where=where
            )


def matrix_of(vectors: Any, field: VectorField, where: str) -> Floats:
    """Vectors of a field, contiguous `float32[n, dim]`, fit for its metric.

    Raises:
        RequestError: a wrong shape or type, a number that is not finite in float32, a zero vector
            under cosine, or else one whose squared length is not finite in float32.
    """
    try:
        numbers = np.asarray(vectors)
    except ValueError:  # rows of several lengths
        numbers = np.empty(0, object)
    if numbers.dtype.kind not in "biuf":
        raise RequestError(
            "is not an array of numbers of one length.",
            remedy=f"Send vectors of {field.dim} numbers.",
            where=where,
        )
    with np.errstate(over="ignore"):  # what overflows is found below, with its place
        matrix = np.ascontiguousarray(numbers, np.float32)
    if matrix.ndim != 2 or matrix.shape[1] != field.dim:
        if matrix.size == 0 and len(matrix) == 0:
            return np.empty((0, field.dim), np.float32)
        raise RequestError(
            f"has shape {matrix.shape}, and the field {field.name!r} holds vectors of {field.dim}.",
            remedy=f"Send an array of shape (n, {field.dim}).",
            where=where,
        )
    finite = np.isfinite(matrix)
    if not finite.all():
        row, column = np.argwhere(~finite)[0].tolist()
        raise RequestError(
            f"number {column} of vector {row} is {matrix[row, column]}.",
            remedy="Send finite numbers that float32 can hold.",
            where=where,
        )
    if field.metric != "cosine":
        with np.errstate(over="ignore"):
            long = ~np.isfinite(np.einsum("ij,ij->i", matrix, matrix))
        if long.any():
            raise RequestError(
                f"vector {int(long.argmax())} is so long that its square is no finite float32.",
                remedy="Scale the vectors down, or use the metric cosine.",
                where=where,
            )
    if field.metric == "cosine" and len(matrix):
        zero = ~matrix.any(axis=1)
        if zero.any():
            raise RequestError(
                f"vector {int(zero.argmax())} is zero, which has no cosine with anything.",
                remedy="Leave it out, or use the metric dot or l2.",
                where=where,
            )
    return matrix


def same_encoder(field: VectorField, version: str, where: str) -> None:
    """Check a version that was named (empty: none was) against the field's.

    Raises:
        RequestError: they differ.
    """
    if version and version != field.encoder:
        holds = f"of {field.encoder!r}" if field.encoder else "of no named encoder"
        raise RequestError(
            f"{version!r} is not the encoder of the field {field.name!r}, whose vectors are "
            f"{holds}.",
            remedy="Vectors of two encoders cannot be compared: use that encoder, or make a store "
            "for the new one and encode the items again.",
            where=where,
        )


def field_of(schema: StoreSchema, name: str, where: str = "field") -> VectorField:
    """The field of a name; the only one where the name is empty.

    Raises:
        RequestError: there is no such field, or several and no name.
    """
    for field in schema.fields:
        if field.name == name or (not name and len(schema.fields) == 1):
            return field
    known = [field.name for field in schema.fields]
    if not name:
        raise RequestError(
            "is empty, and there are several.", remedy=f"Name one: {', '.join(known)}.", where=where
        )
    raise RequestError(
        f"there is no vector field {name!r}.", remedy=did_you_mean(name, known), where=where
    )


def attributes_of(schema: StoreSchema, names: Sequence[str]) -> list[str]:
    """Names of attributes that hits shall carry.

    Raises:
        RequestError: one is unknown.
    """
    listed = _listed(names, "attributes")
    _unknown(dict.fromkeys(listed), schema.attributes, "attributes", "attribute")
    return listed


def fields_of(schema: StoreSchema, names: Sequence[str] | None) -> list[str]:
    """Names of the fields that records shall carry; None: all of them.

    Raises:
        RequestError: one is unknown.
    """
    if names is None:
        return [field.name for field in schema.fields]
    return [field_of(schema, name, "fields").name for name in _listed(names, "fields")]


def queries_of(vectors: Any, k: int, field: VectorField) -> Floats:
    """Queries, `float32[q, dim]`.

    Raises:
        RequestError: see `matrix_of`; or k is out of range.
    """
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k <= MAX_K:
        raise RequestError(f"is {k!r}.", remedy=f"Ask for 1 to {MAX_K} records.", where="k")
    if np.ndim(vectors) == 1:
        vectors = np.asarray(vectors)[None]
    return matrix_of(vectors, field, "vectors")


def _content(content: Sequence[str] | None, n: int) -> list[str]:
    if content is None:
        return [""] * n
    if isinstance(content, str) or len(content) != n:
        raise RequestError(
            f"holds {len(content)} hashes for {n} ids.",
            remedy="Give one hash per id.",
            where="content",
        )
    for place, text in enumerate(content):
        if not isinstance(text, str) or len(utf8(text, "content")) > MAX_CONTENT:
            raise RequestError(
                f"number {place} is {str(text)[:40]!r}.",
                remedy=f"Give a hash as text of up to {MAX_CONTENT} characters.",
                where="content",
            )
    return list(content)
