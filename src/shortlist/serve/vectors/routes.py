"""The HTTP routes of the vector server."""

from __future__ import annotations

import msgspec
from litestar import Response, delete, get, post, put
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody
from litestar.response.base import ASGIResponse
from litestar.types import ControllerRouterHandler

from shortlist.serve.errors import JSON, ErrorBody, NotFoundError
from shortlist.serve.paths import Http, id_of
from shortlist.serve.schema import Health
from shortlist.serve.vectors.columns import queries_of
from shortlist.serve.vectors.schema import (
    Count,
    CountBody,
    Deleted,
    FieldInfo,
    GetBody,
    IdsBody,
    Info,
    RecordAnswer,
    RecordBody,
    RecordsAnswer,
    Result,
    Results,
    SearchBody,
    UpsertBody,
    Written,
    record_of,
)
from shortlist.serve.vectors.service import VectorService
from shortlist.stores.vectors.checks import field_of

RECORDS = "/v1/records/"
BAD = {400: ResponseSpec(ErrorBody, description="The request names a field that is wrong.")}
ABSENT = {404: ResponseSpec(ErrorBody, description="There is no such record.")}


def vector_routes(service: VectorService) -> list[ControllerRouterHandler]:
    """The handlers of every route, bound to a worker's service."""
    encode = msgspec.json.Encoder().encode

    @post(
        "/v1/search",
        status_code=200,
        responses={200: ResponseSpec(Results, description="One for each query."), **BAD},
        tags=["search"],
    )
    async def search(data: JSONBody[SearchBody]) -> ASGIResponse:
        """The records nearest to each query, best first."""
        name, queries = data.queries()
        field = field_of(service.store.schema, data.field)
        found = await service.search(
            queries_of(queries, field, name),
            data.k,
            data.where,
            data.field,
            data.attributes,
            data.encoder,
            name,
        )
        body = encode(Results([Result.of(hits) for hits in found]))
        return ASGIResponse(body=body, media_type=JSON)

    @put("/v1/records/{id:path}", responses=BAD, tags=["records"])
    async def upsert_one(request: Http, id: FromPath[str], data: JSONBody[RecordBody]) -> Written:
        """Write a whole record; durable and searchable when it is answered."""
        record = record_of(id_of(request, id, RECORDS), data, "")
        return Written(await service.upsert([record], data.encoder))

    @post("/v1/upsert", status_code=200, responses=BAD, tags=["records"])
    async def upsert(data: JSONBody[UpsertBody]) -> Written:
        """Write up to 10,000 whole records, all of them or none."""
        records = [record_of(one.id, one, f"records[{i}].") for i, one in enumerate(data.records)]
        return Written(await service.upsert(records, data.encoder))

    @get("/v1/records/{id:path}", responses=ABSENT, tags=["records"])
    async def get_one(request: Http, id: FromPath[str]) -> RecordAnswer:
        """A record. The id is percent-encoded."""
        name = id_of(request, id, RECORDS)
        found = RecordsAnswer.of(await service.get([name], None))
        if not found.records:
            raise _absent(name)
        return found.records[0]

    @post("/v1/get", status_code=200, responses=BAD, tags=["records"])
    async def get_many(data: JSONBody[GetBody]) -> RecordsAnswer:
        """Up to 10,000 records by their ids."""
        return RecordsAnswer.of(await service.get(data.ids, data.fields))

    @delete("/v1/records/{id:path}", status_code=200, responses=ABSENT, tags=["records"])
    async def delete_one(request: Http, id: FromPath[str]) -> Deleted:
        """Remove a record; gone from every search when it is answered."""
        name = id_of(request, id, RECORDS)
        deleted = await service.delete([name])
        if not deleted:
            raise _absent(name)
        return Deleted(deleted)

    @post("/v1/delete", status_code=200, responses=BAD, tags=["records"])
    async def delete_many(data: JSONBody[IdsBody]) -> Deleted:
        """Remove up to 10,000 records; ids that are not there do not matter."""
        return Deleted(await service.delete(data.ids))

    @post("/v1/count", status_code=200, responses=BAD, tags=["search"])
    async def count(data: JSONBody[CountBody]) -> Count:
        """How many records a filter allows."""
        return Count(await service.count(data.where))

    @get("/v1/info", tags=["operation"])
    async def info() -> Info:
        """What records are made of, how many there are, and what is wrong with the store."""
        schema, health = service.store.schema, await service.health()
        fields = [FieldInfo(one.name, one.dim, one.metric, one.encoder) for one in schema.fields]
        return Info(fields, dict(schema.attributes), health.rows, health.problems)

    @get("/healthz", tags=["operation"])
    async def healthz() -> Health:
        """Whether the process lives."""
        return Health("ok")

    @get("/readyz", tags=["operation"])
    async def readyz() -> Health:
        """Whether requests are answered: 503 where the store cannot be reached."""
        await service.count("")
        return Health("ready")

    @get("/metrics", include_in_schema=False, sync_to_thread=True)
    def metrics() -> Response[bytes]:
        """Prometheus metrics of all workers."""
        return Response(service.metrics.text(), media_type=service.metrics.content_type)

    return [
        search,
        upsert_one,
        upsert,
        get_one,
        get_many,
        delete_one,
        delete_many,
        count,
        info,
        healthz,
        readyz,
        metrics,
    ]


def _absent(id: str) -> NotFoundError:
    return NotFoundError(
        f"no record has the id {id!r}.", remedy="Percent-encode the id.", where="id"
    )
