"""Starts the vector server: worker processes over one store."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from litestar import Litestar

from shortlist.serve.application import Lifespan, application
from shortlist.serve.supervise import (
    answer,
    end_with_parent,
    reserved,
    supervise,
    surroundings,
)
from shortlist.serve.vectors.routes import vector_routes
from shortlist.serve.vectors.service import VectorService
from shortlist.stores.vectors import open_vectors


def serve_vectors(
    at: str,
    host: str = "127.0.0.1",
    port: int = 8090,
    workers: int = 1,
    grpc_port: int = 0,
) -> None:
    """Answer requests to a vector store over HTTP, and gRPC with a port for it, until a signal.

    Args:
        at: a store's folder or URL; see `open_vectors`.
        host: the address to listen at.
        port: the port of HTTP.
        workers: how many processes; what one writes, the others find.
        grpc_port: the port of gRPC; 0 for none.

    Raises:
        ConfigError: there is no store, or gRPC is wanted and not installed.
        StoreError: the store cannot be opened.
        AddressError: an address is taken or not this machine's.
    """
    at = at if "://" in at else str(Path(at).resolve())
    plural = "" if workers == 1 else "s"
    address = f"http://{host}:{port}"
    also = f", gRPC at {host}:{grpc_port}" if grpc_port else ""
    text = f"vectors answer at {address} with {workers} worker{plural}{also}, see {address}/docs"
    with reserved(host, {"port": port, "grpc_port": grpc_port}), surroundings():
        open_vectors(at).close()
        print(text, file=sys.stderr, flush=True)
        supervise(worker, (at, host, port, grpc_port), workers)


def vectors_app(at: str, *beside: Lifespan) -> Litestar:
    """The application over a store; `beside` runs while it does."""
    service = VectorService(lambda: open_vectors(at))
    return application(vector_routes(service), "vectors", service, *beside)


def worker(at: str, host: str, port: int, grpc_port: int) -> None:
    """What each worker process does."""
    beside: list[Lifespan] = [end_with_parent]
    if grpc_port:
        from shortlist.serve.grpc.server import vector_server

        beside.append(partial(vector_server, host=host, port=grpc_port))
    answer(vectors_app(at, *beside), host, [port])
