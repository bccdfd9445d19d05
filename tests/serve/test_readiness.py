import socket
from pathlib import Path

import pytest
from clients import until_ready
from litestar.testing import TestClient

from shortlist.online.engine import Engine
from shortlist.serve.app import create_app
from shortlist.serve.errors import AddressError
from shortlist.serve.run import serve
from shortlist.testing import shop


def test_an_address_that_is_taken_is_an_error_that_names_it(folder: Path) -> None:
    (folder / "shortlist.toml").write_text(shop.CONFIG)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(AddressError, match=f"127.0.0.1:{port} .*in use.*another"):
            serve(folder, "127.0.0.1", port)


def test_a_server_without_a_release_lives_says_so_and_serves_the_first_one(tmp_path: Path) -> None:
    config = shop.config("[serve]\nreload_seconds = 0.05")
    with TestClient(create_app(config, tmp_path, lambda: Engine.open(config, tmp_path))) as client:
        assert client.get("/healthz").json()["status"] == "ok"
        for answer in (client.get("/readyz"), client.post("/v1/recommend", json={})):
            assert answer.status_code == 503
            assert "no release is open yet" in answer.json()["error"]["problem"]
        published = shop.publish(tmp_path)
        until_ready(client)
        assert client.post("/v1/recommend", json={}).json()["release"] == published
