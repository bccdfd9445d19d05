import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from clients import Client

from shortlist.testing import shop
from shortlist.testing.stores import STRANGE


def ids(answer: Any) -> list[str]:
    return [item["id"] for item in answer.json()["items"]]


def problem(answer: Any) -> dict[str, str]:
    error: dict[str, str] = answer.json()["error"]
    assert error.keys() == {"field", "problem", "remedy"}
    assert error["problem"].endswith(".")
    return error


def test_a_user_never_seen_gets_the_popular_items(client: Client) -> None:
    answer = client.post("/v1/recommend", json={"user": "nobody", "k": 3})
    assert answer.status_code == 200
    assert ids(answer) == ["fruit-0", "fruit-1", "fruit-2"]
    body = answer.json()
    assert body.keys() == {"request", "release", "items"}
    assert body["release"] == client.get("/readyz").json()["release"]
    scores = [item["score"] for item in body["items"]]
    assert scores == sorted(scores, reverse=True)


def test_posted_events_change_the_next_answer(client: Client) -> None:
    events = [{"user": "ann", "item": f"books-{row}", "kind": "view"} for row in (40, 41)]
    answer = client.post("/v1/events", json=events)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 2})
    found = ids(client.post("/v1/recommend", json={"user": "ann", "k": 5}))
    assert all(id.startswith("books") for id in found[:3])
    assert not {"books-40", "books-41"} & set(found)


def test_one_event_is_posted_without_a_list(client: Client) -> None:
    event = {"user": "bob", "item": "tools-20", "kind": "buy", "time": "2024-05-01T12:00:00Z"}
    assert client.post("/v1/events", json=event).json() == {"accepted": 1}
    assert "tools-20" not in ids(client.post("/v1/recommend", json={"user": "bob", "k": 60}))


def test_an_event_of_an_item_that_the_release_does_not_know_is_taken_in(client: Client) -> None:
    event = {"user": "cid", "item": "newer than the release", "kind": "view"}
    assert client.post("/v1/events", json=event).status_code == 202


def test_similar_items_are_of_the_same_category(client: Client) -> None:
    found = ids(client.post("/v1/similar", json={"item": "tools-25", "k": 4}))
    assert len(found) == 4
    assert all(id.startswith("tools") for id in found)
    assert "tools-25" not in found


def test_filters_and_exclusions_hold(client: Client) -> None:
    wanted = {"k": 60, "where": 'category == "tools" and price >= 35', "exclude": ["tools-36"]}
    assert sorted(ids(client.post("/v1/recommend", json=wanted))) == [
        "tools-35",
        "tools-37",
        "tools-38",
        "tools-39",
    ]


def test_an_explained_answer_tells_the_sources_of_each_item(client: Client) -> None:
    answer = client.post("/v1/recommend", json={"k": 2, "explain": True}).json()
    for item in answer["items"]:
        assert item["explain"]["sources"]


def test_a_hidden_item_is_gone_from_the_next_answer_until_it_is_restored(client: Client) -> None:
    assert client.delete("/v1/items/fruit-0").json() == {"id": "fruit-0", "hidden": True}
    assert "fruit-0" not in ids(client.post("/v1/recommend", json={"k": 60}))
    assert client.get("/v1/items/fruit-0").status_code == 404
    restored = client.post("/v1/items/fruit-0:restore")
    assert restored.json() == {"id": "fruit-0", "hidden": False}
    assert "fruit-0" in ids(client.post("/v1/recommend", json={"k": 60}))


def test_an_item_is_shown_with_its_attributes(client: Client) -> None:
    assert client.get("/v1/items/tools-25").json() == {
        "id": "tools-25",
        "attributes": {"category": "tools", "price": 25.0, "title": "Number 25"},
    }


@pytest.mark.parametrize("id", [*(s for s in STRANGE if s), "a/b", "/a//", "50%2F", "x:restore"])
def test_any_id_can_be_named_in_a_path(client: Client, id: str) -> None:
    path = f"/v1/items/{quote(id.encode('utf-8', 'surrogatepass'), safe='')}"
    answer = client.get(path)
    assert answer.status_code == 404
    assert repr(id) in problem(answer)["problem"]
    hidden = client.delete(path)
    restored = client.post(f"{path}:restore")
    if "\ud800" not in id:  # JSON cannot carry half of a surrogate pair
        assert hidden.json() == {"id": id, "hidden": True}
        assert restored.json() == {"id": id, "hidden": False}


