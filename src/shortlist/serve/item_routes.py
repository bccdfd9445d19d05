"""The HTTP route that writes items."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import msgspec
from litestar import put
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler
from msgspec import Meta

from shortlist.online.engine import Engine
from shortlist.serve.errors import ErrorBody
from shortlist.serve.paths import Http, id_of
from shortlist.serve.routes import ITEMS
from shortlist.serve.schema import Body
from shortlist.serve.service import Service
from shortlist.stores.items import ItemBody

BAD = {400: ResponseSpec(ErrorBody, description="The request names a field that is wrong.")}


class PutBody(Body):
    """What an item is; it replaces what was known of the item."""

    attributes: Annotated[
        dict[str, Any],
        Meta(description="Values of attributes and texts, of the kinds that the catalogue has."),
    ] = msgspec.field(default_factory=dict)
    available: Annotated[bool, Meta(description="Whether it may be shown.")] = True
    expires: Annotated[
        int | str | None,
        Meta(description="From when on it may not: ISO 8601 text or microseconds."),
    ] = None


class ItemWritten(msgspec.Struct):
    """What a write did."""

    id: Annotated[str, Meta(description="The item.")]
    changed: Annotated[bool, Meta(description="Whether it was not just so before.")]
    encoded: Annotated[bool, Meta(description="Whether its text had to be encoded.")]
    encoders: Annotated[list[str], Meta(description="Retrievers that find it by its text.")]
    release: Annotated[str, Meta(description="The release whose answers it is part of.")]
    notes: Annotated[list[str], Meta(description="What else there is to know.")]


def item_routes(service: Service) -> list[ControllerRouterHandler]:
    """The handlers of the routes, bound to a worker's service."""

    @put("/v1/items/{id:path}", status_code=200, responses=BAD, tags=["items"])
    async def write(request: Http, id: FromPath[str], data: JSONBody[PutBody]) -> ItemWritten:
        """Write an item: it is durable, and part of every worker's next answer, when answered.

        Its text is encoded where the release has a retriever that does so. The id is
        percent-encoded. Writing the same again changes nothing.
        """
        name = id_of(request, id, ITEMS)
        return await service.write(partial(_write, service.engine, name, data))

    return [write]


def _write(engine: Engine, id: str, data: PutBody) -> ItemWritten:
    body: ItemBody = engine.book.body(data.attributes, data.available, data.expires)
    done = engine.put({id: body})
    notes = engine.book.notes(id, body, engine.hidden(id))
    return ItemWritten(id, done.written > 0, done.encoded > 0, done.encoders, engine.release, notes)
