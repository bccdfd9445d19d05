"""What the HTTP applications have in common: errors, metrics, the description of their routes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from litestar import Litestar
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.types import ASGIApp, ControllerRouterHandler, Message, Receive, Scope, Send

from shortlist.core.errors import ShortlistError
from shortlist.serve.bodies import TypedRequest
from shortlist.serve.errors import http_error, not_utf8, shortlist_error, too_deep, unexpected
from shortlist.serve.metrics import Metrics

MOST_BYTES = 64 << 20
"""The largest body that is taken."""
Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]


class Served(Protocol):
    """What routes share in a worker."""

    metrics: Metrics

    def lifespan(self, app: Litestar) -> AbstractAsyncContextManager[None]:
        """Open before the first request, close after the last."""
        ...


def application(
    handlers: Sequence[ControllerRouterHandler], title: str, service: Served, *beside: Lifespan
) -> Litestar:
    """An application over a service.

    Args:
        handlers: of the routes.
        title: what its description is called.
        service: what the routes share; `app.state.service` for what runs beside.
        beside: what else runs while the application does, once the service is open.
    """
    return Litestar(
        handlers,
        lifespan=[service.lifespan, *beside],
        middleware=[measured(service.metrics)],
        exception_handlers={
            ShortlistError: shortlist_error,
            HTTPException: http_error,
            UnicodeDecodeError: not_utf8,
            RecursionError: too_deep,
            Exception: unexpected,
        },
        openapi_config=OpenAPIConfig(title=title, version="1", path="/docs"),
        logging_config=None,
        request_class=TypedRequest,
        request_max_body_size=MOST_BYTES,
        state=State({"service": service}),
    )


def measured(metrics: Metrics) -> Callable[[ASGIApp], ASGIApp]:
    """A middleware that counts requests and times their answers."""

    def wrap(app: ASGIApp) -> ASGIApp:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            start = time.perf_counter()

            async def sent(message: Message) -> None:
                if message["type"] == "http.response.start":
                    route = scope.get("path_template", "")
                    metrics.observe(route, message["status"], time.perf_counter() - start)
                await send(message)

            await app(scope, receive, sent)

        return answer

    return wrap
