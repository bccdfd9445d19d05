from collections.abc import Iterator
from pathlib import Path

import pytest
from clients import Client, until_ready
from litestar.testing import TestClient

from shortlist.online.engine import Engine
from shortlist.serve.app import create_app
from shortlist.testing import shop


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project folder with the shop published."""
    shop.publish(tmp_path)
    return tmp_path


@pytest.fixture
def client(folder: Path) -> Iterator[Client]:
    """A client of the shop, open and ready."""
    config = shop.config("[serve]\nreload_seconds = 0.05")
    with TestClient(create_app(config, folder, lambda: Engine.open(config, folder))) as client:
        until_ready(client)
        yield client
