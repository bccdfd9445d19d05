"""Dynamic batching: what arrived while the last batch ran is answered together.

Nobody waits for a timer. A request that finds the worker idle is answered alone, at once; under
load requests pile up while kernels run, and the next batch takes them all, which costs less for
each of them. Batches run on the event loop's own thread: handing a batch to another thread would
only add two handovers of the interpreter lock, because a worker has one core to itself.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from shortlist.core.errors import FeatureError, RequestError
from shortlist.core.request import Request, Shortlist


class Batcher:
    """Collects requests and answers them in batches.

    Args:
        answer: answers a batch; raises RequestError if any request of it is malformed, FeatureError
            if one needs a value that cannot be told.
        most: at most how many requests are answered together.
        observe: told the size of every batch.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[Request]], list[Shortlist]],
        most: int,
        observe: Callable[[int], None] = lambda size: None,
    ) -> None:
        self._answer = answer
        self._most = most
        self._observe = observe
        self._waiting: deque[tuple[Request, asyncio.Future[Shortlist]]] = deque()
        self._scheduled = False

    async def ask(self, request: Request) -> Shortlist:
        """The answer to one request.

        Raises:
            RequestError: the request is malformed; requests in the same batch are not affected.
            FeatureError: a value that the request needs cannot be told; likewise.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Shortlist] = loop.create_future()
        self._waiting.append((request, future))
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._run, loop)
        return await future

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        """Answer what waits now, and come back for what arrives meanwhile."""
        count = min(len(self._waiting), self._most)
        batch = [self._waiting.popleft() for _ in range(count)]
        batch = [(request, future) for request, future in batch if not future.done()]
        try:
            if batch:
                self._observe(len(batch))
                self._settle(batch)
        finally:
            self._scheduled = bool(self._waiting)
            if self._scheduled:
                loop.call_soon(self._run, loop)

    def _settle(self, batch: list[tuple[Request, asyncio.Future[Shortlist]]]) -> None:
        """Give each request of a batch its answer or its error."""
        try:
            shortlists = self._answer([request for request, _ in batch])
        except (RequestError, FeatureError) as error:
            if len(batch) == 1:
                batch[0][1].set_exception(error)
                return
            for single in batch:  # the fault is one request's: the others get their answers
                self._settle([single])
        except Exception as error:  # whoever asked is told; the loop must live on
            for _, future in batch:
                future.set_exception(error)
        else:
            for (_, future), shortlist in zip(batch, shortlists, strict=True):
                future.set_result(shortlist)
