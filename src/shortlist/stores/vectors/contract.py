"""What a store of vectors promises: rows that are live, durable and searchable.

A record is a text id, one vector for each vector field, typed attributes, and where its vectors
came from: the encoder's version per field and a hash of the content that was encoded.
Implementations: embedded (a folder: SQLite rows and index segments) and Milvus (by URL).
`shortlist.testing.vectors` holds the contract suite that all of them run.

| attribute  | Python values                               | missing  | in a filter              |
|------------|---------------------------------------------|----------|--------------------------|
| `keyword`  | str                                         | None     | `lang == "ko"`           |
| `keywords` | a sequence of str                           | None, [] | `array_contains(g, "x")` |
| `integer`  | int between ±2**53                          | None     | `year > 2015`            |
| `number`   | float, finite                               | None,NaN | `price < 9.5`            |
| `boolean`  | bool                                        | None     | `adult == false`         |
| `time`     | int microseconds, date, datetime,           | None,NaT | `added > "2026-01-31"`   |
|            | datetime64 arrays, ISO 8601 text            |          |                          |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

Metric = Literal["dot", "cosine", "l2"]
AttributeKind = Literal["keyword", "keywords", "integer", "number", "boolean", "time"]
Attribute = str | int | float | bool | list[str] | None
"""A value as a store gives it back; times are microseconds since the epoch."""

MAX_ID = 512
"""Bytes (UTF-8) that an id may take."""


class VectorField(msgspec.Struct, frozen=True):
    """A vector that every record has.

    Attributes:
        name: what it is called.
        dim: its length.
        metric: how two are compared. `dot`: the inner product. `cosine`: the inner product of the
            unit vectors. `l2`: the negative squared Euclidean distance. Larger is nearer.
        encoder: the version of the encoder that all its vectors come from. Writes and searches
            that name another are refused, so versions never mix; empty where none is named.
    """

    name: str
    dim: int
    metric: Metric = "cosine"
    encoder: str = ""


class StoreSchema(msgspec.Struct, frozen=True):
    """What the records of a store are made of.

    Attributes:
        fields: the vector fields, at least one.
        attributes: kind of each attribute by name.
    """

    fields: tuple[VectorField, ...]
    attributes: dict[str, AttributeKind] = {}

    def to_json(self) -> bytes:
        """The schema as JSON."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, data: bytes | str) -> StoreSchema:
        """The inverse of `to_json`.

        Raises:
            msgspec.DecodeError: the text is not JSON, or not a schema.
        """
        return msgspec.json.decode(data, type=cls)


@dataclass(frozen=True)
class Records:
    """Records of some ids; everything is aligned with `ids`.

    Attributes:
        ids: those that were found, in the order asked for.
        missing: those that the store does not have.
        vectors: `float32[len(ids), dim]` of each field that was asked for, as they were given.
        attributes: values of each attribute.
        encoders: the encoder version of the vectors, by field.
        content: the hash of each record's content, empty where none was given.
    """

    ids: list[str]
    missing: list[str]
    vectors: dict[str, NDArray[np.float32]]
    attributes: dict[str, list[Attribute]]
    encoders: dict[str, str]
    content: list[str]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Hits:
    """What one query found, nearest first.

    Attributes:
        ids: at most k; fewer when fewer records are allowed.
        scores: `float32[len(ids)]`, descending; see `VectorField.metric`.
        attributes: values of the attributes that were asked for, aligned with `ids`.
    """

    ids: list[str]
    scores: NDArray[np.float32]
    attributes: dict[str, list[Attribute]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Health:
    """How a store is.

    Attributes:
        problems: what is wrong, each a sentence that names the file or server; empty when well.
            Searches are still right while there are problems, only slower.
        rows: how many records there are.
        details: numbers of the implementation (segments, tail, bytes).
    """

    problems: list[str]
    rows: int
    details: dict[str, Any] = field(default_factory=dict)


class VectorStore(Protocol):
    """Records that can be searched as soon as a write returns, by every process.

    Methods may be called from several threads. Bad arguments raise `RequestError` (`where` names
    the argument) and change nothing; a store that cannot be reached or read raises `StoreError`.
    """

    @property
    def schema(self) -> StoreSchema:
        """What its records are made of."""
        ...

    def upsert(
        self,
        ids: Sequence[str],
        vectors: Mapping[str, NDArray[np.float32]],
        attributes: Mapping[str, Sequence[Any]] | None = None,
        *,
        encoder: Mapping[str, str] | None = None,
        content: Sequence[str] | None = None,
    ) -> None:
        """Write whole records; those that are there are replaced. All of them or none.

        Durable, and visible to the next search of every process, when it returns.

        Args:
            ids: text of 1 to `MAX_ID` bytes, each once.
            vectors: `float32[len(ids), dim]` of every vector field.
            attributes: values by name, aligned with `ids`; what is not given is missing.
            encoder: version of the encoder by field; what is not given is the field's own.
            content: a hash of what was encoded per record, up to 128 characters.

        Raises:
            RequestError: a wrong shape, a number that is not finite, a zero vector under cosine,
                an id that is empty, too long or given twice, an attribute that is unknown or of
                the wrong type, or an encoder that is not the field's.
        """
        ...

    def delete(self, ids: Sequence[str]) -> int:
        """Remove records, durable when it returns; how many were there."""
        ...

    def get(self, ids: Sequence[str], fields: Sequence[str] | None = None) -> Records:
        """The records of ids, with the vectors of `fields` (None: all of them)."""
        ...

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
        """The k nearest records of each query.

        Args:
            vectors: queries, `float32[q, dim]` (or `float32[dim]` for one).
            k: how many, 1 to 16,384.
            where: a filter expression (`core.expression`); empty allows all.
            field: which vector field; may be empty where there is one.
            attributes: names of the attributes that the hits carry.
            encoder: version of the encoder that made the queries; empty does not check.

        Raises:
            RequestError: bad queries, an unknown field or attribute, a filter that does not parse
                (position, and what was expected there), or an encoder that is not the field's.
        """
        ...

    def count(self, where: str = "") -> int:
        """How many records there are, or how many a filter allows."""
        ...

    def iterate(self, batch: int = 1000) -> Iterator[Records]:
        """Every record, in batches, in no particular order.

        A record that is there from the first batch to the last is given exactly once.
        """
        ...

    def compact(self) -> None:
        """Bring what was written lately into the index now; searches go on meanwhile."""
        ...

    def health(self) -> Health:
        """How the store is."""
        ...

    def close(self) -> None:
        """Release connections, files and threads."""
        ...
