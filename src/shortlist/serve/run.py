"""Starts the server: worker processes that share the memory-mapped files of one release."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from socket import SOCK_STREAM
from tempfile import TemporaryDirectory

import uvicorn
from litestar import Litestar
from uvicorn.supervisors import Multiprocess

from shortlist.config.load import load_config
from shortlist.serve.errors import AddressError

PROJECT = "SHORTLIST_PROJECT"
PARENT = "SHORTLIST_PARENT"
BACKLOG = 2048
"""Connections that may wait to be accepted."""


def serve(folder: Path, host: str = "127.0.0.1", port: int = 8080, workers: int = 1) -> None:
    """Answer requests over HTTP until a signal ends it.

    A worker that dies is started again. Each worker computes on one core, so as many workers as
    cores answer most.

    Args:
        folder: the project's folder.
        host: the address to listen at.
        port: the port to listen at.
        workers: how many processes.

    Raises:
        ConfigError: the project's `shortlist.toml` is wrong.
        AddressError: the address is taken or not this machine's.
    """
    name = load_config(folder).project.name
    listening = _listen(host, port)
    settings = uvicorn.Config(
        "shortlist.serve.run:worker",
        factory=True,
        workers=workers,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        access_log=False,
        log_level="warning",
    )
    with listening, TemporaryDirectory(prefix="shortlist-metrics-") as metrics:
        os.environ |= {
            PROJECT: str(folder.resolve()),
            PARENT: str(os.getpid()),
            "PROMETHEUS_MULTIPROC_DIR": metrics,
        }
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        plural = "" if workers == 1 else "s"
        address = f"http://{host}:{port}"
        text = f"{name} answers at {address} with {workers} worker{plural}, see {address}/docs"
        print(text, file=sys.stderr, flush=True)
        # also one worker gets a process of its own, which is started again if it dies
        Multiprocess(settings, sockets=[listening]).run()


def _listen(host: str, port: int) -> socket.socket:
    """A socket that the workers will share; whichever is idle accepts a connection."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        raise AddressError(
            f"the server cannot listen at {host}:{port} ({error.strerror}).",
            remedy="Choose another address or port, or stop what listens there.",
            where="port",
        ) from error
    listening.set_inheritable(True)
    return listening


def worker() -> Litestar:
    """The application of a worker process; uvicorn calls it."""
    from shortlist.serve.app import app_of

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    return app_of(Path(os.environ[PROJECT]), _end_with_parent)


@asynccontextmanager
async def _end_with_parent(app: Litestar) -> AsyncIterator[None]:
    """End this worker when the server is killed, so that its port is free again."""
    parent = int(os.environ[PARENT])

    async def watch() -> None:
        while os.getppid() == parent:
            await asyncio.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
