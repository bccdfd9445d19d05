"""Schemas and queries as they stand on a command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from shortlist.core.errors import RequestError, did_you_mean
from shortlist.stores.vectors import StoreSchema, VectorField, VectorStore
from shortlist.stores.vectors.contract import AttributeKind, Metric


def schema_of(
    fields: Sequence[str], metric: str, encoder: str, attributes: Sequence[str]
) -> StoreSchema:
    """A schema.

    Args:
        fields: `NAME:DIM` or `NAME:DIM:METRIC` each.
        metric: of fields that do not name theirs.
        encoder: the encoder's version of all fields.
        attributes: `NAME:KIND` each.

    Raises:
        RequestError: there is no field, or one of them reads otherwise; names the option.
    """
    if not fields:
        raise RequestError(
            "a store needs a vector field.",
            remedy="Give --dim, or --field NAME:DIM.",
            where="field",
        )
    return StoreSchema(
        tuple(_field(text, metric, encoder) for text in fields),
        dict(_attribute(text) for text in attributes),
    )


def metric_of(name: str) -> Metric:
    """A metric by its name.

    Raises:
        RequestError: there is no such metric.
    """
    for metric in METRICS:
        if metric == name:
            return metric
    raise RequestError(
        f"{name!r} is not a metric.", remedy=did_you_mean(name, METRICS), where="metric"
    )


def query_of(store: VectorStore, like: str, vector: str, field: str) -> NDArray[np.float32]:
    """The query of a record's id or of a JSON list, `float32[dim]`.

    Raises:
        RequestError: both are given or none, there is no such record, or the list is none.
    """
    if bool(like) == bool(vector):
        raise RequestError(
            "either a record or a vector is wanted.",
            remedy="Give --like or --vector.",
            where="like",
        )
    if vector:
        try:
            return np.array(msgspec.json.decode(vector, type=list[float]), np.float32)
        except msgspec.DecodeError as error:
            raise RequestError(
                f"this is not a list of numbers: {error}.",
                remedy="Write it as [0.5, 0.25].",
                where="vector",
            ) from None
    name = field or store.schema.fields[0].name
    found = store.get([like], [name])
    if found.missing:
        raise RequestError(f"no record has the id {like!r}.", where="like")
    return np.asarray(found.vectors[name][0])


METRICS: tuple[Metric, ...] = get_args(Metric)
KINDS: tuple[AttributeKind, ...] = get_args(AttributeKind)


def _field(text: str, metric: str, encoder: str) -> VectorField:
    name, _, rest = text.partition(":")
    dim, _, own = rest.partition(":")
    if not name or not dim.isdecimal():
        raise RequestError(
            f"{text!r} is not a vector field.",
            remedy="Write NAME:DIM or NAME:DIM:METRIC.",
            where="field",
        )
    return VectorField(name, int(dim), metric_of(own or metric), encoder)


def _attribute(text: str) -> tuple[str, AttributeKind]:
    name, _, wanted = text.partition(":")
    for kind in KINDS:
        if name and kind == wanted:
            return name, kind
    raise RequestError(
        f"{text!r} is not an attribute.",
        remedy=f"Write NAME:KIND. {did_you_mean(wanted, KINDS)}",
        where="attribute",
    )
