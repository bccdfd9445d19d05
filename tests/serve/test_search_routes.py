from pathlib import Path
from typing import Any

import pytest
from clients import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shortlist.testing import shop

STRANGE = [
    "🦊🦊🦊",
    "\x00\x01\x07\x1b[31m",
    "𝔘𝔫𝔦 코드 文字 עברית مرحبا ไทย",
    '"unbalanced',
    'a "b" c"',
    "([a-z]+)*$",
    ".*",
    "' OR 1=1; DROP TABLE items; --",
    "number:7 AND (x OR",
    '+-&&||!(){}[]^"~*?:\\/',
    "\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace"),
    "\u202eright to left",
    "x" * 9_999,
    "number " * 1_400,
]


def search(client: Client, query: str, **fields: Any) -> Any:
    return client.post("/v1/search", json={"query": query, **fields})


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


def problem(answer: Any) -> dict[str, str]:
    assert answer.status_code == 400, answer.text
    error: dict[str, str] = answer.json()["error"]
    assert error["problem"].endswith(".")
    return error


def test_the_best_match_comes_first_with_its_words_marked(client: Client) -> None:
    answer = search(client, "number 7", k=2)
    assert ids(answer)[0] == "fruit-7"
    body = answer.json()
    assert body["items"][0]["highlights"] == {"title": "<em>Number</em> <em>7</em>"}
    assert body["query"] == "number 7"
    assert body["found"] >= 59


def test_filters_exclusions_and_visibility_hold(client: Client) -> None:
    found = ids(search(client, "number", k=60, where='category == "tools"', exclude=["tools-22"]))
    assert len(found) == 19
    assert all(id.startswith("tools") for id in found)
    assert "tools-22" not in found
    client.delete("/v1/items/tools-23")
    assert "tools-23" not in ids(search(client, "number 23", k=60))
    assert ids(search(client, "7", where="price == 99")) == []


def test_facets_count_what_was_found(client: Client) -> None:
    counted = search(client, "number", k=1, facets=["category"]).json()["facets"]
    assert counted == {"category": {"fruit": 20, "tools": 20, "books": 19}}  # one book is expired
    narrowed = search(client, "number", facets=["category"], where="price < 25").json()["facets"]
    assert narrowed == {"category": {"fruit": 20, "tools": 5}}


def test_a_quoted_phrase_must_stand_as_it_is(client: Client) -> None:
    assert ids(search(client, '"number 7"')) == ["fruit-7"]
    assert ids(search(client, '"7 number"')) == []


def test_a_word_still_being_typed_matches_what_it_begins(client: Client) -> None:
    assert ids(search(client, "numb")) == []
    assert len(ids(search(client, "numb", unfinished=True))) == 10
    assert ids(search(client, "7 numb", unfinished=True, k=1)) == ["fruit-7"]
    (item,) = search(client, "7 numb", unfinished=True, k=1).json()["items"]
    assert item["highlights"]["title"] == "<em>Number</em> <em>7</em>"


def test_explanations_say_how_an_item_was_found(client: Client) -> None:
    item = search(client, "number 7", k=1, explain=True).json()["items"][0]
    assert item["explain"]["sources"] == {"lexical": 1}
    assert item["explain"]["features"]["exact"] == 1
    assert "explain" not in search(client, "number 7").json()["items"][0]


def test_what_was_seen_may_be_found_again_unless_that_is_unwanted(client: Client) -> None:
    client.post("/v1/events", json={"user": "ann", "item": "fruit-7", "kind": "view"})
    assert ids(search(client, "7", user="ann"))[0] == "fruit-7"
    assert "fruit-7" not in ids(search(client, "7", user="ann", seen=False))


def test_taste_breaks_ties(client: Client) -> None:
    events = [{"user": "bea", "item": f"books-{row}", "kind": "buy"} for row in (41, 42, 43)]
    client.post("/v1/events", json=events)
    assert ids(search(client, "number", user="bea", k=1))[0].startswith("books")


