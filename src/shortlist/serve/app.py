"""The HTTP application of one worker."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from litestar import Litestar
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from shortlist.config.load import load_config
from shortlist.config.schema import Config
from shortlist.core.errors import ShortlistError
from shortlist.online.engine import Engine
from shortlist.release.publish import Releases
from shortlist.serve.errors import http_error, not_utf8, shortlist_error, too_deep, unexpected
from shortlist.serve.metrics import Metrics
from shortlist.serve.routes import routes
from shortlist.serve.service import Service

Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]


def app_of(folder: Path, *beside: Lifespan) -> Litestar:
    """The application of a project's folder.

    Args:
        folder: the project's folder.
        beside: what else runs while the application does.

    Raises:
        ConfigError: the project's `shortlist.toml` is wrong.
    """
    config = load_config(folder)
    return create_app(config, folder, lambda: Engine.open(config, folder), *beside)


def create_app(
    config: Config, folder: Path, open_engine: Callable[[], Engine], *beside: Lifespan
) -> Litestar:
    """An application over an engine.

    Args:
        config: the project's configuration.
        folder: the project's folder.
        open_engine: opens the engine; asked again while it raises a ShortlistError.
        beside: what else runs while the application does.
    """
    service = Service(open_engine, config.serve)
    releases = Releases(folder / ".shortlist" / "releases")
    return Litestar(
        routes(service, releases),
        lifespan=[service.lifespan, *beside],
        middleware=[measured(service.metrics)],
        exception_handlers={
            ShortlistError: shortlist_error,
            HTTPException: http_error,
            UnicodeDecodeError: not_utf8,
            RecursionError: too_deep,
            Exception: unexpected,
        },
        openapi_config=OpenAPIConfig(title=config.project.name, version="1", path="/docs"),
        logging_config=None,
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
