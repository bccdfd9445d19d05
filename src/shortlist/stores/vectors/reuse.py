"""Encoding only what is new: vectors of the same encoder and the same content are taken back.

Encoding is what a daily job spends its time on, and most items do not change from day to day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_128_hexdigest

from shortlist.core.errors import RequestError
from shortlist.stores.vectors import checks
from shortlist.stores.vectors.contract import Records, StoreSchema, VectorField, VectorStore


class Encoder(Protocol):
    """Makes vectors of texts."""

    @property
    def version(self) -> str:
        """Unlike that of any encoder that gives other vectors."""
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of texts, `float32[len(texts), d]`."""
        ...


class Kept(Protocol):
    """Where vectors may be: any `VectorStore`, and whatever else keeps vectors by id."""

    @property
    def schema(self) -> StoreSchema:
        """What its records are made of."""
        ...

    def get(self, ids: Sequence[str], fields: Sequence[str] | None = None) -> Records:
        """The records of ids; see `VectorStore.get`."""
        ...


@dataclass(frozen=True)
class Embedded:
    """Vectors of items.

    Attributes:
        ids: the items.
        vectors: `float32[len(ids), d]`.
        content: the hash of each item's text, for `VectorStore.upsert`.
        encoded: places of the items whose vectors were made now, `int64[m]`, ascending; those of
            the others were in the store.
    """

    ids: list[str]
    vectors: NDArray[np.float32]
    content: list[str]
    encoded: NDArray[np.int64]


def content_hash(text: str) -> str:
    """What stands for a text in `VectorStore.upsert`: the hexadecimal XXH3 of 128 bits."""
    return str(xxh3_128_hexdigest(text.encode("utf-8", "surrogatepass")))


def embed(store: Kept, items: Mapping[str, str], encoder: Encoder, field: str = "") -> Embedded:
    """The vectors of items; only those that the store cannot give are encoded. Writes nothing.

    Args:
        store: where vectors may be.
        items: text by id.
        encoder: whose `version` is that of the field.
        field: which vector field; may be empty where there is one.

    Raises:
        RequestError: the field is of another encoder, or the encoder's vectors do not fit it.
    """
    of = _field(store, encoder, field)
    ids = checks.ids_of(list(items))
    content = [content_hash(text) for text in items.values()]
    kept = store.get(ids, [of.name])
    have = {id: place for place, id in enumerate(kept.ids)}
    vectors = np.empty((len(ids), of.dim), np.float32)
    fresh = []
    for place, id in enumerate(ids):
        found = have.get(id)
        if found is None or kept.content[found] != content[place]:
            fresh.append(place)
        else:
            vectors[place] = kept.vectors[of.name][found]
    if fresh:
        texts = list(items.values())
        made = checks.matrix_of(encoder.encode([texts[p] for p in fresh]), of, "encoder")
        if len(made) != len(fresh):
            raise RequestError(
                f"gave {len(made)} vectors for {len(fresh)} texts.",
                remedy="An encoder gives one vector per text.",
                where="encoder",
            )
        vectors[fresh] = made
    return Embedded(ids, vectors, content, np.array(fresh, np.int64))


def ingest(
    store: VectorStore,
    items: Mapping[str, str],
    encoder: Encoder,
    attributes: Mapping[str, Sequence[Any]] | None = None,
) -> Embedded:
    """Encode what is new and write the items; doing it again encodes nothing.

    Items whose text is in the store are written again only where attributes are given, which may
    have changed.

    Args:
        store: one with a single vector field.
        items: text by id.
        encoder: whose `version` is that of the field.
        attributes: values by name, aligned with `items`.

    Raises:
        RequestError: see `embed` and `VectorStore.upsert`.
    """
    made = embed(store, items, encoder)
    name = store.schema.fields[0].name
    places = np.arange(len(made.ids)) if attributes else made.encoded
    store.upsert(
        [made.ids[place] for place in places.tolist()],
        {name: made.vectors[places]},
        attributes,
        encoder={name: encoder.version},
        content=[made.content[place] for place in places.tolist()],
    )
    return made


def _field(store: Kept, encoder: Encoder, name: str) -> VectorField:
    of = checks.field_of(store.schema, name)
    checks.same_encoder(of, encoder.version, "encoder")
    if not encoder.version:
        raise RequestError(
            "has no version.", remedy="Give it one, so that vectors never mix.", where="encoder"
        )
    return of
