"""The vector server over HTTP."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from clients import Client, Server
from litestar.testing import TestClient

from shortlist.serve.vectors.run import vectors_app
from shortlist.stores.vectors import StoreSchema, VectorField, open_vectors

SCHEMA = StoreSchema(
    (VectorField("vector", 4, "dot"),), {"lang": "keyword", "year": "integer", "tags": "keywords"}
)
AXES = np.eye(4, dtype=np.float32)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of four records, one on each axis."""
    path = tmp_path / "store"
    opened = open_vectors(path, SCHEMA)
    opened.upsert(
        ["a", "b", "c", "d"],
        {"vector": AXES},
        {"lang": ["ko", "en", "ko", None], "year": [2001, 2002, 2003, 2004]},
    )
    opened.close()
    return path


@pytest.fixture
def client(store: Path) -> Iterator[Client]:
    with TestClient(vectors_app(str(store))) as client:
        yield client


def ids(answer: Any, query: int = 0) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [hit["id"] for hit in answer.json()["results"][query]["hits"]]


def test_the_nearest_come_first_with_the_attributes_asked_for(client: Client) -> None:
    body = {"vector": [0, 3, 2, 1], "k": 2, "attributes": ["year"]}
    assert client.post("/v1/search", json=body).json() == {
        "results": [
            {
                "hits": [
                    {"id": "b", "score": 3.0, "attributes": {"year": 2002}},
                    {"id": "c", "score": 2.0, "attributes": {"year": 2003}},
                ]
            }
        ]
    }


def test_several_queries_and_a_filter(client: Client) -> None:
    body = {"vectors": AXES.tolist(), "k": 1, "where": 'lang == "ko"'}
    answer = client.post("/v1/search", json=body)
    assert [ids(answer, query)[0] for query in (0, 2)] == ["a", "c"]
    assert client.post("/v1/count", json={"where": 'lang == "ko"'}).json() == {"count": 2}


def test_a_record_that_is_written_is_found_read_and_gone_again(client: Client) -> None:
    body = {"vector": [9, 9, 9, 9], "attributes": {"lang": "fr", "tags": ["x", "y"]}}
    assert client.put("/v1/records/new", json=body).json() == {"written": 1}
    assert ids(client.post("/v1/search", json={"vector": [1, 0, 0, 0], "k": 1})) == ["new"]
    assert client.get("/v1/records/new").json() == {
        "id": "new",
        "vectors": {"vector": [9.0, 9.0, 9.0, 9.0]},
        "attributes": {"lang": "fr", "year": None, "tags": ["x", "y"]},
        "content": "",
    }
    assert client.delete("/v1/records/new").json() == {"deleted": 1}
    assert client.get("/v1/records/new").status_code == 404
    assert client.delete("/v1/records/new").status_code == 404
    assert ids(client.post("/v1/search", json={"vector": [1, 0, 0, 0], "k": 1})) == ["a"]


@pytest.mark.parametrize("id", ["a/b", "한국어", "50%2F", "a b?c#d"])
def test_any_id_can_be_named_in_a_path(client: Client, id: str) -> None:
    path = f"/v1/records/{quote(id, safe='')}"
    client.put(path, json={"vector": [1, 2, 3, 4]})
    assert client.get(path).json()["id"] == id
    assert client.post("/v1/get", json={"ids": [id], "fields": []}).json()["records"][0]["id"] == id


def test_records_are_written_read_and_deleted_in_bulk(client: Client) -> None:
    records = [{"id": f"n{i}", "vector": [i, 0, 0, 0], "content": f"h{i}"} for i in range(50)]
    assert client.post("/v1/upsert", json={"records": records}).json() == {"written": 50}
    found = client.post("/v1/get", json={"ids": ["n7", "nobody", "n3"]}).json()
    assert [record["id"] for record in found["records"]] == ["n7", "n3"]
    assert [record["content"] for record in found["records"]] == ["h7", "h3"]
    assert found["missing"] == ["nobody"]
    assert client.post("/v1/delete", json={"ids": ["n7", "nobody"]}).json() == {"deleted": 1}
    assert client.post("/v1/count", json={}).json() == {"count": 53}


