"""Items written over HTTP and in bulk: found by every worker, kept, and taken in by training."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from clients import PROGRAM, Client, Server

from shortlist.core.errors import DataError
from shortlist.core.times import DAY, iso
from shortlist.project import Project
from shortlist.testing.library import library

BOOKS = library(documents=120, users=40, subjects=4)
CONFIG = """
[project]
name = "library"
[data.events]
path = "events.csv"
[data.items]
path = "items.parquet"
id = "id"
text = ["title", "body"]
attributes = ["language", "pages", "tags", "signed", "added"]
available = "in_print"
expires = "until"
[ranker]
kind = "none"
[retrievers.text_encoder]
dim = 16
epochs = 0
[serve]
reload_seconds = 0.1
"""


def rows() -> list[dict[str, object]]:
    columns = BOOKS.data.catalogue.columns
    return [
        {
            "id": f"d{row}",
            "title": columns["title"].value(row),
            "body": columns["body"].value(row),
            "language": columns["language"].value(row),
            "pages": row,
            "tags": ["old", f"t{row % 3}"],
            "signed": row % 2 == 0,
            "added": (20_000 + row) * DAY,
            "in_print": True,
            "until": None,
        }
        for row in range(120)
    ]


def table(items: list[dict[str, object]]) -> pa.Table:
    stamp = pa.timestamp("us", "UTC")
    schema = pa.schema(
        [
            *((name, pa.string()) for name in ("id", "title", "body", "language")),
            ("pages", pa.int64()),
            ("tags", pa.list_(pa.string())),
            ("signed", pa.bool_()),
            ("added", stamp),
            ("in_print", pa.bool_()),
            ("until", stamp),
        ]
    )
    return pa.Table.from_pylist(items, schema)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that is trained."""
    folder = tmp_path_factory.mktemp("library")
    (folder / "shortlist.toml").write_text(CONFIG)
    pq.write_table(table(rows()), folder / "items.parquet")
    data = BOOKS.data
    lines = [
        f"u{user},d{item},{iso(20_000 * DAY + time % (20 * DAY))}"
        for user, item, time in zip(
            data.user.tolist(), data.item.tolist(), data.time.tolist(), strict=True
        )
    ]
    (folder / "events.csv").write_text("\n".join(["user_id,item_id,timestamp", *lines]) + "\n")
    Project(folder).train()
    return folder


@pytest.fixture
def server(project: Path) -> Iterator[Server]:
    server = Server("serve", str(project), "--workers", "2")
    yield server
    server.stop()


def like(row: int, **more: object) -> dict[str, object]:
    columns = BOOKS.data.catalogue.columns
    names = ("title", "body", "language")
    return {name: columns[name].value(row) for name in names} | more


def ids(answer: tuple[int, dict[str, list[dict[str, str]]]]) -> list[str]:
    status, body = answer
    assert status == 200, body
    return [item["id"] for item in body["items"]]


def of_both(server: Server, path: str, body: dict[str, object]) -> list[str]:
    """What is answered, the same by each worker: every request is a connection of its own."""
    answers = [ids(server.ask("POST", path, body)) for _ in range(10)]
    assert all(answer == answers[0] for answer in answers)
    return answers[0]