@pytest.mark.parametrize("query", STRANGE, ids=range(len(STRANGE)))
def test_strange_queries_are_answered(client: Client, query: str) -> None:
    assert len(ids(search(client, query, facets=["category"], explain=True))) <= 10
    assert client.get("/v1/suggest", params={"q": query}).status_code == 200


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text(max_size=40), st.booleans())
def test_any_text_is_answered_or_refused_with_a_reason(
    client: Client, query: str, unfinished: bool
) -> None:
    answer = client.post("/v1/search", json={"query": query, "unfinished": unfinished, "k": 3})
    assert answer.status_code in (200, 400)
    if answer.status_code == 400:
        assert problem(answer)["field"] == "query"
        assert not query.strip()


@pytest.mark.parametrize(
    ("field", "value"), [("k", "3"), ("k", 3.0), ("k", True), ("seen", 1), ("explain", "true")]
)
def test_numbers_and_truths_are_not_guessed(client: Client, field: str, value: object) -> None:
    for path, body in (
        ("search", {"query": "number"}),
        ("recommend", {}),
        ("similar", {"item": "a"}),
    ):
        told = client.post(f"/v1/{path}", json=body | {field: value})
        assert told.status_code == 400
        assert problem(told)["field"] == field
        assert "Expected" in problem(told)["problem"]


def test_bad_requests_name_the_field(client: Client) -> None:
    assert problem(client.get("/v1/suggest", params={"q": "x", "k": "few"}))["field"] == "k"
    assert problem(search(client, ""))["field"] == "query"
    assert problem(search(client, " \n "))["field"] == "query"
    assert problem(search(client, "x" * 100_000))["field"] == "query"
    assert problem(search(client, "x", k=0))["field"] == "k"
    assert problem(search(client, "x", k=1_001))["field"] == "k"
    assert problem(search(client, "x", where="category =="))["field"] == "where"
    assert problem(search(client, "x", where="colour == 3"))["field"] == "where"
    assert problem(search(client, "x", facets=["colour"]))["field"] == "facets"
    assert problem(search(client, "x", facets=["price"]))["field"] == "facets"
    assert problem(client.post("/v1/search", json={"q": "x"}))["field"] == "q"
    assert "query" in problem(client.post("/v1/search", json={}))["field"]
    assert client.post("/v1/search", content=b'{"query": "\xff"}').status_code == 400
    assert client.post("/v1/search", content=b'{"query": "\\ud800"}').status_code in (200, 400)
    assert client.get("/v1/suggest", params={"q": "n", "k": 0}).status_code == 400
    assert client.get("/v1/suggest", params={"q": "n", "k": "many"}).status_code == 400


def test_suggestions_are_visible_titles_that_begin_so(client: Client) -> None:
    def suggest(q: str, k: int = 5) -> list[str]:
        found: list[str] = client.get("/v1/suggest", params={"q": q, "k": k}).json()["suggestions"]
        return found

    assert suggest("numb", 3) == ["Number 0", "Number 1", "Number 2"]
    assert suggest("nubmer 1", 2) == ["Number 1", "Number 10"]
    assert suggest("") == suggest("zebra") == []
    client.delete("/v1/items/fruit-0")
    assert suggest("numb", 2) == ["Number 1", "Number 2"]


def test_shown_results_are_logged_as_impressions(client: Client, folder: Path) -> None:
    search(client, "number 7", user="cleo", k=2)
    client.__exit__(None, None, None)
    logged = "".join(p.read_text() for p in (folder / ".shortlist" / "inbox").iterdir())
    assert '"fruit-7"' in logged
    client.__enter__()


def test_a_release_without_words_says_so(tmp_path: Path) -> None:
    from shortlist.core.errors import RequestError
    from shortlist.online.engine import Engine

    shop.publish(tmp_path, searchable=False)
    engine = Engine.open(shop.config(), tmp_path)
    with pytest.raises(RequestError, match="no searches"):
        engine.search("number")
    engine.close()
