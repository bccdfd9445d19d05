"""A project whose words lie in Milvus: trained, published, served, searched, by a real server."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from clients import Client, free_port, until_ready
from litestar.testing import TestClient

from shortlist.core.errors import ShortlistError
from shortlist.project import Project
from shortlist.serve.app import create_app

CONFIG = """
[project]
name = "kitchen"
[data.events]
path = "events.csv"
kind = ""
[data.items]
path = "items.csv"
text = ["title", "about"]
attributes = ["category"]
category = "category"
[prepare]
holdout = "1d"
[retrievers.popular]
[ranker]
kind = "none"
[search]
backend = "http://127.0.0.1:{port}"
"""
ITEMS = """item_id,title,about,category
pan,Cast iron frying pan,Sears meat on any stove,pans
wok,Carbon steel wok,A pan for stir frying,pans
kettle,Electric kettle,Boils water for tea,electric
bread,Bread knife,Cuts bread and cakes,knives
"""


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Milvus Lite, serving."""
    folder, port = tmp_path_factory.mktemp("milvus"), free_port()
    options = ["--data-dir", folder / "data", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "milvus_lite", "server", *options], stdout=log, stderr=log
        )
    try:
        for _ in range(1_200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port
    finally:
        server.terminate()
        server.wait()


def folder_of(home: Path, port: int) -> Path:
    """A project's folder, with its data."""
    (home / "shortlist.toml").write_text(CONFIG.format(port=port))
    (home / "items.csv").write_text(ITEMS)
    bought = [f"u{n},{id},2026-01-{1 + n:02}" for n in range(20) for id in ("pan", "wok", "bread")]
    (home / "events.csv").write_text("\n".join(["user_id,item_id,timestamp", *bought]))
    return home


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Client]:
    folder = folder_of(tmp_path_factory.mktemp("project"), port)
    project = Project(folder)
    project.train()
    with TestClient(create_app(project.config, folder, project.open)) as client:
        until_ready(client)
        yield client


def ids(client: Client, query: str, **more: object) -> list[str]:
    answer = client.post("/v1/search", json={"query": query, **more})
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


def test_what_training_wrote_into_milvus_is_found_by_the_server(client: Client) -> None:
    assert ids(client, "frying pans") == ["pan", "wok"]
    assert ids(client, "electric ketle") == ["kettle"]
    assert ids(client, '"bread knife"') == ["bread"]
    assert ids(client, "ket", unfinished=True) == ["kettle"]


def test_filters_facets_and_explanations_hold_there_too(client: Client) -> None:
    assert ids(client, "pan bread", where='category == "knives"') == ["bread"]
    told = client.post(
        "/v1/search", json={"query": "pan", "facets": ["category"], "explain": True}
    ).json()
    assert told["facets"] == {"category": {"pans": 2}}
    assert told["items"][0]["explain"]["sources"]["lexical"] == 1


def test_an_address_where_nobody_answers_stops_training_and_is_named(tmp_path: Path) -> None:
    nobody = free_port()
    with pytest.raises(ShortlistError) as refused:
        Project(folder_of(tmp_path, nobody)).train()
    assert f"127.0.0.1:{nobody}" in str(refused.value)