@pytest.mark.parametrize(
    ("path", "body", "field", "says"),
    [
        ("search", "{", "", "truncated"),
        ("search", "{}", "vector", "either one query or several"),
        ("search", '{"vector": [1, 2]}', "vector", "2 numbers, and the field 'vector' has 4"),
        ("search", '{"vectors": [[1, 2, 3, 4], [1]]}', "vectors[1]", "1 numbers"),
        ("search", '{"vectors": []}', "vectors", "no query"),
        ("search", '{"vector": [1, 2, 3, "x"]}', "vector", "Expected `float`, got `str`"),
        ("search", '{"vector": [1, 2, 3, NaN]}', "", "malformed"),
        ("search", '{"vector": [1, 2, 3, 1e39]}', "vector", "inf"),
        ("search", '{"vector": [1, 2, 3, 4], "k": 0}', "k", "0"),
        ("search", '{"vector": [1, 2, 3, 4], "where": "year <"}', "where", "the expression ended"),
        ("search", '{"vector": [1, 2, 3, 4], "where": "yeer < 1"}', "where", "Did you mean 'year'"),
        ("search", '{"vector": [1, 2, 3, 4], "field": "v"}', "field", "no vector field 'v'"),
        ("search", '{"vector": [1, 2, 3, 4], "encoder": "v2"}', "encoder", "'v2'"),
        ("search", '{"vektor": [1]}', "vektor", "Did you mean 'vector'"),
        ("upsert", '{"records": [{"vector": [1]}]}', "id", "required"),
        ("upsert", '{"records": [{"id": "x"}]}', "records[0].vectors.vector", "no vector"),
        ("upsert", '{"records": [{"id": "x", "vector": [1]}]}', "records[0]", "has 1 numbers"),
        ("upsert", '{"records": [{"id": "", "vector": [1, 2, 3, 4]}]}', "ids", "one character"),
        ("upsert", '{"records": [{"id": "x", "vectors": {"v": [1]}}]}', "vectors", "'v' is not"),
        (
            "upsert",
            '{"records": [{"id": "x", "vector": [1, 2, 3, 4], "attributes": {"yeer": 1}}]}',
            "attributes",
            "Did you mean 'year'",
        ),
        (
            "upsert",
            '{"records": [{"id": "x", "vector": [1, 2, 3, 4], "attributes": {"year": "x"}}]}',
            "attributes.year",
            "integer",
        ),
        ("get", '{"ids": ["a", 1]}', "ids", "Expected `str`, got `int`"),
    ],
)
def test_bad_input_is_told_by_its_field(
    client: Client, path: str, body: str, field: str, says: str
) -> None:
    answer = client.post(f"/v1/{path}", content=body)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert field in error["field"]
    assert says in f"{error['problem']} {error['remedy']}"


def test_a_write_with_one_bad_record_changes_nothing(client: Client) -> None:
    records = [{"id": "x", "vector": [1, 2, 3, 4]}, {"id": "y", "vector": [1, 2, 3, 1e39]}]
    assert client.post("/v1/upsert", json={"records": records}).status_code == 400
    assert client.get("/v1/records/x").status_code == 404


def test_too_much_at_once_is_refused(client: Client) -> None:
    answer = client.post("/v1/get", json={"ids": ["a"] * 10_001})
    assert answer.json()["error"]["problem"] == "10,001 are too many."


def test_a_body_that_is_too_large_is_refused(client: Client) -> None:
    answer = client.post("/v1/search", content=b" " * (65 << 20))
    assert answer.status_code == 413
    assert "Request Entity Too Large" in answer.json()["error"]["problem"]


def test_it_describes_itself_and_its_store(client: Client) -> None:
    told = client.get("/v1/info").json()
    assert told["fields"] == [{"name": "vector", "dim": 4, "metric": "dot", "encoder": ""}]
    assert told["attributes"] == {"lang": "keyword", "year": "integer", "tags": "keywords"}
    assert (told["count"], told["problems"]) == (4, [])
    assert client.get("/readyz").json()["status"] == "ready"
    assert "/v1/search" in client.get("/docs/openapi.json").json()["paths"]
    assert 'route="/v1/info",status="200"} 1.0' in client.get("/metrics").text


def test_what_one_worker_acknowledges_all_find_and_a_killed_one_loses_nothing(store: Path) -> None:
    server = Server("vectors", "serve", str(store), "--workers", "2")
    try:
        for i in range(20):  # each connection reaches any of the workers
            body = {"vector": [10 + i, 0, 0, 0]}
            assert server.ask("PUT", f"/v1/records/n{i}", body)[0] == 200
            found = server.ask("POST", "/v1/search", {"vector": [1, 0, 0, 0], "k": 1})[1]
            assert found["results"][0]["hits"][0]["id"] == f"n{i}"
        os.kill(server.workers()[0], signal.SIGKILL)
        server.wait_until(
            lambda: server.ask("GET", "/readyz")[0] == 200 and len(server.workers()) == 2
        )
        assert server.ask("POST", "/v1/count", {})[1] == {"count": 24}
    finally:
        said = server.stop()
    assert "vectors answer at" in said
    assert "Traceback" not in said
