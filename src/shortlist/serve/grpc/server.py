"""The gRPC server of one worker, on the event loop that answers HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from litestar import Litestar

from shortlist.serve.application import MOST_BYTES
from shortlist.serve.errors import AddressError, NotReadyError
from shortlist.serve.grpc import recommender_pb2, vectors_pb2
from shortlist.serve.grpc.recommender import add_recommender
from shortlist.serve.grpc.vectors import add_vectors
from shortlist.serve.service import Service
from shortlist.serve.vectors.service import VectorService

GRACE = 10.0
"""Seconds that calls in flight may take when the server stops."""
LOOK = 0.2
OPTIONS = [
    ("grpc.so_reuseport", 1),  # each worker listens, and the kernel spreads connections
    ("grpc.max_receive_message_length", MOST_BYTES),
    ("grpc.max_send_message_length", -1),
]
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@asynccontextmanager
async def project_server(app: Litestar, host: str, port: int) -> AsyncIterator[None]:
    """Answer `Recommender` while the application of a project runs."""
    service: Service = app.state.service
    name = recommender_pb2.DESCRIPTOR.services_by_name["Recommender"].full_name

    def ready() -> bool:
        with suppress(NotReadyError):
            return bool(service.engine)
        return False

    add = partial(add_recommender, service)
    async with _serving(add, name, host, port, ready):
        yield


@asynccontextmanager
async def vector_server(app: Litestar, host: str, port: int) -> AsyncIterator[None]:
    """Answer `Vectors` while the application over a store runs."""
    service: VectorService = app.state.service
    name = vectors_pb2.DESCRIPTOR.services_by_name["Vectors"].full_name
    async with _serving(
        lambda server: add_vectors(service, server), name, host, port, lambda: True
    ):
        yield


@asynccontextmanager
async def _serving(
    add: Callable[[Any], None], name: str, host: str, port: int, ready: Callable[[], bool]
) -> AsyncIterator[None]:
    """A server with a service, its health and its description."""
    server = grpc.aio.server(options=OPTIONS)
    add(server)
    states = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(states, server)
    described = [name, health.SERVICE_NAME, reflection.SERVICE_NAME]
    reflection.enable_server_reflection(described, server)
    try:
        server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    except RuntimeError as error:
        raise AddressError(
            f"gRPC cannot listen at {host}:{port}.",
            remedy="Choose another address or port, or stop what listens there.",
            where="grpc_port",
        ) from error
    watching = asyncio.create_task(_watch(states, ["", name], ready))
    await server.start()
    try:
        yield
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        await states.enter_graceful_shutdown()
        await server.stop(GRACE)


async def _watch(states: Any, names: Sequence[str], ready: Callable[[], bool]) -> None:
    """Tell health: not serving until the first release is open, and serving from then on."""
    while True:
        for name in names:
            await states.set(name, SERVING if ready() else NOT_SERVING)
        if ready():
            return
        await asyncio.sleep(LOOK)
