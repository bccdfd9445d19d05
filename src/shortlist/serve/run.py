"""Starts a project's server: worker processes that share the memory-mapped files of one release."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from shortlist.config.load import load_config
from shortlist.core.errors import ConfigError, did_you_mean
from shortlist.release.manifest import read_manifest
from shortlist.release.publish import Releases
from shortlist.serve.application import Lifespan
from shortlist.serve.supervise import (
    answer,
    end_with_parent,
    reserved,
    supervise,
    surroundings,
)


def serve(
    folder: Path,
    host: str = "127.0.0.1",
    port: int = 8080,
    workers: int = 1,
    tensorflow_port: int | None = None,
    grpc_port: int | None = None,
) -> None:
    """Answer requests over HTTP, and gRPC where a port for it is given, until a signal ends it.

    A worker that dies is started again. Each worker computes on one core, so as many workers as
    cores answer most.

    Args:
        folder: the project's folder.
        host: the address to listen at.
        port: the port to listen at.
        workers: how many processes.
        tensorflow_port: another port with the same routes, for clients of TensorFlow Serving;
            0 for none, None for `serve.tensorflow_port`.
        grpc_port: the port of the gRPC services; 0 for none, None for `serve.grpc_port`.

    Raises:
        ConfigError: the project's `shortlist.toml` is wrong, names an index that the release does
            not have, or gRPC is wanted and not installed.
        AddressError: an address is taken or not this machine's.
    """
    config = load_config(folder)
    _check_index(folder, config.serve.tensorflow_index)
    second = config.serve.tensorflow_port if tensorflow_port is None else tensorflow_port
    second = 0 if second == port else second  # its routes are there in any case
    third = config.serve.grpc_port if grpc_port is None else grpc_port
    plural = "" if workers == 1 else "s"
    address = f"http://{host}:{port}"
    also = f", models at http://{host}:{second}/v1/models" if second else ""
    also += f", gRPC at {host}:{third}" if third else ""
    text = f"{config.project.name} answers at {address} with {workers} worker{plural}{also}"
    ports = [number for number in (port, second) if number]
    every = {"port": port, "tensorflow_port": second, "grpc_port": third}
    with reserved(host, every), surroundings():
        print(f"{text}, see {address}/docs", file=sys.stderr, flush=True)
        supervise(worker, (folder.resolve(), host, ports, third), workers)


def worker(folder: Path, host: str, ports: list[int], grpc_port: int) -> None:
    """What each worker process does."""
    from shortlist.serve.app import app_of

    beside: list[Lifespan] = [end_with_parent]
    if grpc_port:
        from shortlist.serve.grpc.server import project_server

        beside.append(partial(project_server, host=host, port=grpc_port))
    answer(app_of(folder, *beside), host, ports)


def _check_index(folder: Path, name: str) -> None:
    """Check `serve.tensorflow_index` against the release that is going to answer, if there is one.

    Raises:
        ConfigError: that release has no vectors of the retriever.
    """
    releases = Releases(folder / ".shortlist" / "releases")
    current = releases.current()
    if not name or current is None:
        return
    indexes = read_manifest(releases.current_path()).indexes
    if name not in indexes:
        raise ConfigError(
            f"{name!r} has no vectors in the release {current}.",
            remedy=did_you_mean(name, indexes) or "Leave it out: no retriever there has any.",
            where="serve.tensorflow_index",
        )
