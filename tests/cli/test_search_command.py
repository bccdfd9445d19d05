import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from shortlist.cli.app import app
from shortlist.serve.search_routes import FoundItem, SearchResult
from shortlist.testing import shop

run = CliRunner().invoke


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    home = tmp_path_factory.mktemp("shop")
    (home / "shortlist.toml").write_text(shop.CONFIG)
    shop.publish(home)
    return str(home)


def test_search_prints_a_table_with_the_matching_words_marked(folder: str) -> None:
    result = run(app, ["search", folder, "number 7", "-k", "2", "--facet", "category"])
    assert result.exit_code == 0, result.output
    assert "59 found" in " ".join(result.stdout.split())
    lines = result.stdout.splitlines()
    assert any("fruit-7" in line and "[Number] [7]" in line for line in lines)
    assert any(line.split() == ["fruit", "20"] for line in lines)


def test_search_prints_json_for_programs(folder: str) -> None:
    result = run(app, ["search", folder, "number 7", "-k", "1", "--json", "--explain"])
    told = json.loads(result.stdout)
    assert told["items"][0]["id"] == "fruit-7"
    assert told["items"][0]["explain"]["sources"] == {"lexical": 1}
    assert told["items"][0]["highlights"] == {"title": "<em>Number</em> <em>7</em>"}
    assert told["understood"]["terms"] == ["number", "7"]


def test_json_and_http_say_the_same_of_a_search(folder: str) -> None:
    result = run(app, ["search", folder, "nmuber 7", "-k", "1", "--json", "--explain"])
    told = json.loads(result.stdout)
    assert told.keys() == set(SearchResult.__struct_fields__)
    assert told["items"][0].keys() == set(FoundItem.__struct_fields__)
    assert [c["meant"] for c in told["corrections"]] == ["number"]


def test_every_item_is_shown_by_its_title(folder: str) -> None:
    result = run(app, ["search", folder, "7", "-k", "1"])
    assert "Number [7]" in result.stdout


def test_an_empty_query_is_an_error_with_a_remedy(folder: str) -> None:
    result = run(app, ["search", folder, " "])
    assert result.exit_code == 1
    assert "the query is empty" in result.stderr


def test_a_config_that_searches_what_is_not_there_names_it(tmp_path: Path) -> None:
    (tmp_path / "shortlist.toml").write_text(shop.CONFIG + "[search.fields]\ntitel = 2\n")
    result = run(app, ["search", str(tmp_path), "x"])
    assert result.exit_code == 1
    assert "search.fields.titel" in result.stderr
    assert "'title'" in result.stderr


def test_a_search_that_finds_nothing_says_so_and_what_was_tried(folder: str) -> None:
    result = run(app, ["search", folder, "zzxqvw"])
    assert result.exit_code == 0, result.output
    assert "Nothing found for 'zzxqvw'; no correction was near enough" in result.stdout
    result = run(app, ["search", folder, "nmuber", "--where", 'category == "none"'])
    assert "Searched for 'number' instead of 'nmuber'." in result.stdout
    assert "Nothing found for 'number' where category == \"none\"" in result.stdout
