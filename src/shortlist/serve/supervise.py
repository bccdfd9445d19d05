"""Worker processes that answer at the same addresses, kept running until a signal."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from importlib.util import find_spec
from multiprocessing.context import SpawnProcess
from socket import SOCK_STREAM
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any

import uvicorn
from litestar import Litestar
from uvicorn.config import STARTUP_FAILURE

from shortlist.core.errors import ConfigError
from shortlist.serve.errors import AddressError

PARENT = "SHORTLIST_PARENT"
BACKLOG = 2048
"""Connections that may wait to be accepted."""


@contextmanager
def surroundings() -> Iterator[None]:
    """What workers find in their environment: who started them, and where metrics are shared."""
    with TemporaryDirectory(prefix="shortlist-metrics-") as metrics:
        os.environ |= {PARENT: str(os.getpid()), "PROMETHEUS_MULTIPROC_DIR": metrics}
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        yield


def supervise(work: Callable[..., None], arguments: Sequence[Any], workers: int) -> None:
    """Keep worker processes running until a signal asks to stop.

    A worker that dies is started again, unless it failed to start.

    Args:
        work: what a worker does; importable by a fresh interpreter.
        arguments: its arguments.
        workers: how many processes.
    """
    stopping = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    # a forked worker would inherit what this process has imported, and threads' locks with it
    context = multiprocessing.get_context("spawn")

    def start() -> SpawnProcess:
        process = context.Process(target=work, args=tuple(arguments))
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


def answer(app: Litestar, host: str, ports: Sequence[int]) -> None:
    """Answer requests in this process, one of several at the same addresses.

    Each worker listens at sockets of its own, among which the kernel spreads connections evenly
    (`SO_REUSEPORT`; of one shared socket an idle worker would take most). A socket only joins
    when the application has started, and is gone with the worker: nobody waits for one that is
    not there.
    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    # It reports every instruction set that it was not built for as a failure to load.
    logging.getLogger("faiss.loader").setLevel(logging.WARNING)
    settings = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        access_log=False,
        log_level="warning",
        backlog=BACKLOG,
    )
    sockets = [_socket(host, port, reuse=True) for port in ports]
    uvicorn.Server(settings).run(sockets=sockets)


@contextmanager
def reserved(host: str, ports: Mapping[str, int]) -> Iterator[None]:
    """Keep addresses for the workers of this server; see `check_addresses`.

    Workers take some seconds to start. A server that is started meanwhile at the same address
    would share it and get a part of the requests: it is refused.
    """
    check_addresses(host, ports)
    with ExitStack() as held:
        for port in ports.values():
            # Without SO_REUSEADDR: Linux lets two sockets that have it and do not listen be bound.
            with suppress(OSError):  # connections of a server that has just ended
                if port:
                    held.enter_context(_socket(host, port, reuse=True, share=False))
        yield


def check_addresses(host: str, ports: Mapping[str, int]) -> None:
    """Fail where a server could not listen, before any worker starts.

    A socket that another server listens at could otherwise be shared with it.

    Args:
        host: the address.
        ports: by the name of the setting; 0 for none. `grpc_port` needs gRPC installed.

    Raises:
        AddressError: an address is taken, not this machine's, or wanted twice; names the setting.
        ConfigError: gRPC is wanted and not installed.
    """
    seen: dict[int, str] = {}
    for where, port in ports.items():
        if port in seen:
            raise AddressError(
                f"{port} is the {seen[port]} already.", remedy="Choose another.", where=where
            )
        if port:
            seen[port] = where
            _try(host, port, where)
    if ports.get("grpc_port") and find_spec("grpc_reflection") is None:
        raise ConfigError(
            "gRPC is not installed.", remedy="Install shortlist[grpc].", where="grpc_port"
        )


def _try(host: str, port: int, where: str) -> None:
    try:
        _socket(host, port, reuse=False).close()
    except OSError as error:
        raise AddressError(
            f"the server cannot listen at {host}:{port} ({error.strerror}).",
            remedy="Choose another address or port, or stop what listens there.",
            where=where,
        ) from error


def _socket(host: str, port: int, *, reuse: bool, share: bool = True) -> socket.socket:
    """A bound socket; with `reuse` beside others of this server, with `share` after others'."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=SOCK_STREAM)[0]
    bound = socket.socket(family, kind, protocol)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(share))
    if reuse:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind(address)
    return bound


@asynccontextmanager
async def end_with_parent(app: Litestar) -> AsyncIterator[None]:
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
