"""A collection of Milvus for the records of a schema: making one, and knowing it again.

One field for the id, the content hash, every vector and every attribute. The schema stands in the
description and, since Milvus Lite keeps none, in a property.
"""

from __future__ import annotations

from typing import Any

import msgspec
from pymilvus import DataType, MilvusClient

from shortlist.core.errors import ConfigError, StoreError
from shortlist.stores.vectors.checks import MAX_CONTENT
from shortlist.stores.vectors.contract import MAX_ID, AttributeKind, Metric, StoreSchema
from shortlist.stores.vectors.schema import schema_of
from shortlist.stores.vectors.values import MAX_TERMS, MAX_TEXT

METRICS: dict[Metric, str] = {"dot": "IP", "cosine": "COSINE", "l2": "L2"}
_TYPES: dict[AttributeKind, DataType] = {
    "keyword": DataType.VARCHAR,
    "keywords": DataType.ARRAY,
    "integer": DataType.INT64,
    "number": DataType.DOUBLE,
    "boolean": DataType.BOOL,
    "time": DataType.INT64,
}
STRONG = "Strong"
_PROPERTY = "shortlist.schema"


def create(client: MilvusClient, name: str, schema: StoreSchema | None, where: str) -> None:
    """Make a collection for the records of a schema.

    Raises:
        ConfigError: there is no schema.
        RequestError: none can be made of it.
    """
    if schema is None:
        raise ConfigError(
            f"there is no collection {name!r}.",
            remedy="Make one with `shortlist vectors create`, or give `open_vectors` a schema.",
            where=where,
        )
    schema = schema_of(schema)
    made = client.create_schema(
        auto_id=False, enable_dynamic_field=False, description=schema.to_json().decode()
    )
    made.add_field("id", DataType.VARCHAR, is_primary=True, max_length=MAX_ID)
    made.add_field("content", DataType.VARCHAR, max_length=4 * MAX_CONTENT)
    indexes = client.prepare_index_params()
    for field in schema.fields:
        made.add_field(field.name, DataType.FLOAT_VECTOR, dim=field.dim)
        indexes.add_index(field.name, index_type="AUTOINDEX", metric_type=METRICS[field.metric])
    for attribute, kind in schema.attributes.items():
        sizes: dict[str, Any] = {}
        if kind in ("keyword", "keywords"):
            sizes = {"max_length": MAX_TEXT}
        if kind == "keywords":
            sizes |= {"max_capacity": MAX_TERMS, "element_type": DataType.VARCHAR}
        made.add_field(attribute, _TYPES[kind], nullable=True, **sizes)
    client.create_collection(
        name,
        schema=made,
        index_params=indexes,
        consistency_level=STRONG,
        properties={_PROPERTY: schema.to_json().decode()},
    )


def described(
    client: MilvusClient, name: str, schema: StoreSchema | None, where: str
) -> StoreSchema:
    """The schema that a collection was made for.

    Raises:
        ConfigError: it is not the one that is asked for.
        StoreError: it was not made by this package.
    """
    found = client.describe_collection(name)
    try:
        kept = StoreSchema.from_json(found["properties"].get(_PROPERTY) or found["description"])
    except msgspec.DecodeError as error:
        raise StoreError(
            f"the collection {name!r} was not made by shortlist ({error}).",
            remedy="Name another collection.",
            where=where,
        ) from error
    if schema is not None and schema != kept:
        raise ConfigError(
            f"the collection {name!r} holds {kept}, and {schema} was asked for.",
            remedy="Open it without a schema, or name another collection.",
            where=where,
        )
    return kept
