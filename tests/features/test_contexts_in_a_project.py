"""Contexts of requests: trained, served over HTTP, counted live, logged, compared."""

import json
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from litestar.testing import TestClient

from shortlist.core.errors import RequestError
from shortlist.core.event import Event
from shortlist.core.request import Request
from shortlist.core.times import MINUTE
from shortlist.offline.data.prepared import Prepared
from shortlist.project import Project
from shortlist.serve.app import create_app
from shortlist.testing.marketplace import generate

SETTINGS = """
[project]
name = "test"
[data.events]
path = "events.parquet"
time = "timestamp"
kind = "event"
weights = {{ view = 1, like = 3, chat = 4, purchase = 5 }}
context = ["device", "surface"]
[data.items]
path = "{items}"
text = ["title"]
category = "category"
attributes = ["category", "price"]
[retrievers.popular]
[ranker]
trees = 5
requests = 150
[evaluate]
users = 10
[serve]
log_features = 1.0
[features.device]
value = "column"
of = "device"
by = ["context"]
default = -1.0
[features.on_ios]
value = "column"
of = "device"
by = ["context"]
equals = "ios"
default = -1.0
[features.surface_now]
by = ["context.surface"]
half_life = "1d"
[features.device_item]
by = ["item", "context.device"]
default = -1.0
[features.device_category_people]
value = "distinct"
of = "user"
by = ["context.device", "category"]
window = "30d"
[features.device_price]
value = "mean"
of = "price"
by = ["context.device"]
window = "9d"
[features.surface_item_last]
value = "last"
by = ["context.surface", "item"]
default = 999.0
[features.through]
value = "rate"
kinds = ["view"]
among = ["impression"]
prior = [1, 20]
by = ["item", "context.device"]
default = -1.0
"""
DECLARED = (
    "device",
    "on_ios",
    "surface_now",
    "device_item",
    "device_category_people",
    "device_price",
    "surface_item_last",
    "through",
)
VIEW, NOWHERE = ("view", {"device": "ios"}), ("view", {"os": "x"})
DEVICES, SURFACES = ["android", "ios", None], ["home", "search"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    world = generate(tmp_path_factory.mktemp("world"), users=100, items=80, days=10)
    home = tmp_path_factory.mktemp("project")
    (home / "shortlist.toml").write_text(SETTINGS.format(items=world.items))
    log = pq.read_table(world.events)
    rng = np.random.default_rng(3)
    for name, values in (("device", DEVICES), ("surface", SURFACES)):
        places = rng.integers(len(values), size=log.num_rows).tolist()
        log = log.append_column(name, pa.array([values[n] for n in places], pa.string()))
    pq.write_table(log, home / "events.parquet")
    project = Project(home)
    assert project.check().ok
    assert project.train().published
    return project


def ask(engine: Any, now: int, **context: str) -> Any:
    request = Request(user="nobody", k=80, explain=True, seen=True, now=now, context=context)
    return engine.answer([request])[0]


def told(answer: Any, item: str) -> dict[str, float]:
    return answer.explain[answer.ids.index(item)]["features"]


def test_a_release_knows_the_values_that_a_context_had(project: Project) -> None:
    manifest = project.releases.list()[0]
    assert tuple(manifest.features)[-len(DECLARED) :] == DECLARED
    assert "features/contexts.json" in manifest.files
    engine = project.open()
    now = Prepared.load(project.folder).watermark + MINUTE
    item = ask(engine, now).ids[0]
    try:
        ios, android, new, none = (
            told(ask(engine, now, **context), item)
            for context in ({"device": "ios"}, {"device": "android"}, {"device": "tv"}, {})
        )
        assert [one["device"] for one in (ios, android, new, none)] == [1, 0, -1, -1]
        assert [one["on_ios"] for one in (ios, android, new, none)] == [1, 0, 0, -1]
        # nobody has come by a television, and of who says nothing nothing is known
        assert [one["device_item"] for one in (new, none)] == [0, -1]
        assert [one["through"] for one in (new, none)] == [np.float32(1 / 20), -1]
        assert ios["device_item"] > 0
        assert {one["surface_now"] for one in (ios, none)} == {0}
    finally:
        engine.close()


def test_a_posted_event_counts_in_its_context_in_every_process(project: Project) -> None:
    one, other = project.open(), project.open()
    try:
        now = Prepared.load(project.folder).watermark + MINUTE
        item = ask(other, now).ids[0]
        before = {d: told(ask(other, now + 1, device=d), item) for d in ("ios", "android", "tv")}
        posted = [
            Event("somebody", item, now, "view", context={"device": "ios", "surface": "home"}),
            Event("somebody", item, now, "like", context={"device": "tv"}),
            Event("somebody", item, now, "impression", context={"device": "android"}),
            Event("somebody else", item, now, "view"),
        ]
        one.post(posted)
        after = {d: told(ask(other, now + 1, device=d), item) for d in before}
        moved = {d: after[d]["device_item"] - before[d]["device_item"] for d in before}
        assert moved == {"ios": 1, "android": 0, "tv": 1}
        assert after["android"]["through"] < before["android"]["through"]
        assert after["ios"]["through"] > before["ios"]["through"]
        seen = told(ask(other, now + 1, surface="home"), item)
        assert seen["surface_item_last"] == pytest.approx(1 / 86_400e6, rel=1e-3)
        ios = {"device": "ios"}
        shown = other.recommend("ann", k=1, context=ios)
        found = other.search(other.item(shown.ids[0])["title"], k=1, context=ios)
        for answer in (shown, found):
            rates = []
            for _ in range(2):
                known = other.recommend("", k=80, explain=True, context=ios)
                rates.append(told(known, answer.ids[0])["through"])
                one.log_impressions("ann", answer)
                one._notes.flush()
            assert rates[1] < rates[0]
    finally:
        one.close()
        other.close()


def test_a_context_that_is_not_declared_is_refused(project: Project) -> None:
    engine = project.open()
    try:
        with pytest.raises(RequestError, match=r"'devise' is no.*mean 'device'.* device, surface"):
            engine.recommend("ann", context={"devise": "ios"})
        with pytest.raises(RequestError, match=r"context.device: 3 is no.*Give text"):
            engine.search("anything", context={"device": 3})
        with pytest.raises(RequestError, match=r"events\[1\]\.context: 'os' is not a context"):
            engine.post([Event("a", "b", kind=k, context=c) for k, c in (VIEW, NOWHERE)])
    finally:
        engine.close()


def test_a_command_names_contexts_too(project: Project, capsys) -> None:
    from shortlist.cli.recommend import recommend

    recommend(user="ann", context=["device=ios", "surface=a=b"], json=True, folder=project.folder)
    assert json.loads(capsys.readouterr().out)
    with pytest.raises(RequestError, match="'device' gives no value"):
        recommend(context=["device"], folder=project.folder)


@pytest.fixture(scope="module")
def fresh(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The same project, to be changed. What it shows is only noted where it is posted: a server
    notes its own impressions within a second, which no replay can wait for."""
    home = tmp_path_factory.mktemp("fresh")
    text = (project.folder / "shortlist.toml").read_text()
    (home / "shortlist.toml").write_text(
        text.replace("[serve]", "[serve]\nlog_impressions = false")
    )
    (home / "events.parquet").write_bytes((project.folder / "events.parquet").read_bytes())
    fresh = Project(home)
    assert fresh.train().published
    return fresh


@pytest.fixture(scope="module")
def client(fresh: Project) -> Iterator[TestClient]:
    with TestClient(create_app(fresh.config, fresh.folder, fresh.open)) as client:
        deadline = time.monotonic() + 60
        while client.get("/readyz").status_code != 200:
            assert time.monotonic() < deadline, client.get("/readyz").text
            time.sleep(0.02)
        yield client


def test_the_server_refuses_contexts_that_are_none(client: TestClient) -> None:
    for context, said in (
        ({"devise": "ios"}, "'devise' is not a context of this project"),
        ({"device": 3}, "Expected `str`, got `int`"),
        ({"device": "x" * 1001}, "is no context"),
    ):
        asked = client.post("/v1/recommend", json={"context": context})
        assert asked.status_code == 400
        assert said in asked.json()["error"]["problem"]
        event = {"user": "u", "item": "i", "kind": "view", "context": context}
        assert client.post("/v1/events", json=event).status_code == 400


def test_a_log_replayed_through_the_server_is_what_the_next_training_computes(
    fresh: Project, client: TestClient, capsys
) -> None:
    from shortlist.cli.features import features

    users = Prepared.load(fresh.folder).user_ids()
    rng = np.random.default_rng(0)
    first = client.post("/v1/recommend", json={"k": 40}).json()
    known = [item["id"] for item in first["items"]]

    def context() -> dict[str, str]:
        drawn = {
            "device": [*DEVICES, "tv"][int(rng.integers(4))],
            "surface": SURFACES[int(rng.integers(2))],
        }
        return {name: value for name, value in drawn.items() if value and rng.random() < 0.9}

    for n in range(12):
        body = {"user": users[n], "k": 6, "seen": True, "context": context()}
        shown = client.post("/v1/recommend", json=body)
        assert shown.status_code == 200, shown.text
        item = {"user": users[n], "item": known[int(rng.integers(len(known)))]}
        events = [
            {**item, "kind": "impression", "context": context()},
            {**item, "kind": str(rng.choice(["view", "like"])), "context": context()},
        ]
        assert client.post("/v1/events", json=events).status_code == 202
        body = {"user": users[n], "k": 6, "seen": True, "context": context()}
        assert client.post("/v1/recommend", json=body).status_code == 200
    last = {"user": users[0], "item": known[0], "kind": "like"}
    assert client.post("/v1/events", json=last).status_code == 202
    assert fresh.train().published  # collects what was posted
    capsys.readouterr()
    features(fresh.folder, skew=True, json=True)
    report = json.loads(capsys.readouterr().out)
    assert report["requests"] == 25  # one is the server's own, when it starts
    own = {one["name"]: one["different"] for one in report["features"]}
    assert {name: own[name] for name in DECLARED} == dict.fromkeys(DECLARED, 0)
    capsys.readouterr()
    features(fresh.folder, json=True)
    listed = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert set(DECLARED) < set(listed)
    assert 0.5 < listed["device"]["coverage"] < 0.8  # a third of the log names none