@pytest.mark.parametrize(
    ("path", "body", "field", "says"),
    [
        ("recommend", '{"usr": "ann"}', "usr", "Did you mean 'user'"),
        ("recommend", '{"user": 42}', "user", "Expected `str`, got `int`"),
        ("recommend", '{"k": "ten"}', "k", "Expected `int`, got `str`"),
        ("recommend", '{"k": 0}', "k", "0 items are wanted"),
        ("recommend", '{"k": 100000}', "k", "100000 items are wanted"),
        ("recommend", '{"where": "colour == 1"}', "where", "colour"),
        ("recommend", '{"where": "price <"}', "where", "the expression ended"),
        ("recommend", '{"exclude": "a"}', "exclude", "Expected `array`"),
        ("recommend", '{"exclude": [1]}', "exclude", "Expected `str`"),
        ("recommend", "[]", "", "Expected `object`, got `array`"),
        ("recommend", "", "", "body is missing"),
        ("recommend", '{"user": "ann"', "", "truncated"),
        ("recommend", '{"user": nonsense}', "", "Send one JSON object"),
        ("recommend", b'{"user": "\xff"}', "", "UTF-8"),
        ("recommend", "[" * 100_000 + "]" * 100_000, "", "Expected `object`"),
        ("recommend", '{"x": ' + "[" * 100_000 + "]" * 100_000 + "}", "x", "not a field"),
        ("similar", "{}", "item", "required"),
        ("similar", '{"item": "no such"}', "item", "no such"),
        ("events", '{"user": "ann"}', "item", "required"),
        ("events", '[{"user": "ann", "item": "a"}, {"user": 1}]', "[1].user", "Expected `str`"),
        ("events", '{"user": "", "item": "a"}', "user", "length >= 1"),
        ("events", '{"user": "ann", "item": "a", "kind": "vew"}', "kind", "Did you mean 'view'"),
        ("events", '{"user": "a", "item": "b", "kind": "view", "time": "noon"}', "time", "time"),
        ("events", '{"user": "a", "item": "b", "kind": "view", "time": 7}', "time", "microsec"),
        ("events", '{"user": "a", "item": "b", "weight": 1}', "weight", "not a field"),
    ],
)
def test_bad_input_is_told_by_its_field(
    client: Client, path: str, body: str | bytes, field: str, says: str
) -> None:
    answer = client.post(f"/v1/{path}", content=body)
    assert answer.status_code == 400, answer.text
    error = problem(answer)
    assert field in error["field"]
    assert says in f"{error['problem']} {error['remedy']}"


def test_events_are_taken_in_all_or_none(client: Client, folder: Path) -> None:
    events = [{"user": "ann", "item": "a", "kind": kind} for kind in ("view", "no such kind")]
    assert client.post("/v1/events", json=events).status_code == 400
    assert not list((folder / ".shortlist" / "inbox").glob("*"))


def test_what_cannot_be_written_is_not_acknowledged_and_answers_go_on(
    client: Client, folder: Path
) -> None:
    (folder / ".shortlist" / "inbox").write_text("a file where the folder should be")
    posted = client.post("/v1/events", json={"user": "ann", "item": "fruit-0", "kind": "view"})
    assert posted.status_code == 503
    assert "events cannot be written" in problem(posted)["problem"]
    assert "fruit-0" in ids(client.post("/v1/recommend", json={"user": "ann", "k": 60}))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/nothing", 404), ("GET", "/v1/recommend", 405), ("POST", "/v1/items/a", 404)],
)
def test_a_path_that_is_not_there_is_told_so(
    client: Client, method: str, path: str, status: int
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert problem(answer)


def test_answers_to_users_are_logged_as_impressions(client: Client, folder: Path) -> None:
    answer = client.post("/v1/recommend", json={"user": "dan", "k": 3}).json()
    client.post("/v1/recommend", json={"k": 3})
    client.post("/v1/similar", json={"item": "tools-25", "user": "dan"})
    client.__exit__(None, None, None)  # a server that stops writes what it deferred
    files = (folder / ".shortlist" / "inbox").glob("*.jsonl")
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert [(line["item"], line.get("position")) for line in lines] == [
        ("fruit-0", 0),
        ("fruit-1", 1),
        ("fruit-2", 2),
    ]
    assert {(line["user"], line["kind"], line["request"]) for line in lines} == {
        ("dan", "impression", answer["request"])
    }
    client.__enter__()


def test_a_new_release_is_picked_up(client: Client, folder: Path) -> None:
    published = shop.publish(folder)
    deadline = time.monotonic() + 20
    while client.get("/readyz").json()["release"] != published:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert client.post("/v1/recommend", json={}).json()["release"] == published
    listed = client.get("/v1/releases").json()
    assert listed["current"] == published
    assert len(listed["releases"]) == 2


def test_metrics_count_requests_batches_and_errors(client: Client) -> None:
    client.post("/v1/recommend", json={})
    client.post("/v1/recommend", json={"k": 0})
    text = client.get("/metrics").text
    release = client.get("/readyz").json()["release"]
    assert 'shortlist_requests_total{route="/v1/recommend",status="200"} 1.0' in text
    assert 'shortlist_requests_total{route="/v1/recommend",status="400"} 1.0' in text
    assert "shortlist_batch_size_count 1.0" in text
    assert f'shortlist_release{{release="{release}"}} 1.0' in text


def test_the_api_describes_itself(client: Client) -> None:
    described = client.get("/docs/openapi.json").json()
    assert {"/v1/recommend", "/v1/similar", "/v1/events", "/v1/releases"} <= set(described["paths"])
    body = described["components"]["schemas"]["RecommendBody"]["properties"]
    assert "filter" in body["where"]["description"]
    assert client.get("/docs").status_code == 200
