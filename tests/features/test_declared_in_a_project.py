"""Declared features of a project: trained, served, moved by what is posted, and compared."""

import asyncio
import json
import time
from pathlib import Path

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from litestar.testing import TestClient

from shortlist.core.errors import ConfigError, FeatureError
from shortlist.core.event import Event
from shortlist.core.keys import kind_code
from shortlist.core.request import Request, Shortlist
from shortlist.core.times import DAY, HOUR, MINUTE
from shortlist.features import AsOf, FeatureSet
from shortlist.features.offline import catalogue_table
from shortlist.offline.data.prepared import Prepared
from shortlist.project import Project
from shortlist.serve.app import create_app
from shortlist.serve.batching import Batcher
from shortlist.testing.marketplace import generate

SETTINGS = """
[project]
name = "test"
[data.events]
path = "{events}"
time = "timestamp"
kind = "event"
weights = {{ view = 1, like = 3, chat = 4, purchase = 5 }}
[data.items]
path = "{items}"
text = ["title"]
category = "category"
attributes = ["category"]
[retrievers.popular]
[ranker]
trees = 5
requests = 200
[evaluate]
users = 20
[features.week]
window = "7d"
[features.people]
value = "distinct"
of = "user"
[features.hot_category]
by = ["category"]
half_life = "1d"
[features.last_seen]
value = "last"
default = 999.0
[features.own_category]
by = ["user", "category"]
window = "1d"
[features.buys]
value = "rate"
kinds = ["purchase", "chat"]
among = ["view"]
[features.liking]
value = "sum"
of = "weight"
kinds = ["like", "chat"]
by = ["category"]
window = "2d"
[features.this_hour]
by = ["item", "time.hour"]
half_life = "7d"
[features.like_today]
by = ["category", "time.weekday"]
window = "8d"
[features.week_by_people]
value = "cross"
cross = ["week", "people"]
how = "ratio"
[features.lately]
window = "1d"
freshness = "3650d"
missing = "closed"
"""
WEIGHTS = {"view": 1.0, "like": 3.0, "chat": 4.0, "purchase": 5.0}
DECLARED = (
    "week",
    "people",
    "hot_category",
    "last_seen",
    "own_category",
    "buys",
    "liking",
    "this_hour",
    "like_today",
    "lately",
    "week_by_people",
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    world = generate(tmp_path_factory.mktemp("world"), users=150, items=120, days=14)
    home = tmp_path_factory.mktemp("project")
    settings = SETTINGS.format(events=world.events, items=world.items)
    (home / "shortlist.toml").write_text(settings)
    project = Project(home)
    assert project.train().published
    return project


def test_the_ranker_has_built_in_and_declared_features(project: Project) -> None:
    names = project.releases.list()[0].features
    assert set(DECLARED) < set(names)
    assert names[0] == "item_count_1d"


def test_a_posted_event_moves_the_counters_of_every_process_at_once(project: Project) -> None:
    one, other = project.open(), project.open()
    try:
        now = Prepared.load(project.folder).watermark + MINUTE
        ask = Request(user="nobody", k=100, explain=True, now=now + 1)
        before = other.answer([ask])[0]
        features = before.explain[0]["features"]
        one.post([Event("somebody new", before.ids[0], now, "view")])
        after = other.answer([ask])[0]
        place = after.ids.index(before.ids[0])
        moved = after.explain[place]["features"]
        assert moved["week"] == features["week"] + 1
        assert moved["people"] == features["people"] + 1
        assert moved["hot_category"] > features["hot_category"]
        assert moved["last_seen"] == pytest.approx(1 / 86_400e6, rel=1e-3)
        assert moved["this_hour"] > features["this_hour"]
        later = [Request(user="nobody", k=100, explain=True, now=now + 1 + 2 * HOUR)]
        hence = other.answer(later)[0]
        told = hence.explain[hence.ids.index(before.ids[0])]["features"]
        assert told["this_hour"] < moved["this_hour"]  # of another hour
        assert moved["item_count_7d"] == features["item_count_7d"]  # moves at the next hour
    finally:
        one.close()
        other.close()


def test_a_value_that_cannot_be_told_fails_its_request_and_no_other(project: Project) -> None:
    engine = project.open()
    try:
        now = Prepared.load(project.folder).watermark + MINUTE
        late = now + 3651 * DAY
        item = engine.answer([Request(k=1, now=now)])[0].ids[0]
        asks = [
            Request(user="u", k=2, now=now),
            Request(user="u", k=2, now=late),
            Request(item=item, k=2, now=late),  # neighbours need no features
        ]

        async def ask_all() -> list[Shortlist | BaseException]:
            batcher = Batcher(engine.answer, 16)
            return await asyncio.gather(*map(batcher.ask, asks), return_exceptions=True)

        fresh, stale, neighbours = asyncio.run(ask_all())
        assert isinstance(fresh, Shortlist)
        assert isinstance(neighbours, Shortlist)
        assert isinstance(stale, FeatureError)
        assert stale.where == "features.lately"
    finally:
        engine.close()


def test_a_log_replayed_through_the_engine_gives_what_the_offline_join_gives(
    project: Project,
) -> None:
    prepared = Prepared.load(project.folder)
    data, users = prepared.training(), prepared.user_ids()
    engine = project.open()
    rng = np.random.default_rng(0)
    ids = data.catalogue.vocabulary.ids(np.arange(len(data.catalogue), dtype=np.int32))
    log: list[tuple[int, int, int]] = []
    kinds: list[str] = []
    asked, found = [], []
    time = prepared.watermark + 2 * MINUTE
    try:
        earlier = engine._stores.history.posted().events
        for _ in range(25):
            user, item = int(rng.integers(len(users))), int(rng.integers(len(ids)))
            time += int(rng.integers(1, 40 * MINUTE))
            kind = str(rng.choice(list(WEIGHTS)))
            engine.post([Event(users[user], ids[item], time, kind)])
            log.append((user, item, time))
            kinds.append(kind)
            for now in (time, time + 1):  # the instant of the event, and the one after it
                answer = engine.answer(
                    [Request(user=users[user], k=12, now=now, explain=True, seen=True)]
                )[0]
                asked.append((user, now, answer.rows))
                found.append([told["features"] for told in answer.explain])
        features = engine.pipeline.snapshot.features
    finally:
        engine.close()
    kept = FeatureSet(
        [f for f in features.features if not f.name.startswith(("score", "rank", "fused", "sour"))]
    )
    posted = np.array(log, np.int64)
    extra = data.catalogue.vocabulary.rows_of_keys(np.ascontiguousarray(earlier["item"]))
    columns: dict[str, np.ndarray] = {
        "user": np.concatenate([data.user, posted[:, 0], np.full(len(extra), -7)]).astype(np.int32),
        "item": np.concatenate([data.item, posted[:, 1], extra]).astype(np.int32),
        "time": np.concatenate([data.time, posted[:, 2], earlier["time"]]),
    }
    told = np.array([kind_code(kind) for kind in kinds], np.int64)
    columns["kind"] = np.concatenate([data.kind_codes(), told, earlier["kind"]]).astype(np.int64)
    weight = {kind_code(kind): weight for kind, weight in WEIGHTS.items()}
    columns["weight"] = np.array([weight[code] for code in columns["kind"].tolist()])
    rows = [(n, row) for n, (_, _, rows) in enumerate(asked) for row in rows.tolist()]
    at = AsOf(
        ibis.memtable(pa.table(columns)),
        ibis.memtable(
            pa.table(
                {
                    "request": np.arange(len(asked)),
                    "user": np.array([user for user, _, _ in asked], np.int32),
                    "time": np.array([now for _, now, _ in asked]),
                }
            )
        ),
        ibis.memtable(
            pa.table(
                {
                    "request": np.array([n for n, _ in rows]),
                    "item": np.array([row for _, row in rows], np.int32),
                }
            )
        ),
        ibis.memtable(catalogue_table(data.catalogue, kept.attributes)),
    )
    requests, items, offline = kept.matrix(at)
    place = {pair: n for n, pair in enumerate(zip(requests.tolist(), items.tolist(), strict=True))}
    order = [place[pair] for pair in rows]
    for name, column in zip(kept.names, offline, strict=True):
        online = [told[name] for answer in found for told in answer]
        np.testing.assert_allclose(online, column[order], rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.fixture(scope="module")
def old(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose log is older than one of its features may know; without built-in features."""
    home = tmp_path_factory.mktemp("old")
    text = (project.folder / "shortlist.toml").read_text().replace("3650d", "1h")
    (home / "shortlist.toml").write_text(text + "\n[features]\ndefaults = false\n")
    old = Project(home)
    assert old.train().published
    return old


def test_without_the_defaults_only_declared_features_rank(old: Project) -> None:
    assert tuple(old.releases.list()[0].features) == DECLARED


def test_an_old_log_does_not_keep_a_server_from_starting(old: Project) -> None:
    config = old.config
    app = create_app(config, old.folder, old.open)
    with TestClient(app) as client:
        deadline = time.monotonic() + 60
        while client.get("/readyz").status_code != 200:
            assert time.monotonic() < deadline, client.get("/readyz").text
            time.sleep(0.02)
        item = Prepared.load(old.folder).catalogue.vocabulary.ids(np.array([0], np.int32))[0]
        refused = client.post("/v1/recommend", json={"user": "ann"})
        assert refused.status_code == 503
        assert "'lately' may be 1h old at most" in refused.json()["error"]["problem"]
        assert client.post("/v1/similar", json={"item": item, "k": 3}).status_code == 200
        posted = client.post("/v1/events", json={"user": "ann", "item": item, "kind": "view"})
        assert posted.status_code == 202
        answered = client.post("/v1/recommend", json={"user": "ann"})
        assert answered.status_code == 200 and answered.json()["items"]


def test_the_list_says_what_each_feature_is_like(project: Project, capsys) -> None:
    assert all(one["psi"] is None for one in listed(project, capsys))
    assert project.train().published  # a second release, to compare with
    told = listed(project, capsys)
    assert {one["name"] for one in told} == set(project.releases.list()[0].features)
    assert sum(one["importance"] for one in told) == pytest.approx(1, abs=0.02)
    assert all(0 <= one["coverage"] <= 1 for one in told)
    assert all(one["psi"] >= 0 and 0 <= one["ks"] <= 1 for one in told)
    week = next(one for one in told if one["name"] == "week")
    assert week["quantiles"] == sorted(week["quantiles"])


def listed(project: Project, capsys) -> list[dict]:
    from shortlist.cli.features import features

    capsys.readouterr()
    features(project.folder, json=True)
    return json.loads(capsys.readouterr().out)


def test_a_feast_repository_holds_what_the_engine_would_say(
    project: Project, tmp_path: Path
) -> None:
    from shortlist.cli.features import features

    features(project.folder, feast=tmp_path / "repository")
    table = pq.read_table(tmp_path / "repository/data/item.parquet")
    prepared = Prepared.load(project.folder)
    assert table.num_rows == 7 * prepared.counts.items
    assert {"item_id", "event_timestamp", "week", "people", "item_count_7d"} <= set(
        table.column_names
    )
    assert not {"this_hour", "like_today", "hour"} & set(table.column_names)  # of the request too
    data = prepared.training()
    last = table.slice(6 * prepared.counts.items)
    counts = np.bincount(data.item[data.time >= data.until - 7 * DAY], minlength=data.items)
    assert last["week"].to_pylist() == counts.tolist()
    assert "user_features" in (tmp_path / "repository/definitions.py").read_text()
    with pytest.raises(ConfigError, match="not empty"):
        features(project.folder, feast=tmp_path / "repository")
