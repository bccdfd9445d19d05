"""Vectors that are live, durable and searchable: `open_vectors` opens a store of them."""

from __future__ import annotations

from shortlist.stores.vectors.contract import (
    Health,
    Hits,
    Records,
    StoreSchema,
    VectorField,
    VectorStore,
)
from shortlist.stores.vectors.open import open_vectors

__all__ = [
    "Health",
    "Hits",
    "Records",
    "StoreSchema",
    "VectorField",
    "VectorStore",
    "open_vectors",
]
