"""Features of an existing Feast repository, against a server that speaks as `feast serve` does.

Its answers have the shape that Feast 0.67 gives; `check_feast_source.py` runs the real one.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest

from shortlist.config.feast import FeastSection
from shortlist.core.errors import DataError, StoreError
from shortlist.features.contract import View
from shortlist.features.feast_history import history_of
from shortlist.features.remote import PAUSE, Feast, Remote

ITEMS = {"a": {"items__quality": 0.75, "items__sold": 3}, "b": {"items__quality": 0.25}}
USERS = {"ann": {"users__age": 41}}


class Handler(BaseHTTPRequestHandler):
    """`POST /get-online-features`: columns by name, in an order of its own."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        server: FeatureServer = self.server  # type: ignore[assignment]
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        assert self.path == "/feast/get-online-features"
        assert self.headers["content-type"] == "application/json"
        server.asked.append(asked)
        server.answering.wait(5)
        status, body = server.status, server.told(asked)
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        with suppress(BrokenPipeError):  # the one who asked has given up
            self.wfile.write(body)
        if server.closes:
            self.close_connection = True

    def log_message(self, *args: object) -> None:
        """Nothing."""


class FeatureServer(ThreadingHTTPServer):
    """What it holds, and how it behaves."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[dict] = []
        self.answering = Event()
        self.answering.set()
        self.status, self.broken, self.closes = 200, b"", False
        self.values: dict[str, dict[str, dict[str, object]]] = {"item_id": ITEMS, "user_id": USERS}

    def told(self, asked: dict) -> bytes:
        if self.broken:
            return self.broken
        assert asked["full_feature_names"] is True
        ((key, ids),) = asked["entities"].items()
        names = sorted(ref.replace(":", "__") for ref in asked["features"])
        columns = [{"values": ids, "statuses": ["PRESENT"] * len(ids), "event_timestamps": []}]
        for name in names:
            found = [self.values[key].get(id, {}).get(name) for id in ids]
            statuses = ["NOT_FOUND" if value is None else "PRESENT" for value in found]
            columns.append({"values": found, "statuses": statuses, "event_timestamps": []})
        told = {"metadata": {"feature_names": [key, *names]}, "results": columns}
        return json.dumps(told).encode()

    def section(self, timeout: float = 2.0) -> FeastSection:
        url = f"http://127.0.0.1:{self.server_port}/feast/"
        return FeastSection(url=url, repository=".", timeout=timeout)


@pytest.fixture
def server() -> Iterator[FeatureServer]:
    made = FeatureServer()
    Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield made
    made.answering.set()
    made.shutdown()
    made.server_close()


SOLD = Remote("sold", "items:sold", "item", default=-1.0)
QUALITY = Remote("quality", "items:quality", "item")
AGE = Remote("age", "users:age", "user")


def told(feast: Feast, *ids: str) -> dict[str, list[float]]:
    return {name: values.tolist() for name, values in feast.items(ids).items()}


def test_values_come_by_name_in_one_request_for_each_kind_of_entity(server: FeatureServer) -> None:
    feast = Feast([SOLD, AGE, QUALITY], server.section())
    found = feast.items(["a", "nobody", "b", "a"])
    np.testing.assert_array_equal(found["quality"], np.float32([0.75, np.nan, 0.25, 0.75]))
    np.testing.assert_array_equal(found["sold"], np.float32([3, np.nan, np.nan, 3]))
    assert server.asked[0]["features"] == ["items:sold", "items:quality"]
    assert server.asked[0]["entities"] == {"item_id": ["a", "nobody", "b"]}
    assert feast.users(["ann"])["age"].tolist() == [41]
    assert feast.users([""]) == {}
    assert len(server.asked) == 2


def test_what_feast_does_not_have_is_the_default() -> None:
    out = np.empty(3, np.float32)
    SOLD.online(view({"sold": np.float32([3, np.nan, 0])}), out)
    assert out.tolist() == [3, -1, 0]
    SOLD.online(view({}), out)
    assert out.tolist() == [-1, -1, -1]


def view(remote: dict[str, np.ndarray]) -> View:
    nothing = np.empty(0, np.int64)
    return View(
        now=0,
        rows=np.arange(3, dtype=np.int32),
        history_rows=nothing.astype(np.int32),
        history_times=nothing,
        scores={},
        ranks={},
        fused=np.zeros(3, np.float32),
        catalogue=None,  # type: ignore[arg-type]
        items={},
        remote=remote,
    )


def test_values_are_kept_for_as_long_as_the_freshest_feature_allows(server: FeatureServer) -> None:
    kept = Remote("quality", "items:quality", "item", keep=60.0)
    feast = Feast([kept], server.section())
    told(feast, "a", "nobody")
    np.testing.assert_array_equal(told(feast, "nobody", "b", "a")["quality"], [np.nan, 0.25, 0.75])
    assert [one["entities"]["item_id"] for one in server.asked] == [["a", "nobody"], ["b"]]
    hasty = Feast([kept, SOLD], server.section())
    told(hasty, "a")
    told(hasty, "a")
    assert len(server.asked) == 4


def test_a_server_that_closes_its_connections_is_asked_over_a_new_one(
    server: FeatureServer,
) -> None:
    server.closes = True
    feast = Feast([QUALITY], server.section())
    assert [told(feast, "a")["quality"] for _ in range(3)] == [[0.75]] * 3


@pytest.mark.parametrize(
    ("status", "broken", "said"),
    [
        (500, b'"Feature nope not found in projection items"', "it answers 500.*Feature nope"),
        (200, b"<html>", "its answer cannot be read"),
        (200, b'{"metadata": {"feature_names": []}, "results": []}', "its answer lacks 'items:"),
    ],
)
def test_an_answer_that_is_none_is_the_default_or_an_error(
    server: FeatureServer, caplog: pytest.LogCaptureFixture, status: int, broken: bytes, said: str
) -> None:
    server.status, server.broken = status, broken
    with caplog.at_level(logging.WARNING):
        assert told(Feast([QUALITY], server.section()), "a") == {}
    assert "features are their defaults" in caplog.text
    closed = Remote("quality", "items:quality", "item", closed=True)
    with pytest.raises(StoreError, match=f"'quality'.*{said}.*features.quality.missing"):
        Feast([SOLD, closed], server.section()).items(["a"])


def test_a_feature_that_is_no_number_says_so(server: FeatureServer) -> None:
    server.values["item_id"] = {"a": {"items__quality": "good"}}
    closed = Remote("quality", "items:quality", "item", closed=True)
    with pytest.raises(StoreError, match="'items:quality' of 'a' is 'good', no number"):
        Feast([closed], server.section()).items(["a"])


def test_a_server_that_is_silent_is_left_alone_for_a_while(server: FeatureServer) -> None:
    server.answering.clear()
    feast = Feast([QUALITY], server.section(timeout=0.05))
    assert told(feast, "a") == {}
    assert told(feast, "a") == {}
    assert len(server.asked) == 1
    server.answering.set()
    feast._fetch["item"]._silent_until -= PAUSE
    assert told(feast, "a") == {"quality": [0.75]}


def test_nobody_listening_is_an_error_that_names_the_address() -> None:
    section = FeastSection(url="http://127.0.0.1:9", repository=".")
    closed = Remote("quality", "items:quality", "item", closed=True)
    with pytest.raises(StoreError, match=r"http://127.0.0.1:9: .*Start `feast serve`"):
        Feast([closed], section).items(["a"])


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"repository": "nowhere"}, "there is no feature_store.yaml"),
        ({"python": "/nowhere/python"}, "'/nowhere/python' cannot be run"),
        ({"python": sys.executable + "x"}, "cannot be run"),
        ({}, "Feast did not give features of the past: .*pip install feast"),
    ],
)
def test_training_says_what_it_cannot_ask_of_the_past(
    tmp_path: Path, keys: dict[str, str], said: str
) -> None:
    (tmp_path / "feature_store.yaml").write_text("project: nothing\n")
    section = FeastSection(**{"url": "http://x", "repository": ".", **keys})
    with pytest.raises(DataError, match=said):
        history_of(
            [QUALITY],
            section,
            tmp_path,
            users=["ann"],
            times=np.array([10], np.int64),
            request=np.array([0]),
            item=np.array([0], np.int32),
            items=["a"],
        )