def run(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_item_from_its_first_write_to_the_release_that_has_it(
    project: Path, server: Server
) -> None:
    title = str(like(7)["title"])
    new = {"attributes": like(7, pages=1000, tags=["new"], signed=True)}
    status, answer = server.ask("PUT", "/v1/items/a%2Fb%20c", new)
    assert status == 200, answer
    assert answer | {"release": ""} == {
        "id": "a/b c",
        "changed": True,
        "encoded": True,
        "encoders": ["text_encoder"],
        "release": "",
        "notes": [],
    }
    again = server.ask("PUT", "/v1/items/a%2Fb%20c", new)[1]
    assert (again["changed"], again["encoded"]) == (False, False)

    # every worker's next answer can return it
    assert of_both(server, "/v1/recommend", {"where": "pages == 1000"}) == ["a/b c"]
    assert of_both(server, "/v1/similar", {"item": "d7", "k": 1}) == ["a/b c"]
    assert of_both(server, "/v1/similar", {"item": "a/b c", "k": 1}) == ["d7"]
    assert set(of_both(server, "/v1/search", {"query": title, "k": 2})) == {"a/b c", "d7"}
    found = of_both(server, "/v1/search", {"query": title, "where": 'array_contains(tags, "new")'})
    assert found == ["a/b c"]
    told = server.ask("GET", "/v1/items/a%2Fb%20c")[1]["attributes"]
    assert told["pages"] == 1000 and told["signed"] == "true" and told["added"] is None

    # an item of the release changes what it is filtered by
    old = {"attributes": like(3, pages=2000, tags=[]), "expires": "2100-01-01T00:00:00Z"}
    assert server.ask("PUT", "/v1/items/d3", old)[1]["encoded"] is False
    assert of_both(server, "/v1/recommend", {"where": "pages > 1500"}) == ["d3"]
    assert of_both(server, "/v1/recommend", {"where": "pages == 3"}) == []

    # what is deleted is hidden at once; writing it again does not bring it back, and says so
    server.ask("PUT", "/v1/items/gone", {"attributes": {"pages": 3000}})
    assert server.ask("DELETE", "/v1/items/gone")[0] == 200
    assert of_both(server, "/v1/recommend", {"where": "pages == 3000"}) == []
    _, answer = server.ask("PUT", "/v1/items/gone", {"attributes": {"pages": 3001}})
    assert "is hidden" in answer["notes"][0]
    assert of_both(server, "/v1/recommend", {"where": "pages == 3001"}) == []

    # the daily job, while the server answers
    batch = [row for row in rows() if row["id"] not in ("d3",)]
    for n in range(5):
        batch.append(batch[n] | {"id": f"bulk-{n}", "pages": 4000 + n})
    daily = project / "daily.parquet"
    pq.write_table(table(batch), daily)
    said = run("ingest", str(project), str(daily))
    assert said == "5 written, 119 unchanged; 5 texts encoded, 0 reused\n"
    assert len(of_both(server, "/v1/recommend", {"where": "pages >= 4000"})) == 5
    said = run("ingest", str(project), str(daily))
    assert said == "0 written, 124 unchanged; 0 texts encoded, 0 reused\n"

    # a server that was killed has lost nothing
    workers = server.workers()
    server.kill()
    server.wait_until(lambda: not any(psutil.pid_exists(pid) for pid in workers))
    server.start()
    assert of_both(server, "/v1/similar", {"item": "d7", "k": 1}) == ["a/b c"]
    assert len(of_both(server, "/v1/recommend", {"where": "pages >= 4000"})) == 5

    # the next release has it all, under rows of its own
    report = Project(project).train()
    assert report.published, report.reason
    server.wait_until(
        lambda: all(server.ask("GET", "/readyz")[1]["release"] == report.release for _ in range(20))
    )
    assert of_both(server, "/v1/similar", {"item": "a/b c", "k": 1}) == ["d7"]
    assert of_both(server, "/v1/recommend", {"where": "pages > 1500 and pages < 3000"}) == ["d3"]
    assert of_both(server, "/v1/recommend", {"where": "pages == 3001"}) == []
    engine = Project(project).open()
    catalogue = engine.pipeline.snapshot.catalogue
    assert (catalogue.vocabulary.rows([f"d{row}" for row in range(120)]) < 120).all()
    assert (catalogue.vocabulary.rows(["a/b c", "bulk-4", "gone"]) >= 120).all()
    (row,) = catalogue.vocabulary.rows(["a/b c"]).tolist()
    assert catalogue.columns["pages"].value(row) == 1000
    assert catalogue.columns["signed"].value(row) == "true"
    assert catalogue.columns["tags"].value(row) == ["new"]
    (row,) = catalogue.vocabulary.rows(["d3"]).tolist()
    assert catalogue.item(row)["pages"] == 2000
    assert iso(int(catalogue.expires[row])) == "2100-01-01T00:00:00Z"
    # and nothing of it waits beside the release any more
    assert engine.put({"a/b c": engine.book.body(new["attributes"])}).unchanged == 1
    assert not engine.book.live().refresh()
    engine.close()


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/items/x", {"attributes": {"pags": 3}}, "attributes.pags"),
        ("/v1/items/x", {"attributes": {"price": "ten"}}, "attributes.price"),
        ("/v1/items/x", {"attributes": {}, "colour": "red"}, "colour"),
        ("/v1/items/x", {"available": "yes"}, "available"),
        ("/v1/items/x", {"expires": "soon"}, "expires"),
        ("/v1/items/x", {"attributes": []}, "attributes"),
        ("/v1/items/" + "x" * 513, {}, "id"),
        ("/v1/items/%FF", {}, "id"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    client: Client, path: str, body: dict[str, object], field: str
) -> None:
    answer = client.put(path, json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == field, answer.json()
    assert client.get("/v1/items/x").status_code == 404


@pytest.mark.parametrize("expires", ["2020-01-31", "2020-01-31T09:00:00+09:00", 10**15])
def test_a_time_may_be_a_date_an_instant_or_microseconds(client: Client, expires: object) -> None:
    answer = client.put("/v1/items/old", json={"expires": expires})
    assert answer.status_code == 200, answer.text
    assert "The item has expired, so no answer shows it." in answer.json()["notes"]


def test_a_body_that_is_no_json_is_refused(client: Client) -> None:
    answer = client.put(
        "/v1/items/x", content=b"{nope", headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400


def test_without_an_encoder_an_item_is_kept_and_the_answer_says_where_it_is_found(
    client: Client,
) -> None:
    answer = client.put("/v1/items/kite", json={"attributes": {"title": "A kite", "price": 500}})
    assert answer.json()["encoders"] == []
    (note,) = answer.json()["notes"]
    assert note.startswith("No retriever of this release makes vectors of items by their texts")
    found = client.post("/v1/recommend", json={"where": "price == 500"}).json()["items"]
    assert [item["id"] for item in found] == ["kite"]
    found = client.post("/v1/search", json={"query": "kite"}).json()["items"]
    assert [item["id"] for item in found] == ["kite"]


def test_a_run_that_breaks_off_keeps_what_came_before_and_can_be_repeated(
    project: Path, tmp_path: Path
) -> None:
    file = tmp_path / "many.parquet"
    batch = [rows()[n % 120] | {"id": f"many-{n}"} for n in range(1_002)]
    pq.write_table(table([*batch[:1_000], batch[1_000] | {"id": None}, batch[1_001]]), file)
    with pytest.raises(DataError, match=r"many\.parquet: row 1001: id: there is no id"):
        Project(project).ingest([file])
    pq.write_table(table(batch), file)
    done = Project(project).ingest([file])
    assert (done.written, done.unchanged, done.encoded) == (2, 1_000, 2)
    pq.write_table(table([batch[0], batch[1] | {"id": "x" * 513}]), file)
    with pytest.raises(DataError, match=r"many\.parquet: row 2: id: the id 'x+'… is too long"):
        Project(project).ingest([file])


def test_a_file_that_does_not_fit_is_refused(project: Path, tmp_path: Path) -> None:
    file = tmp_path / "bad.parquet"
    pq.write_table(pa.table({"id": ["x"], "title": ["a"]}), file)
    with pytest.raises(DataError, match="the file has no column 'body'"):
        Project(project).ingest([file])
    names = table([]).column_names
    pq.write_table(pa.table({name: ["x"] for name in names}), file)
    with pytest.raises(DataError, match=r"row 1: attributes\.pages: 'x' is not a number"):
        Project(project).ingest([file])
    file.write_bytes(b"no Parquet")
    with pytest.raises(DataError, match="is no Parquet file"):
        Project(project).ingest([file])
    with pytest.raises(DataError, match="no such file"):
        Project(project).ingest([tmp_path / "nothing.parquet"])
