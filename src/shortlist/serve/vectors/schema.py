"""The bodies of the vector server's requests and answers."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from shortlist.core.errors import RequestError
from shortlist.serve.schema import Body
from shortlist.serve.vectors.columns import Record, records_of
from shortlist.stores.vectors.contract import Attribute, Hits, Records

Floats = list[float]
Vector = Annotated[Floats | None, Meta(description="The vector, where the store has one field.")]
Vectors = Annotated[dict[str, Floats], Meta(description="Vectors by field.")]
Attributes = Annotated[
    dict[str, str | int | float | bool | list[str] | None],
    Meta(description="Values by attribute; a time is microseconds or ISO 8601 text."),
]
Content = Annotated[str, Meta(description="A hash of what was encoded.")]
Encoder = Annotated[
    dict[str, str],
    Meta(description="The encoder's version by field; the store's own where it is not named."),
]


class RecordBody(Body):
    """What a record is to be."""

    vector: Vector = None
    vectors: Vectors = msgspec.field(default_factory=dict)
    attributes: Attributes = msgspec.field(default_factory=dict)
    content: Content = ""
    encoder: Encoder = msgspec.field(default_factory=dict)


class NamedBody(Body):
    """A record and its id."""

    id: str
    vector: Vector = None
    vectors: Vectors = msgspec.field(default_factory=dict)
    attributes: Attributes = msgspec.field(default_factory=dict)
    content: Content = ""


class UpsertBody(Body):
    """Records to write, all of them or none."""

    records: list[NamedBody]
    encoder: Encoder = msgspec.field(default_factory=dict)


class IdsBody(Body):
    """Ids of records."""

    ids: list[str]


class GetBody(IdsBody):
    """Records to read."""

    fields: Annotated[
        list[str] | None, Meta(description="The fields whose vectors are wanted; all without it.")
    ] = None


class CountBody(Body):
    """A filter to count by."""

    where: Annotated[str, Meta(description='A filter: `lang in ["ko", "en"] and year > 2015`.')] = (
        ""
    )


class SearchBody(CountBody):
    """One query or several."""

    vector: Annotated[Floats | None, Meta(description="One query.")] = None
    vectors: Annotated[list[Floats] | None, Meta(description="Several queries.")] = None
    k: Annotated[int, Meta(description="How many records of each query.")] = 10
    field: Annotated[
        str, Meta(description="Which vector field; may be left out where there is one.")
    ] = ""
    attributes: Annotated[list[str], Meta(description="The attributes that hits carry.")] = (
        msgspec.field(default_factory=list)
    )
    encoder: Annotated[
        str, Meta(description="The version of the encoder that made the queries.")
    ] = ""

    def queries(self) -> tuple[str, list[Floats]]:
        """The field that the queries are in, and they.

        Raises:
            RequestError: `vector` and `vectors` are both there, or neither is.
        """
        if self.vector is not None and self.vectors is None:
            return "vector", [self.vector]
        if self.vector is None and self.vectors is not None:
            return "vectors", self.vectors
        raise RequestError(
            "either one query or several are wanted.",
            remedy="Give 'vector' or 'vectors'.",
            where="vector",
        )


class Hit(msgspec.Struct, gc=False):
    """One record that was found; a larger score is nearer."""

    id: str
    score: float
    attributes: dict[str, Attribute] | UnsetType = UNSET


class Result(msgspec.Struct):
    """What one query found, nearest first."""

    hits: list[Hit]

    @classmethod
    def of(cls, found: Hits) -> Result:
        """The result that a store's hits make."""
        hits = [Hit(id, score) for id, score in zip(found.ids, found.scores.tolist(), strict=True)]
        if found.attributes:
            for i, hit in enumerate(hits):
                hit.attributes = {name: values[i] for name, values in found.attributes.items()}
        return cls(hits)


class Results(msgspec.Struct):
    """What each query found."""

    results: list[Result]


class RecordAnswer(msgspec.Struct):
    """A record."""

    id: str
    vectors: dict[str, Floats]
    attributes: dict[str, Attribute]
    content: str


class RecordsAnswer(msgspec.Struct):
    """Those that were found, in the order asked for, and those that were not."""

    records: list[RecordAnswer]
    missing: list[str]
    encoders: dict[str, str]

    @classmethod
    def of(cls, found: Records) -> RecordsAnswer:
        """The answer that a store's records make."""
        records = [
            RecordAnswer(
                one.id,
                {name: list(map(float, vector)) for name, vector in one.vectors.items()},
                dict(one.attributes),
                one.content,
            )
            for one in records_of(found)
        ]
        return cls(records, found.missing, found.encoders)


class Written(msgspec.Struct):
    """How many records were written."""

    written: int


class Deleted(msgspec.Struct):
    """How many records there were."""

    deleted: int


class Count(msgspec.Struct):
    """How many records there are."""

    count: int


class FieldInfo(msgspec.Struct):
    """A vector field."""

    name: str
    dim: int
    metric: str
    encoder: str


class Info(msgspec.Struct):
    """What records are made of, how many there are, and what is wrong with the store."""

    fields: list[FieldInfo]
    attributes: dict[str, str]
    count: int
    problems: list[str]


def record_of(id: str, body: RecordBody | NamedBody, where: str) -> Record:
    """The record that a body asks to write.

    Raises:
        RequestError: `vector` and `vectors` are both there.
    """
    if body.vector is not None and body.vectors:
        raise RequestError(
            "'vector' and 'vectors' are both there.",
            remedy="Name each vector's field in 'vectors', or give the only one as 'vector'.",
            where=f"{where}vector",
        )
    vectors = body.vectors if body.vector is None else {"": body.vector}
    return Record(id, vectors, body.attributes, body.content)
