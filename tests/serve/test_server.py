"""The real server: two workers in processes of their own."""

import json
import os
import signal
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import grpc
import psutil
import pytest
from clients import Server, free_port

from shortlist.serve.grpc.recommender_pb2 import RecommendRequest
from shortlist.serve.grpc.recommender_pb2_grpc import RecommenderStub
from shortlist.testing import shop


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "shortlist.toml").write_text(shop.CONFIG + "[serve]\nreload_seconds = 0.1\n")
    shop.publish(tmp_path)
    server = Server("serve", str(tmp_path), "--workers", "2")
    yield server
    server.stop()


def recommend(server: Server, user: str, k: int = 60) -> list[str]:
    status, answer = server.ask("POST", "/v1/recommend", {"user": user, "k": k})
    assert status == 200, answer
    return [item["id"] for item in answer["items"]]


def post(server: Server, user: str, item: str) -> None:
    body = {"user": user, "item": item, "kind": "view"}
    assert server.ask("POST", "/v1/events", body) == (202, {"accepted": 1})


def test_a_server_through_a_day(server: Server, tmp_path: Path) -> None:
    # an event posted to one worker is in the next answer of any
    for row in range(20):
        post(server, "ann", f"books-{40 + row}")
        assert f"books-{40 + row}" not in recommend(server, "ann")

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
    published = shop.publish(tmp_path)
    server.wait_until(  # each connection reaches any of the workers
        lambda: all(server.ask("GET", "/readyz")[1]["release"] == published for _ in range(20))
    )
    answered = len(statuses)  # what is in flight may be of the release before
    server.wait_until(lambda: len(statuses) > answered + len(loading))
    releases.clear()
    server.wait_until(lambda: bool(releases))
    done.set()
    for thread in loading:
        thread.join()
    assert set(statuses) == {200}
    assert releases == {published}

    # an item hidden through one worker is hidden in all
    assert server.ask("DELETE", "/v1/items/fruit-0")[0] == 200
    assert all("fruit-0" not in recommend(server, "nobody") for _ in range(10))

    # a worker that is killed is replaced, and what was acknowledged is kept
    post(server, "bob", "tools-20")
    os.kill(server.workers()[0], signal.SIGKILL)
    server.wait_until(lambda: server.ask("GET", "/readyz")[0] == 200 and len(server.workers()) == 2)
    assert "tools-20" not in recommend(server, "bob")

    # so it is when the whole server is killed; its workers end, and it can be started again
    orphans = server.workers()
    post(server, "cid", "tools-21")
    server.kill()
    Server.wait_until(lambda: not any(psutil.pid_exists(pid) for pid in orphans))
    server.start()
    assert "tools-21" not in recommend(server, "cid")
    assert "fruit-0" not in recommend(server, "nobody")
    inbox = (tmp_path / ".shortlist" / "inbox").glob("*.jsonl")
    logged = [json.loads(line) for file in inbox for line in file.read_text().splitlines()]
    viewed = [(line["user"], line["item"]) for line in logged if line["kind"] == "view"]
    assert {("bob", "tools-20"), ("cid", "tools-21")} <= set(viewed)
    assert len(viewed) == 22

    said = server.stop()
    assert f"shop answers at http://127.0.0.1:{server.port} with 2 workers" in said
    assert "Traceback" not in said


def test_other_protocols_are_answered_on_their_own_ports(tmp_path: Path) -> None:
    (tmp_path / "shortlist.toml").write_text(shop.CONFIG)
    shop.publish(tmp_path)
    port, grpc_port = free_port(), free_port()
    ports = ["--tensorflow-port", str(port), "--grpc-port", str(grpc_port)]
    server = Server("serve", str(tmp_path), *ports)
    try:
        host = f"http://localhost:{port}"
        # clients of TensorFlow Serving work unchanged: the readiness probe
        with urllib.request.urlopen(f"{host}/v1/models/index") as answer:
            (status,) = json.load(answer)["model_version_status"]
        assert status["state"] == "AVAILABLE"
        # curl $host/v1/models/index/metadata
        with urllib.request.urlopen(f"{host}/v1/models/index/metadata") as answer:
            signature = json.load(answer)["metadata"]["signature_def"]["signature_def"]
        assert signature["serving_default"]["inputs"]["input_1"]["dtype"] == "DT_FLOAT"
        # curl -d '{"inputs": [0.5, …, 0.5]}' -X POST $host/v1/models/index:predict, which calls
        # its body a form
        body = json.dumps({"inputs": [0.5] * 8}).encode()
        with urllib.request.urlopen(f"{host}/v1/models/index:predict", data=body) as answer:
            outputs = json.load(answer)["outputs"]
        assert len(outputs["output_1"]) == 60
        assert sorted(outputs["output_2"]) == list(range(60))
        assert server.ask("GET", "/v1/models/index")[0] == 200  # the main port has them too
        # and so do those of gRPC
        with grpc.insecure_channel(f"localhost:{grpc_port}") as channel:
            answer = RecommenderStub(channel).Recommend(RecommendRequest(k=3))
        assert [item.id for item in answer.items] == ["fruit-0", "fruit-1", "fruit-2"]
    finally:
        said = server.stop()
    assert f"models at http://127.0.0.1:{port}/v1/models, gRPC at 127.0.0.1:{grpc_port}" in said
    assert "Traceback" not in said
