"""Starts the server: worker processes that share the memory-mapped files of one release."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing.context import SpawnProcess
from pathlib import Path
from socket import SOCK_STREAM
from tempfile import TemporaryDirectory
from threading import Event

import uvicorn
from litestar import Litestar
from uvicorn.config import STARTUP_FAILURE

from shortlist.config.load import load_config
from shortlist.serve.errors import AddressError

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
    _check_address(host, port)
    plural = "" if workers == 1 else "s"
    address = f"http://{host}:{port}"
    text = f"{name} answers at {address} with {workers} worker{plural}, see {address}/docs"
    print(text, file=sys.stderr, flush=True)
    with TemporaryDirectory(prefix="shortlist-metrics-") as metrics:
        os.environ |= {PARENT: str(os.getpid()), "PROMETHEUS_MULTIPROC_DIR": metrics}
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        _supervise(folder.resolve(), host, port, workers)


def _supervise(folder: Path, host: str, port: int, workers: int) -> None:
    """Keep worker processes running until a signal asks to stop."""
    stopping = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    # a forked worker would inherit what this process has imported, and threads' locks with it
    context = multiprocessing.get_context("spawn")

    def start() -> SpawnProcess:
        process = context.Process(target=worker, args=(folder, host, port))
        process.start()
        return process

    running = [start() for _ in range(workers)]
    while not stopping.wait(0.3):
        for place, process in enumerate(running):
            if process.exitcode == STARTUP_FAILURE:
                stopping.set()  # it would fail the same way again; it has said why
            elif process.exitcode is not None:
                running[place] = start()
    for process in running:
        process.terminate()
    for process in running:
        process.join()


def worker(folder: Path, host: str, port: int) -> None:
    """Answer requests in this process, one of several at the same address.

    Each worker listens at a socket of its own, among which the kernel spreads connections evenly
    (`SO_REUSEPORT`; of one shared socket an idle worker would take most). The socket only joins
    when the release is open, and is gone with the worker: nobody waits for one that is not there.
    """
    from shortlist.serve.app import app_of

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    settings = uvicorn.Config(
        app_of(folder, _end_with_parent),
        loop="uvloop",
        http="httptools",
        lifespan="on",
        access_log=False,
        log_level="warning",
        backlog=BACKLOG,
    )
    uvicorn.Server(settings).run(sockets=[_socket(host, port, reuse=True)])


def _socket(host: str, port: int, *, reuse: bool) -> socket.socket:
    """A bound socket; with `reuse` beside others of this server."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=SOCK_STREAM)[0]
    bound = socket.socket(family, kind, protocol)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if reuse:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind(address)
    return bound


def _check_address(host: str, port: int) -> None:
    """Fail where another server listens already, which ours could otherwise share the port with."""
    try:
        _socket(host, port, reuse=False).close()
    except OSError as error:
        raise AddressError(
            f"the server cannot listen at {host}:{port} ({error.strerror}).",
            remedy="Choose another address or port, or stop what listens there.",
            where="port",
        ) from error


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
