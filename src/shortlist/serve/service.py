"""`Service`: what the routes of one worker share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from litestar import Litestar

from shortlist.config.schema import ServeSection
from shortlist.core.request import Request, Shortlist
from shortlist.online.engine import Engine
from shortlist.serve.batching import Batcher
from shortlist.serve.metrics import Metrics
from shortlist.serve.reload import Keeper

T = TypeVar("T")


class Service:
    """A worker's engine, its queue of requests, its writer and its metrics.

    Args:
        open_engine: opens the engine; raises a ShortlistError while there is no release.
        serve: the section of the config.
    """

    def __init__(self, open_engine: Callable[[], Engine], serve: ServeSection) -> None:
        self.metrics = Metrics()
        self.log_impressions = serve.log_impressions
        self._keeper = Keeper(open_engine, serve.reload_seconds, self.metrics)
        self._batcher = Batcher(self._answer, serve.max_batch, self.metrics.batch)
        self._writer = ThreadPoolExecutor(1, "writer")

    @property
    def engine(self) -> Engine:
        """The engine.

        Raises:
            NotReadyError: it is not open yet.
        """
        return self._keeper.engine

    @property
    def problem(self) -> str:
        """Why the newest release could not be opened; empty where it could."""
        return self._keeper.problem

    @property
    def held(self) -> Mapping[str, bool]:
        """The last releases that answered, newest last, and whether their files are still open."""
        return self._keeper.held

    async def ask(self, request: Request) -> Shortlist:
        """The answer to one request, batched with others.

        Raises:
            RequestError: the request is malformed; names the field.
            NotReadyError: there is no release yet.
        """
        self.engine.validate(request)
        return await self._batcher.ask(request)

    async def write(self, change: Callable[[], T]) -> T:
        """Make a change to a store, off the event loop, where it may wait for other processes."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, change)

    def _answer(self, requests: Sequence[Request]) -> list[Shortlist]:
        return self.engine.answer(requests)

    @asynccontextmanager
    async def lifespan(self, app: Litestar) -> AsyncIterator[None]:
        """Open the engine before the first request arrives; close it when the server stops.

        A worker that had to be started again takes requests only when it can answer them. Without
        a release it starts all the same, answers that it is not ready, and keeps looking.
        """
        await self._keeper.look()
        keeping = asyncio.create_task(self._keeper.keep_looking())
        try:
            yield
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping
            self._writer.shutdown()
            self._keeper.close()
