"""What went wrong, as gRPC: a status, and the sentence that HTTP would answer with."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import wraps
from typing import Any

import grpc

from shortlist.core.errors import RequestError, ShortlistError, StoreError
from shortlist.serve.errors import NotFoundError, NotReadyError
from shortlist.serve.metrics import Metrics

STATUS: Mapping[type[ShortlistError], grpc.StatusCode] = {
    RequestError: grpc.StatusCode.INVALID_ARGUMENT,
    NotFoundError: grpc.StatusCode.NOT_FOUND,
    NotReadyError: grpc.StatusCode.UNAVAILABLE,
    StoreError: grpc.StatusCode.UNAVAILABLE,
}
Unary = Callable[[Any, Any], Awaitable[Any]]
Stream = Callable[[AsyncIterator[Any], Any], AsyncIterator[Any]]


def answered(metrics: Metrics, name: str, method: Unary) -> Unary:
    """A method whose errors are statuses, counted and timed under its name."""

    @wraps(method)
    async def answer(request: Any, context: Any) -> Any:
        start, code = time.perf_counter(), grpc.StatusCode.OK
        try:
            return await method(request, context)
        except Exception as error:  # whoever asked is told; a bug leaves its trace in the log
            code, message = told(name, error)
            await context.abort(code, message)
        finally:
            metrics.observe(name, code.value[0], time.perf_counter() - start)

    return answer


def streamed(metrics: Metrics, name: str, method: Stream) -> Stream:
    """The same for a method that takes and gives streams; each answer is counted."""

    @wraps(method)
    async def answer(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        start = time.perf_counter()
        try:
            async for one in method(requests, context):
                yield one
                metrics.observe(name, 0, time.perf_counter() - start)
                start = time.perf_counter()
        except Exception as error:  # as above
            code, message = told(name, error)
            metrics.observe(name, code.value[0], time.perf_counter() - start)
            await context.abort(code, message)

    return answer


def told(name: str, error: Exception) -> tuple[grpc.StatusCode, str]:
    """The status of an error, and what the caller reads."""
    log = logging.getLogger(__name__)
    if not isinstance(error, ShortlistError):
        log.error("%s failed", name, exc_info=error)
        return grpc.StatusCode.INTERNAL, "the server failed. The server's log says why."
    found = (code for kind, code in STATUS.items() if isinstance(error, kind))
    code = next(found, grpc.StatusCode.INTERNAL)
    if not isinstance(error, RequestError | NotFoundError | NotReadyError):
        log.error("%s: %s", name, error)
    return code, str(error)
