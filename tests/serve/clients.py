"""What tests ask a server with."""

import time

from litestar import Litestar
from litestar.testing import TestClient

Client = TestClient[Litestar]


def until_ready(client: Client) -> None:
    """Wait until the release is open."""
    deadline = time.monotonic() + 60
    while client.get("/readyz").status_code != 200:
        assert time.monotonic() < deadline, client.get("/readyz").text
        time.sleep(0.02)
