"""What tests ask a server with."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psutil
from litestar import Litestar
from litestar.testing import TestClient

Client = TestClient[Litestar]
PROGRAM = "from shortlist.cli import main; main()"
PATIENCE = 60


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """A server started by a command line of `shortlist`, and how to ask it.

    Args:
        arguments: the command and its arguments; a port is added.
    """

    def __init__(self, *arguments: str) -> None:
        self.port = free_port()
        self.arguments = [*arguments, "--port", str(self.port)]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *self.arguments], stderr=subprocess.PIPE, text=True
        )
        try:
            self.wait_until(lambda: self.process.poll() is not None or self.is_ready())
            assert self.process.poll() is None
        except AssertionError:
            raise AssertionError(self.stop()) from None

    def is_ready(self) -> bool:
        return self.ask("GET", "/readyz")[0] == 200

    def ask(
        self, method: str, path: str, body: object = None, port: int | None = None
    ) -> tuple[int, Any]:
        """The status and the body of an answer; 0 where there is none."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=PATIENCE)
        try:
            content = body if body is None or isinstance(body, str) else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException):
            return 0, None
        finally:
            connection.close()

    def workers(self) -> list[int]:
        """The living workers; spawned processes, unlike multiprocessing's resource tracker."""
        found = []
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.Error):  # gone, or dead and not yet waited for
                if any("spawn_main" in part for part in child.cmdline()):
                    found.append(child.pid)
        return found

    @staticmethod
    def wait_until(met: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not met():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> str:
        """Stop it; what it said on stderr."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=PATIENCE)
        return said


def until_ready(client: Client) -> None:
    """Wait until the release is open."""
    deadline = time.monotonic() + 60
    while client.get("/readyz").status_code != 200:
        assert time.monotonic() < deadline, client.get("/readyz").text
        time.sleep(0.02)
