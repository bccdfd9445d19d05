"""The last step of the demo: a server, and three requests to it."""

from __future__ import annotations

import json
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import typer

from shortlist.core.errors import ShortlistError

_PATIENCE = 60.0
"""Seconds that the server may take to be ready."""
Ask = tuple[str, str, dict[str, Any]]
"""What a request is about, its path and its body."""


def serve_until_stopped(folder: Path, port: int, user: str, item: str) -> None:
    """Serve in the foreground and print the URL and three requests to paste."""
    with _server(folder, port) as (url, process):
        typer.secho(f"\nServing at {url} (its API: {url}/docs). Try:", bold=True)
        for about, path, body in _requests(user, item):
            typer.echo(f"\n# {about}\n{_curl(url + path, body)}")
        typer.echo("\nCtrl-C stops it.")
        process.wait()


def serve_and_ask(folder: Path, port: int, user: str, item: str) -> None:
    """Serve for as long as it takes to answer the three requests, and print the answers."""
    with _server(folder, port) as (url, _):
        typer.secho(f"\nServing at {url}", bold=True)
        for about, path, body in _requests(user, item):
            typer.echo(f"\n# {about}\n{_curl(url + path, body)}")
            typer.echo(json.dumps(_post(url + path, body), ensure_ascii=False, indent=2))
    typer.echo("\nThe server has stopped.")


def _requests(user: str, item: str) -> list[Ask]:
    return [
        ("what a known user may like", "/v1/recommend", {"user": user, "k": 3}),
        (
            "somebody new who reads Japanese and has little to spend",
            "/v1/recommend",
            {"k": 3, "where": 'language == "ja" and price < 50'},
        ),
        ("what is like a listing", "/v1/similar", {"item": item, "k": 3}),
    ]


def _curl(url: str, body: dict[str, Any]) -> str:
    text = shlex.quote(json.dumps(body))
    return f"curl -s {url} -H 'content-type: application/json' -d {text}"


def _post(url: str, body: dict[str, Any]) -> Any:
    request = Request(
        url, json.dumps(body).encode(), {"content-type": "application/json"}, method="POST"
    )
    with urlopen(request, timeout=10) as answer:
        return json.load(answer)


@contextmanager
def _server(folder: Path, port: int) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A ready server in a process of its own, stopped when the block ends."""
    port = _free(port)
    arguments = ["serve", "--port", str(port), str(folder)]
    typer.secho(f"\n$ {shlex.join(['shortlist', *arguments])}", fg="cyan", bold=True)
    code = "from shortlist.cli import main; main()"
    process = subprocess.Popen([sys.executable, "-c", code, *arguments])
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, process)
        yield url, process
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < until:
        try:
            with urlopen(f"{url}/readyz", timeout=5):
                return
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise ShortlistError(
        f"the server was not ready after {_PATIENCE:.0f} s."
        if process.poll() is None
        else f"the server stopped with status {process.returncode}.",
        remedy="What it printed above says why.",
    )


def _free(port: int) -> int:
    """The port if nothing listens on it, else one that is free."""
    for candidate in (port, 0):
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            chosen: int = probe.getsockname()[1]
            return chosen
    raise ShortlistError("no port is free on 127.0.0.1.", remedy="Stop a server and try again.")
