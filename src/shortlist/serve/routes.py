"""The HTTP routes."""

from __future__ import annotations

from functools import partial

import msgspec
from litestar import Response, delete, get, post
from litestar.background_tasks import BackgroundTask
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody
from litestar.response.base import ASGIResponse
from litestar.types import ControllerRouterHandler

from shortlist.core.request import Shortlist
from shortlist.core.times import iso
from shortlist.release.publish import Releases
from shortlist.serve.errors import JSON, ErrorBody, NotFoundError
from shortlist.serve.paths import Http, id_of
from shortlist.serve.schema import (
    Accepted,
    Answer,
    EventBody,
    Health,
    ItemBody,
    ItemState,
    RecommendBody,
    ReleaseBody,
    ReleaseList,
    SimilarBody,
    events_of,
)
from shortlist.serve.service import Service

ITEMS = "/v1/items/"
RESTORE = ":restore"
BAD = {400: ResponseSpec(ErrorBody, description="The request names a field that is wrong.")}
ABSENT = {404: ResponseSpec(ErrorBody, description="There is no such item.")}
ANSWER = {200: ResponseSpec(Answer, description="A shortlist, best first."), **BAD}


def routes(service: Service, releases: Releases) -> list[ControllerRouterHandler]:
    """The handlers of every route, bound to a worker's service."""
    encode = msgspec.json.Encoder().encode

    async def log_impressions(user: str, shortlist: Shortlist) -> None:
        # a coroutine, though it awaits nothing: Litestar would hand a function to a thread, which
        # costs more than encoding the events
        service.engine.log_impressions(user, shortlist)

    @post("/v1/recommend", status_code=200, responses=ANSWER, tags=["answers"])
    async def recommend(data: JSONBody[RecommendBody]) -> ASGIResponse:
        """What a user should see. Answers to a known user are logged as impressions."""
        shortlist = await service.ask(data.request())
        background = None
        if service.log_impressions and data.user:
            background = BackgroundTask(log_impressions, data.user, shortlist)
        body = encode(Answer.of(shortlist))
        return ASGIResponse(body=body, media_type=JSON, background=background)

    @post("/v1/similar", status_code=200, responses=ANSWER, tags=["answers"])
    async def similar(data: JSONBody[SimilarBody]) -> ASGIResponse:
        """What is like an item."""
        body = encode(Answer.of(await service.ask(data.request())))
        return ASGIResponse(body=body, media_type=JSON)

    @post("/v1/events", status_code=202, responses=BAD, tags=["events"])
    async def events(data: JSONBody[EventBody | list[EventBody]]) -> Accepted:
        """One event or a list: all of them are taken in, durably, or none.

        Events of items that the release does not know are taken in as well: the catalogue may
        be newer than the release.
        """
        posted = events_of(data)
        await service.write(partial(service.engine.post, posted))
        service.metrics.posted(len(posted))
        return Accepted(len(posted))

    @get("/v1/items/{id:path}", responses=ABSENT, tags=["items"])
    async def item(request: Http, id: FromPath[str]) -> ItemBody:
        """What the release knows about an item that may be shown. The id is percent-encoded."""
        name = id_of(request, id, ITEMS)
        attributes = service.engine.item(name)
        if attributes is None:
            raise NotFoundError(
                f"no item that may be shown has the id {name!r}.",
                remedy="Percent-encode the id.",
                where="id",
            )
        return ItemBody(name, attributes)

    @delete("/v1/items/{id:path}", status_code=200, tags=["items"])
    async def hide(request: Http, id: FromPath[str]) -> ItemState:
        """Never show an item again, in any worker, from when this is answered."""
        name = id_of(request, id, ITEMS)
        await service.write(partial(service.engine.hide, [name]))
        return ItemState(name, hidden=True)

    @post("/v1/items/{id:path}", status_code=200, responses=ABSENT, tags=["items"])
    async def restore(request: Http, id: FromPath[str]) -> ItemState:
        """Undo hiding an item: `POST /v1/items/{id}:restore`."""
        name = id_of(request, id, ITEMS)
        if not name.endswith(RESTORE):
            raise NotFoundError(
                "an item has no such action.", remedy=f"Add {RESTORE} to the path.", where="id"
            )
        name = name.removesuffix(RESTORE)
        await service.write(partial(service.engine.show, [name]))
        return ItemState(name, hidden=False)

    @get("/v1/releases", tags=["releases"], sync_to_thread=True)
    def list_releases() -> ReleaseList:
        """The releases that are kept, newest first, and the one that this worker answers from."""
        kept = [
            ReleaseBody(manifest.id, manifest.created, iso(manifest.watermark), manifest.metrics)
            for manifest in releases.list()
        ]
        return ReleaseList(service.engine.release, kept)

    @get("/healthz", tags=["operation"])
    async def healthz() -> Health:
        """Whether the process lives."""
        return Health("ok")

    @get("/readyz", tags=["operation"])
    async def readyz() -> Health:
        """Whether requests are answered: 503 until a release is open and its kernels are warm."""
        return Health("ready", service.engine.release)

    @get("/metrics", include_in_schema=False, sync_to_thread=True)
    def metrics() -> Response[bytes]:
        """Prometheus metrics of all workers."""
        return Response(service.metrics.text(), media_type=service.metrics.content_type)

    return [
        recommend,
        similar,
        events,
        item,
        hide,
        restore,
        list_releases,
        healthz,
        readyz,
        metrics,
    ]
