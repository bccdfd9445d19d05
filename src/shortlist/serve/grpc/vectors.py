"""`Vectors`: a vector store over gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import numpy as np

from shortlist.core.errors import RequestError
from shortlist.serve.grpc import vectors_pb2 as pb
from shortlist.serve.grpc.errors import answered, streamed
from shortlist.serve.grpc.vectors_pb2_grpc import add_VectorsServicer_to_server
from shortlist.serve.vectors.columns import Record, queries_of, records_of
from shortlist.serve.vectors.service import VectorService
from shortlist.stores.vectors.checks import field_of
from shortlist.stores.vectors.contract import Attribute, Hits

USUAL_K = 10


class Vectors:
    """The methods of the service."""

    def __init__(self, service: VectorService) -> None:
        self._service = service
        count = service.metrics
        self.Search = answered(count, "/shortlist.v1.Vectors/Search", self._search)
        self.Get = answered(count, "/shortlist.v1.Vectors/Get", self._get)
        self.Upsert = answered(count, "/shortlist.v1.Vectors/Upsert", self._upsert)
        self.UpsertStream = streamed(
            count, "/shortlist.v1.Vectors/UpsertStream", self._upsert_stream
        )
        self.Delete = answered(count, "/shortlist.v1.Vectors/Delete", self._delete)
        self.Count = answered(count, "/shortlist.v1.Vectors/Count", self._count)
        self.Info = answered(count, "/shortlist.v1.Vectors/Info", self._info)

    async def _search(self, request: pb.SearchRequest, context: Any) -> pb.SearchResponse:
        field = field_of(self._service.store.schema, request.field)
        queries = queries_of([query.values for query in request.queries], field, "queries")
        found = await self._service.search(
            queries,
            request.k or USUAL_K,
            request.where,
            request.field,
            list(request.attributes),
            request.encoder,
            "queries",
        )
        return pb.SearchResponse(results=[_hits(hits) for hits in found])

    async def _get(self, request: pb.GetRequest, context: Any) -> pb.GetResponse:
        found = await self._service.get(request.ids, [] if request.without_vectors else None)
        records = [
            pb.Record(
                id=one.id,
                vectors={name: pb.Vector(values=vector) for name, vector in one.vectors.items()},
                attributes=_values(one.attributes),
                content=one.content,
            )
            for one in records_of(found)
        ]
        return pb.GetResponse(records=records, missing=found.missing, encoders=found.encoders)

    async def _upsert(self, request: pb.UpsertRequest, context: Any) -> pb.UpsertResponse:
        records = [_record(one) for one in request.records]
        written = await self._service.upsert(records, dict(request.encoders))
        return pb.UpsertResponse(written=written)

    async def _upsert_stream(
        self, requests: AsyncIterator[pb.UpsertRequest], context: Any
    ) -> AsyncIterator[pb.UpsertResponse]:
        number = 0
        async for request in requests:
            try:
                response = await self._upsert(request, context)
            except RequestError as error:
                raise RequestError(
                    error.problem, remedy=error.remedy, where=f"request {number}, {error.where}"
                ) from error
            yield response
            number += 1

    async def _delete(self, request: pb.DeleteRequest, context: Any) -> pb.DeleteResponse:
        return pb.DeleteResponse(deleted=await self._service.delete(list(request.ids)))

    async def _count(self, request: pb.CountRequest, context: Any) -> pb.CountResponse:
        return pb.CountResponse(count=await self._service.count(request.where))

    async def _info(self, request: pb.InfoRequest, context: Any) -> pb.InfoResponse:
        schema, health = self._service.store.schema, await self._service.health()
        fields = [
            pb.Field(name=one.name, dim=one.dim, metric=one.metric, encoder=one.encoder)
            for one in schema.fields
        ]
        return pb.InfoResponse(
            fields=fields,
            attributes=schema.attributes,
            count=health.rows,
            problems=health.problems,
        )


def add_vectors(service: VectorService, server: Any) -> None:
    """Answer the service's methods on a server."""
    add_VectorsServicer_to_server(Vectors(service), server)


def _record(sent: pb.Record) -> Record:
    return Record(
        sent.id,
        {name: np.array(vector.values, np.float32) for name, vector in sent.vectors.items()},
        {name: _attribute(value) for name, value in sent.attributes.items()},
        sent.content,
    )


def _attribute(value: pb.Value) -> Attribute:
    kind = value.WhichOneof("kind")
    if kind is None:
        return None
    return list(value.texts.values) if kind == "texts" else getattr(value, kind)


def _hits(hits: Hits) -> pb.Hits:
    columns = hits.attributes.items()
    return pb.Hits(
        hits=[
            pb.Hit(
                id=id,
                score=score,
                attributes=_values({name: values[i] for name, values in columns}),
            )
            for i, (id, score) in enumerate(zip(hits.ids, hits.scores.tolist(), strict=True))
        ]
    )


def _values(attributes: Mapping[str, Attribute]) -> dict[str, pb.Value]:
    return {name: _value(value) for name, value in attributes.items()}


def _value(value: Attribute) -> pb.Value:
    match value:
        case None:
            return pb.Value()
        case bool():
            return pb.Value(flag=value)
        case int():
            return pb.Value(integer=value)
        case float():
            return pb.Value(number=value)
        case str():
            return pb.Value(text=value)
        case _:
            return pb.Value(texts=pb.Texts(values=value))
