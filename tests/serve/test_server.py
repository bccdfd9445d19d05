"""The real server: two workers in processes of their own."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from shortlist.testing import shop

PROGRAM = (
    "import sys; from pathlib import Path; from shortlist.serve.run import serve; "
    "serve(Path(sys.argv[1]), port=int(sys.argv[2]), workers=2)"
)
PATIENCE = 60


class Server:
    """A started server and how to ask it."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder = folder
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(self.folder), str(self.port)],
            stderr=subprocess.PIPE,
            text=True,
        )
        self.wait_until(lambda: self.ask("GET", "/readyz")[0] == 200)

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException):
            return 0, None
        finally:
            connection.close()

    def recommend(self, user: str, k: int = 60) -> list[str]:
        status, answer = self.ask("POST", "/v1/recommend", {"user": user, "k": k})
        assert status == 200, answer
        return [item["id"] for item in answer["items"]]

    def workers(self) -> list[int]:
        """The living workers; spawned processes, unlike multiprocessing's resource tracker."""
        found = []
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.Error):  # gone, or dead and not yet waited for
                if any("spawn_main" in part for part in child.cmdline()):
                    found.append(child.pid)
        return found

    @staticmethod
    def wait_until(met: Any) -> None:
        deadline = time.monotonic() + PATIENCE
        while not met():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> str:
        self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=PATIENCE)
        return said


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "shortlist.toml").write_text(shop.CONFIG + "[serve]\nreload_seconds = 0.1\n")
    shop.publish(tmp_path)
    server = Server(tmp_path)
    yield server
    if server.process.poll() is None:
        server.stop()


def post(server: Server, user: str, item: str) -> None:
    body = {"user": user, "item": item, "kind": "view"}
    assert server.ask("POST", "/v1/events", body) == (202, {"accepted": 1})


def test_a_server_through_a_day(server: Server) -> None:
    # an event posted to one worker is in the next answer of any
    for row in range(20):
        post(server, "ann", f"books-{40 + row}")
        assert f"books-{40 + row}" not in server.recommend("ann")

    # a new release is picked up under load without dropping a request
    statuses: list[int] = []
    releases: set[str] = set()
    done = threading.Event()

    def load() -> None:
        while not done.is_set():
            status, answer = server.ask("POST", "/v1/recommend", {"user": "ann", "k": 5})
            statuses.append(status)
            releases.add(answer["release"])

    loading = [threading.Thread(target=load) for _ in range(4)]
    for thread in loading:
        thread.start()
    published = shop.publish(server.folder)
    server.wait_until(lambda: published in releases)
    time.sleep(0.5)
    releases.clear()
    time.sleep(0.3)
    done.set()
    for thread in loading:
        thread.join()
    assert set(statuses) == {200}
    assert releases == {published}

    # an item hidden through one worker is hidden in all
    assert server.ask("DELETE", "/v1/items/fruit-0")[0] == 200
    assert all("fruit-0" not in server.recommend("nobody") for _ in range(10))

    # a worker that is killed is replaced, and what was acknowledged is kept
    post(server, "bob", "tools-20")
    os.kill(server.workers()[0], signal.SIGKILL)
    server.wait_until(lambda: server.ask("GET", "/readyz")[0] == 200 and len(server.workers()) == 2)
    assert "tools-20" not in server.recommend("bob")

    # so it is when the whole server is killed; its workers end, and it can be started again
    orphans = server.workers()
    post(server, "cid", "tools-21")
    server.kill()
    server.wait_until(lambda: not any(psutil.pid_exists(pid) for pid in orphans))
    server.start()
    assert "tools-21" not in server.recommend("cid")
    assert "fruit-0" not in server.recommend("nobody")
    inbox = (server.folder / ".shortlist" / "inbox").glob("*.jsonl")
    logged = [json.loads(line) for file in inbox for line in file.read_text().splitlines()]
    viewed = [(line["user"], line["item"]) for line in logged if line["kind"] == "view"]
    assert {("bob", "tools-20"), ("cid", "tools-21")} <= set(viewed)
    assert len(viewed) == 22

    said = server.stop()
    assert f"shop answers at http://127.0.0.1:{server.port} with 2 workers" in said
    assert "Traceback" not in said
