"""Columns of users, likeness of vectors and rates over impressions: trained, served, compared."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shortlist.core.errors import ConfigError
from shortlist.core.event import Event
from shortlist.core.request import Request
from shortlist.core.times import MINUTE
from shortlist.offline.data.prepared import Prepared
from shortlist.project import Project
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
attributes = ["category", "price"]
[data.users]
path = "users.parquet"
attributes = ["age", "likes"]
[retrievers.popular]
[retrievers.factors]
dim = 8
[ranker]
trees = 5
requests = 150
[evaluate]
users = 10
[serve]
log_features = 1.0
[features.age]
value = "column"
by = ["user"]
of = "age"
default = -1.0
[features.price]
value = "column"
of = "price"
[features.price_by_age]
value = "cross"
cross = ["price", "age"]
how = "ratio"
[features.liked]
value = "match"
of = "likes"
by = ["category"]
default = -1.0
[features.alike]
value = "similarity"
vectors = "factors"
reach = 5
default = -2.0
[features.through]
value = "rate"
kinds = ["view"]
among = ["impression"]
prior = [1, 20]
[features.hot_category]
by = ["category"]
half_life = "1d"
[features.crowd]
by = ["user.likes"]
window = "7d"
[features.crowd_item]
by = ["user.likes", "item"]
default = -1.0
[features.crowd_category_buys]
value = "rate"
kinds = ["purchase"]
by = ["user.likes", "category"]
half_life = "1d"
default = -1.0
[features.crowd_through]
value = "rate"
kinds = ["view"]
among = ["impression"]
prior = [1, 20]
by = ["user.likes", "item"]
default = -1.0
"""
DECLARED = (
    "age",
    "price",
    "liked",
    "alike",
    "through",
    "hot_category",
    "crowd",
    "crowd_item",
    "crowd_category_buys",
    "crowd_through",
    "price_by_age",
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    world = generate(tmp_path_factory.mktemp("world"), users=100, items=80, days=10)
    home = tmp_path_factory.mktemp("project")
    (home / "shortlist.toml").write_text(SETTINGS.format(events=world.events, items=world.items))
    users = sorted(set(pq.read_table(world.events, columns=["user_id"])["user_id"].to_pylist()))
    categories = pq.read_table(world.items, columns=["category"])["category"].to_pylist()
    known = users[::2]
    table = {
        "user_id": known,
        "age": [None if n % 5 == 0 else 20.0 + n for n in range(len(known))],
        "likes": [sorted(set(categories[n : n + 2])) for n in range(len(known))],
    }
    pq.write_table(pa.table(table), home / "users.parquet")
    project = Project(home)
    assert project.check().ok
    assert project.train().published
    return project


def test_a_release_holds_the_columns_of_users_that_features_read(project: Project) -> None:
    manifest = project.releases.list()[0]
    assert tuple(manifest.features)[-len(DECLARED) :] == DECLARED
    assert "users/columns.json" in manifest.files
    prepared = Prepared.load(project.folder)
    table = prepared.user_table()
    known, unknown = prepared.user_ids()[0], prepared.user_ids()[1]
    if table.rows([known])[0] < 0:
        known, unknown = unknown, known
    engine = project.open()
    try:
        told = engine.recommend(known, k=5, explain=True, seen=True).explain
        strangers = [
            engine.recommend(user, k=5, explain=True, seen=True).explain
            for user in (unknown, "nobody", "")
        ]
    finally:
        engine.close()
    age = table.columns["age"].value(int(table.rows([known])[0]))
    assert {one["features"]["age"] for one in told} == {-1.0 if age is None else age}
    assert {one["features"]["liked"] for one in told} <= {0.0, 1.0}
    for explained in strangers:
        assert {one["features"]["age"] for one in explained} == {-1.0}
        assert {one["features"]["liked"] for one in explained} == {-1.0}
        assert {one["features"]["crowd_item"] for one in explained} == {-1.0}
    assert {one["features"]["alike"] for one in strangers[1]} == {-2.0}


def test_an_event_counts_for_those_who_share_a_value_with_its_user(project: Project) -> None:
    table = pq.read_table(project.folder / "users.parquet").to_pydict()
    likes = dict(zip(table["user_id"], map(set, table["likes"]), strict=True))
    user, values = next((u, v) for u, v in likes.items() if len(v) == 1)
    alike = next(u for u, v in likes.items() if v == values and u != user)
    other = next(u for u, v in likes.items() if not v & values)
    engine = project.open()
    now = Prepared.load(project.folder).watermark + MINUTE
    item = engine.recommend("", k=1).ids[0]

    def counted(of: str) -> tuple[float, ...]:
        ask = Request(user=of, k=80, explain=True, seen=True, now=now + 1)
        answer = engine.answer([ask])[0]
        told = answer.explain[answer.ids.index(item)]["features"]
        return told["crowd"], told["crowd_item"]

    try:
        before = {of: counted(of) for of in (alike, other)}
        engine.post([Event(user, item, now, "view"), Event("nobody", item, now, "view")])
        assert counted(alike) == tuple(n + 1 for n in before[alike])
        assert counted(other) == before[other]
    finally:
        engine.close()


def test_what_is_shown_lowers_the_rate_of_every_process(project: Project) -> None:
    one, other = project.open(), project.open()
    try:
        now = Prepared.load(project.folder).watermark + MINUTE
        ask = Request(user="nobody", k=80, explain=True, now=now + 1)
        before = other.answer([ask])[0]
        item, rate = before.ids[0], before.explain[0]["features"]["through"]
        one.post([Event("somebody", item, now, "impression")])
        shown = through(other.answer([ask])[0], item)
        assert shown < rate
        one.post([Event("somebody", item, now, "view")])
        assert through(other.answer([ask])[0], item) > shown
        later = other.recommend("nobody", k=1)
        before = through(other.recommend("nobody", k=80, explain=True), later.ids[0])
        one.log_impressions("somebody", later)
        one._notes.flush()
        assert through(other.recommend("nobody", k=80, explain=True), later.ids[0]) < before
    finally:
        one.close()
        other.close()


def through(answer, item: str) -> float:
    return answer.explain[answer.ids.index(item)]["features"]["through"]


def test_a_log_replayed_through_the_engine_is_what_the_next_training_computes(
    project: Project, tmp_path: Path, capsys
) -> None:
    from shortlist.cli.features import features

    (tmp_path / "shortlist.toml").write_text((project.folder / "shortlist.toml").read_text())
    (tmp_path / "users.parquet").write_bytes((project.folder / "users.parquet").read_bytes())
    logging = Project(tmp_path)
    assert logging.train().published
    prepared = Prepared.load(tmp_path)
    users, engine = prepared.user_ids(), logging.open()
    rng = np.random.default_rng(0)
    try:
        time, known = prepared.watermark, engine.recommend("", k=60).ids
        for n in range(12):
            time += 7 * MINUTE
            item = known[int(rng.integers(len(known)))]
            engine.post([Event(users[n], item, time, "impression", 0, f"r{n}")])
            engine.post([Event(users[n], item, time + 1, str(rng.choice(["view", "like"])))])
            engine.answer([Request(user=users[n], k=5, now=time + at) for at in (0, 1, 2)])
        engine.answer([Request(user="nobody", k=5, now=time)])
        engine.post([Event(users[0], known[0], time + MINUTE, "like")])
    finally:
        engine.close()
    capsys.readouterr()
    features(tmp_path, skew=True, json=True)
    early = json.loads(capsys.readouterr().out)
    assert early["requests"] == 0 and early["later"] == 37  # than the log that is collected
    assert logging.train().published  # collects what was posted
    capsys.readouterr()
    features(tmp_path, skew=True, json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["requests"] == 37
    assert {one["name"] for one in told["features"]} > {*DECLARED, "user_idle"}
    assert all(one["different"] == 0 for one in told["features"]), told["features"]


def test_a_retriever_without_vectors_is_said_before_training(
    project: Project, tmp_path: Path
) -> None:
    text = (project.folder / "shortlist.toml").read_text()
    text = text.replace('vectors = "factors"', 'vectors = "popular"')
    (tmp_path / "shortlist.toml").write_text(text)
    (tmp_path / "users.parquet").write_bytes((project.folder / "users.parquet").read_bytes())
    with pytest.raises(ConfigError, match=r"alike.vectors = .* makes no vectors of items"):
        Project(tmp_path).train()


def test_a_check_says_which_column_a_feature_cannot_read(project: Project, tmp_path: Path) -> None:
    text = (project.folder / "shortlist.toml").read_text()
    text = text.replace('by = ["user.likes", "category"]', 'by = ["user.age", "price"]')
    (tmp_path / "shortlist.toml").write_text(text)
    (tmp_path / "users.parquet").write_bytes((project.folder / "users.parquet").read_bytes())
    (finding,) = Project(tmp_path).check().findings
    assert (finding.severity, finding.key) == ("error", "features.crowd_category_buys")
    assert "'age', which has to be keyword or keywords and is a number" in finding.remedy
