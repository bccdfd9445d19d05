"""Opening a vector store by its folder or its server's URL."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from shortlist.core.errors import ConfigError
from shortlist.stores.vectors.contract import StoreSchema, VectorStore

_MILVUS = ("milvus://", "milvus+https://")


def open_vectors(at: str | Path, schema: StoreSchema | None = None) -> VectorStore:
    """Open a vector store, made where there is none yet.

    Args:
        at: a folder (the embedded store), or `milvus://[user:password@]host:port/collection`.
        schema: what its records are made of; may be None for a store that is there already.

    Raises:
        ConfigError: there is no store and no schema, the schema is not that of the store, the
            URL cannot be read, or pymilvus is not installed.
        StoreError: the folder or the server cannot be opened.
    """
    text = str(at)
    if text.startswith(_MILVUS):
        if find_spec("pymilvus") is None:
            raise ConfigError(
                "a store in Milvus needs pymilvus, which is not installed.",
                remedy="Run `pip install 'shortlist[milvus]'`, or name a folder.",
                where="vectors",
            )
        from shortlist.stores.vectors.milvus import MilvusStore

        return MilvusStore(text, schema)
    if "://" in text:
        raise ConfigError(
            f"{text!r} is not a vector store.",
            remedy="Write a folder, or milvus://host:19530/collection.",
            where="vectors",
        )
    from shortlist.stores.vectors.embedded import EmbeddedStore

    return EmbeddedStore(Path(at), schema)
