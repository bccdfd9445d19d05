"""`MilvusStore`: vectors in a collection of a Milvus server.

Reads ask for strong consistency, so a write is seen by the next search of every client. Milvus
indexes and compacts by itself.

A write is split into requests of `_REQUEST` bytes, below Milvus' limit of 64 MB. Each is atomic;
a write of several is not when the server fails in between: write it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
from numpy.typing import NDArray
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from shortlist.core.errors import ConfigError, RequestError, StoreError
from shortlist.stores.vectors import checks
from shortlist.stores.vectors.columns import catalogue, column
from shortlist.stores.vectors.contract import Health, Hits, Records, StoreSchema
from shortlist.stores.vectors.filters import filter_of
from shortlist.stores.vectors.milvus_collection import METRICS, STRONG, create, described
from shortlist.stores.vectors.milvus_filter import quoted, rendered

_REQUEST = 16 << 20
_IDS = 1000
"""Ids of one request."""


class MilvusStore:
    """A vector store in a Milvus collection; see `VectorStore` and the module.

    Args:
        url: `milvus://[user:password@]host[:port]/collection`, or `milvus+https://…` for TLS.
        schema: what records are made of; None for a collection that is there.

    Raises:
        ConfigError, StoreError: see `open_vectors`.
    """

    def __init__(self, url: str, schema: StoreSchema | None = None) -> None:
        parts = urlsplit(url)
        self._collection = parts.path.strip("/")
        if not parts.hostname or not self._collection.isidentifier():
            raise ConfigError(
                f"{url!r} does not name a collection.",
                remedy="Write milvus://host:19530/collection, the last of letters, digits and _.",
                where="vectors",
            )
        scheme = "https" if parts.scheme == "milvus+https" else "http"
        self._where = f"{scheme}://{parts.hostname}:{parts.port or 19530}"
        with self._errors():
            self._client = MilvusClient(
                uri=self._where,
                user=unquote(parts.username or ""),
                password=unquote(parts.password or ""),
            )
            if not self._client.has_collection(self._collection):
                create(self._client, self._collection, schema, self._where)
            self._schema = described(self._client, self._collection, schema, self._where)
        self._empty = catalogue({name: column(k, []) for name, k in self.schema.attributes.items()})

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except MilvusException as error:
            raise StoreError(
                f"Milvus says: {error.message}.",
                remedy="Check that the server runs and can be reached.",
                where=self._where,
            ) from error

    @property
    def schema(self) -> StoreSchema:
        """What its records are made of."""
        return self._schema

    def upsert(
        self,
        ids: Sequence[str],
        vectors: Mapping[str, NDArray[np.float32]],
        attributes: Mapping[str, Sequence[Any]] | None = None,
        *,
        encoder: Mapping[str, str] | None = None,
        content: Sequence[str] | None = None,
    ) -> None:
        """Write whole records; see the contract and the module."""
        batch = checks.batch(self.schema, ids, vectors, attributes, encoder, content)
        columns: dict[str, Any] = {
            "id": batch.ids,
            "content": batch.content,
            **batch.attributes,
            **batch.vectors,
        }
        width = 4 * sum(field.dim for field in self.schema.fields) + 1024
        step = max(1, _REQUEST // width)
        with self._errors():
            for start in range(0, len(batch.ids), step):
                some = [values[start : start + step] for values in columns.values()]
                rows = [dict(zip(columns, row, strict=True)) for row in zip(*some, strict=True)]
                self._client.upsert(self._collection, rows)

    def delete(self, ids: Sequence[str]) -> int:
        """Remove records; see the contract."""
        wanted = list(dict.fromkeys(checks.ids_of(ids)))
        removed = 0
        with self._errors():
            for some in _chunks(wanted):
                there = self._query(_one_of(some), ["id"])
                if there:
                    found = [row["id"] for row in there]
                    self._client.delete(self._collection, filter=_one_of(found))
                    removed += len(found)
        return removed

    def get(self, ids: Sequence[str], fields: Sequence[str] | None = None) -> Records:
        """The records of ids; see the contract."""
        wanted = list(dict.fromkeys(checks.ids_of(ids)))
        names = checks.fields_of(self.schema, fields)
        asked = ["id", "content", *self.schema.attributes, *names]
        found: dict[str, dict[str, Any]] = {}
        with self._errors():
            for some in _chunks(wanted):
                found |= {row["id"]: row for row in self._query(_one_of(some), asked)}
        rows = [found[id] for id in wanted if id in found]
        return self._records(rows, names, [id for id in wanted if id not in found])

    def search(
        self,
        vectors: NDArray[np.float32],
        k: int,
        where: str = "",
        field: str = "",
        *,
        attributes: Sequence[str] = (),
        encoder: str = "",
    ) -> list[Hits]:
        """The k nearest records of each query; see the contract."""
        of = checks.field_of(self.schema, field)
        queries = checks.queries_of(vectors, k, of)
        checks.same_encoder(of, encoder, "encoder")
        carried = checks.attributes_of(self.schema, attributes)
        text = self._filter(where)
        sign = -1.0 if of.metric == "l2" else 1.0
        hits = []
        with self._errors():
            for start in range(0, len(queries), _IDS):
                found = self._client.search(
                    self._collection,
                    data=list(queries[start : start + _IDS]),
                    anns_field=of.name,
                    limit=int(k),
                    filter=text,
                    output_fields=carried or ["id"],
                    search_params={"metric_type": METRICS[of.metric]},
                    consistency_level=STRONG,
                )
                hits += [self._hits(list(one), carried, sign) for one in found]
        return hits

    def _hits(self, found: list[Any], carried: list[str], sign: float) -> Hits:
        return Hits(
            ids=[hit["id"] for hit in found],
            scores=np.array([sign * hit["distance"] for hit in found], np.float32),
            attributes={
                name: [_plain(hit["entity"].get(name)) for hit in found] for name in carried
            },
        )

    def count(self, where: str = "") -> int:
        """How many records there are, or a filter allows."""
        text = self._filter(where)
        with self._errors():
            return int(self._query(text, ["count(*)"])[0]["count(*)"])

    def iterate(self, batch: int = 1000) -> Iterator[Records]:
        """Every record, in the order of ids; see the contract."""
        if batch < 1:
            raise RequestError(f"is {batch}.", remedy="Ask for 1 or more.", where="batch")
        names = [field.name for field in self.schema.fields]
        asked = ["id", "content", *self.schema.attributes, *names]
        with self._errors():
            pages = self._client.query_iterator(
                self._collection,
                filter="",
                batch_size=batch,
                output_fields=asked,
                consistency_level=STRONG,
            )
            while rows := pages.next():
                yield self._records(list(rows), names, [])
            pages.close()

    def compact(self) -> None:
        """Ask Milvus to seal and index what was written lately."""
        with self._errors():
            self._client.flush(self._collection)

    def health(self) -> Health:
        """Whether the server answers, with its version."""
        with self._errors():
            version = self._client.get_server_version()
        return Health([], self.count(), {"server": version, "collection": self._collection})

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _filter(self, where: str) -> str:
        expression = filter_of(where, self._empty, self.schema.attributes)
        return "" if expression is None else rendered(expression, self.schema, self._empty)

    def _query(self, text: str, fields: list[str]) -> list[Any]:
        return list(
            self._client.query(
                self._collection, filter=text, output_fields=fields, consistency_level=STRONG
            )
        )

    def _records(self, rows: list[dict[str, Any]], names: list[str], missing: list[str]) -> Records:
        fields = {field.name: field for field in self.schema.fields}
        return Records(
            ids=[row["id"] for row in rows],
            missing=missing,
            vectors={
                name: np.array([row[name] for row in rows], np.float32).reshape(
                    len(rows), fields[name].dim
                )
                for name in names
            },
            attributes={
                name: [_plain(row.get(name)) for row in rows] for name in self.schema.attributes
            },
            encoders={name: fields[name].encoder for name in names},
            content=[row["content"] for row in rows],
        )


def _plain(value: Any) -> Any:
    """A value as the contract gives it; arrays come as sequences of their own kind."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return list(value) or None


def _one_of(ids: Sequence[str]) -> str:
    return f"id in [{', '.join(map(quoted, ids))}]"


def _chunks(ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), _IDS):
        yield ids[start : start + _IDS]
