"""The whole path, from files to a shortlist: what a user sees when it works and when it cannot.

`docs/guides/failures.md` has a sentence for every failure here.
"""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shortlist.core.errors import ShortlistError
from shortlist.core.event import Event
from shortlist.core.times import DAY, MINUTE, now
from shortlist.online.engine import Engine
from shortlist.project import Project
from shortlist.stores import open_stores
from shortlist.testing.marketplace import UNTIL, World, generate

SETTINGS = """
[project]
name = "test"

[data.events]
path = "{events}"
time = "timestamp"

[data.items]
path = "{items}"
text = ["title"]
category = "category"
attributes = ["category"]

[retrievers.popular]
[retrievers.item_graph]
dim = 8
walks = 2
epochs = 1

[ranker]
trees = 20
"""
Rows = list[dict[str, object]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return generate(tmp_path_factory.mktemp("world"), users=400, items=500, days=21)


@pytest.fixture(scope="module")
def project(world: World, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A trained project: two files, `init`, `train`."""
    folder = tmp_path_factory.mktemp("projects") / "marketplace"
    Project.init(folder, str(world.events), str(world.items))
    project = Project(folder)
    assert project.train().published
    return project


@pytest.fixture(scope="module")
def engine(project: Project) -> Engine:
    return project.open()


def a_log(users: int = 12, items: int = 9, days: int = 4) -> tuple[Rows, Rows]:
    """Every day everybody looks at two items of one of three categories."""
    per_category = items // 3
    events: Rows = [
        {
            "user_id": f"u{user}",
            "item_id": f"i{user % 3 + 3 * ((user // 3 + day + look) % per_category)}",
            "timestamp": UNTIL - (days - day) * DAY + (20 * user + look) * MINUTE,
        }
        for day in range(days)
        for user in range(users)
        for look in range(2)
    ]
    catalogue: Rows = [
        {"item_id": f"i{item}", "title": f"item {item}", "category": f"c{item % 3}"}
        for item in range(items)
    ]
    return events, catalogue


def write(path: Path, rows: Rows) -> Path:
    """Rows as CSV, JSON lines or Parquet, by the ending."""
    if path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".jsonl":
        lines = (json.dumps(row, ensure_ascii=False) for row in rows)
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def project_of(
    folder: Path, events: str = "events.parquet", items: str = "items.parquet"
) -> Project:
    (folder / "shortlist.toml").write_text(SETTINGS.format(events=events, items=items))
    return Project(folder)


@pytest.fixture
def published(tmp_path: Path) -> Project:
    """A small project with a release, whose files the test then damages."""
    events, items = a_log()
    write(tmp_path / "events.csv", events)
    write(tmp_path / "items.csv", items)
    project = project_of(tmp_path, "events.csv", "items.csv")
    assert project.train().published
    return project


# When it works


def test_training_chooses_retrievers_and_a_fusion_and_says_why(project: Project) -> None:
    manifest = project.releases.list()[0]
    assert manifest.chosen.keys() == manifest.config["retrievers"].keys()
    assert {"transitions", "neighbours", "popular"} <= manifest.chosen.keys()
    assert all(manifest.chosen.values())
    fusion = manifest.fusion
    alone = [value for way, value in fusion.validation.items() if way.startswith("source:")]
    assert max(fusion.validation.values()) >= max(alone)
    assert fusion.reason


def test_a_user_gets_different_items_that_are_for_sale(engine: Engine, world: World) -> None:
    answer = engine.recommend(user="u00000", k=20)
    assert len(answer) == len(set(answer.ids)) == 20
    assert set(answer.ids) <= set(world.open_items())


def test_a_stranger_gets_a_list(engine: Engine) -> None:
    assert len(engine.recommend(user="nobody ever", k=10)) == 10


def test_a_batch_gets_what_each_would_get(engine: Engine) -> None:
    users = ["u00000", "nobody ever", "u00007"]
    batch = engine.recommend(user=users, k=5)
    assert [answer.ids for answer in batch] == [engine.recommend(user=u, k=5).ids for u in users]


def test_a_filter_over_attributes_holds_for_every_item(engine: Engine) -> None:
    answer = engine.recommend(user="u00000", k=20, where='language == "ja" and price < 60')
    assert len(answer) > 0
    for id in answer.ids:
        item = engine.item(id)
        assert item is not None
        assert item["language"] == "ja"
        assert float(str(item["price"])) < 60


def test_similar_items_are_others_and_mostly_of_the_kind(engine: Engine, world: World) -> None:
    popular = engine.recommend(k=10).ids
    same = total = 0
    for id in popular:
        item = engine.item(id)
        answer = engine.similar(item=id, k=5)
        assert id not in answer.ids
        for other in answer.ids:
            neighbour = engine.item(other)
            assert item and neighbour
            same += neighbour["category"] == item["category"]
            total += 1
    share = 1 / 12
    assert same / total > 2 * share


def test_what_is_recommended_is_what_users_want(engine: Engine, world: World) -> None:
    """The marketplace knows the truth: answers hold more of it than the mean listing does."""
    users = [f"u{row:05d}" for row in range(60)]
    items = world.open_items()
    answers = engine.recommend(user=users, k=10)
    gain = [
        world.utility(user, answer.ids).mean() - world.utility(user, items).mean()
        for user, answer in zip(users, answers, strict=True)
    ]
    assert sum(gain) / len(gain) > 0.3


def test_evaluation_stands_next_to_its_baselines(project: Project) -> None:
    said = project.evaluate().to_dict()
    assert said["users"] > 0
    assert {"popular", "transitions"} <= {name.partition(".")[0] for name in said["retrieval"]}
    for metrics in (said["ranking"], *said["baselines"].values()):
        for estimate in metrics.values():
            assert estimate["low"] <= estimate["value"] <= estimate["high"]
    assert {"popular", "markov"} <= set(said["baselines"])


def test_training_again_on_the_same_files_changes_nothing_but_the_release(
    published: Project,
) -> None:
    before = published.open().recommend(user="u1", k=5)
    report = published.train()
    after = published.open().recommend(user="u1", k=5)
    assert report.published
    assert after.release == report.release != before.release
    assert after.ids == before.ids


# When the input is bad: the error names the file, and what is published stays


def test_a_release_below_the_floor_changes_nothing_of_what_serves(published: Project) -> None:
    """Nor does it take from the serving release the recent events that only it would hold."""
    serving = published.releases.current()
    engine = published.open()
    engine.post([Event("u1", "i1", now() - MINUTE), Event("u2", "i2")])
    toml = published.folder / "shortlist.toml"
    toml.write_text(toml.read_text() + '\n[releases]\nfloor = { "ndcg@10" = 1.0 }\n')
    report = Project(published.folder).train()
    stores = open_stores(published.config.serve, published.folder / ".shortlist" / "state")
    keys, _ = stores.history.since(0)
    stores.close()
    engine.close()
    assert not report.published
    assert "ndcg@10" in report.reason
    assert published.releases.current() == serving
    assert len(keys) == 2


def refused(project: Project, *words: str) -> None:
    """Training is refused with these words, and the release before it still answers."""
    before = project.releases.current()
    with pytest.raises(ShortlistError) as caught:
        Project(project.folder).train()
    for word in words:
        assert word in str(caught.value)
    assert project.releases.current() == before
    assert len(project.open().recommend(user="u1", k=3)) == 3


def test_a_truncated_parquet_file_is_refused_by_name(published: Project) -> None:
    file = write(published.folder / "more.parquet", a_log()[0])
    file.write_bytes(file.read_bytes()[:-100])
    project_of(published.folder, "more.parquet", "items.csv")
    refused(published, "more.parquet", "write it again")


def test_a_csv_with_a_broken_row_is_refused_with_its_line(published: Project) -> None:
    file = published.folder / "events.csv"
    lines = file.read_text().splitlines()
    broken = [*lines, "u1,i1", *lines[1:3]]
    file.write_text("\n".join(broken) + "\n")
    refused(published, "events.csv", f"line {len(lines) + 1}")


def test_a_file_in_another_encoding_is_refused_with_the_way_to_convert_it(
    published: Project,
) -> None:
    events, _ = a_log()
    events[0]["user_id"] = "café"
    file = write(published.folder / "latin.csv", events)
    file.write_bytes(file.read_text(encoding="utf-8").encode("latin-1"))
    project_of(published.folder, "latin.csv", "items.csv")
    refused(published, "latin.csv", "UTF-8", "iconv")


def test_a_catalogue_without_its_id_column_is_refused_with_the_nearest_name(
    published: Project,
) -> None:
    _, items = a_log()
    renamed: Rows = [{"itemid": row.pop("item_id"), **row} for row in items]
    write(published.folder / "items.csv", renamed)
    refused(published, "items.csv", "'item_id'", "'itemid'")


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_an_empty_log_is_nothing_to_learn_from(tmp_path: Path, ending: str) -> None:
    events, items = a_log()
    name = f"events{ending}"
    if ending == ".csv":
        (tmp_path / name).write_text(",".join(events[0]) + "\n")
    else:
        pq.write_table(pa.Table.from_pylist(events).slice(0, 0), tmp_path / name)
    write(tmp_path / "items.csv", items)
    project = project_of(tmp_path, name, "items.csv")
    with pytest.raises(ShortlistError, match="no "):
        project.train()
    assert project.releases.current() is None


def test_a_log_with_one_user_trains_and_answers(tmp_path: Path) -> None:
    events, items = a_log()
    alone: Rows = [{**event, "user_id": "only me"} for event in events]
    write(tmp_path / "events.csv", alone)
    write(tmp_path / "items.csv", items)
    project = project_of(tmp_path, "events.csv", "items.csv")
    assert project.train().published
    engine = project.open()
    assert len(engine.recommend(user="only me", k=3, seen=True)) == 3
    assert len(engine.recommend(user="somebody else", k=3)) == 3


def test_a_log_whose_sessions_are_single_events_trains_without_vectors(tmp_path: Path) -> None:
    events, items = a_log()
    write(tmp_path / "events.csv", events[::2])
    write(tmp_path / "items.csv", items)
    project = project_of(tmp_path, "events.csv", "items.csv")
    assert project.train().published
    assert len(project.open().recommend(user="u1", k=3)) == 3


STRANGE = [
    "🛋️ sofa",
    "it's",
    'a "quoted" id',
    "two\nlines",
    "comma, and; semicolon",
    "back\\slash",
    "007",
    "한국어",
    "percent%20",
]


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_ids_are_any_text(tmp_path: Path, ending: str) -> None:
    events, items = a_log(items=len(STRANGE))
    for row in (*events, *items):
        row["item_id"] = STRANGE[int(str(row["item_id"])[1:])]
    for event in events:
        number = int(str(event["user_id"])[1:])
        event["user_id"] = STRANGE[number % len(STRANGE)] + ("" if number < 9 else "!")
    write(tmp_path / f"events{ending}", events)
    write(tmp_path / f"items{ending}", items)
    project = project_of(tmp_path, f"events{ending}", f"items{ending}")
    assert project.train().published
    engine = project.open()
    for user in STRANGE:
        every = engine.recommend(user=user, k=len(STRANGE), seen=True)
        assert sorted(every.ids) == sorted(STRANGE)
        unseen = engine.recommend(user=user, k=len(STRANGE))
        assert 0 < len(unseen) < len(STRANGE)
    for item in STRANGE:
        assert item not in engine.similar(item=item, k=len(STRANGE)).ids
        assert engine.item(item) is not None
    left = engine.recommend(user=STRANGE[0], k=9, seen=True, exclude=STRANGE[:5])
    assert sorted(left.ids) == sorted(STRANGE[5:])


# When it is killed


def kill_after(folder: Path, lines: int) -> None:
    """Start `shortlist train` and kill it as hard as can be once it has reported some steps."""
    code = "from shortlist.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "train", str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    for _ in range(lines):
        assert process.stderr.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stderr.close()
    assert process.returncode == -signal.SIGKILL


def test_killed_training_loses_and_doubles_nothing(published: Project) -> None:
    before = published.open().recommend(user="u1", k=5)
    later: Rows = [{**e, "timestamp": int(str(e["timestamp"])) + 4 * DAY} for e in a_log()[0]]
    both = [*a_log()[0], *later]
    write(published.folder / "events.csv", both)
    for lines in (2, 6):
        kill_after(published.folder, lines)
        still = published.open().recommend(user="u1", k=5)
        assert (still.release, still.ids) == (before.release, before.ids)
    report = published.train()
    assert report.published
    interactions = published.folder / ".shortlist" / "prepared" / "interactions.parquet"
    assert pq.read_metadata(interactions).num_rows == len(both)
    assert published.open().release == report.release
