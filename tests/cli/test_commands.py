"""The commands as a person types them, on a small shop."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from shortlist.cli.app import app
from shortlist.config.load import load_config

run = CliRunner().invoke
# Users of one half of the shop stay in it, so that what to recommend is obvious.
EVENTS = """
    SELECT 'u' || user AS user_id, 'p' || (2 * (hash(user, n) % 30) + user % 2) AS item_id,
        TIMESTAMP '2024-01-01' + to_hours(6 * n) + to_minutes(user) AS "timestamp",
        CASE WHEN n % 4 = 0 THEN 'purchase' ELSE 'view' END AS event
    FROM range(40) AS t(user), range(120) AS s(n)
"""
ITEMS = """
    SELECT 'p' || n AS item_id, 'Thing ' || n AS title,
        CASE WHEN n % 2 = 0 THEN 'lamp' ELSE 'chair' END AS category, 10.0 + n AS price
    FROM range(60) AS t(n)
"""


def write_data(folder: Path) -> tuple[str, str]:
    events, items = str(folder / "events.parquet"), str(folder / "items.parquet")
    duckdb.sql(f"COPY ({EVENTS}) TO '{events}'")
    duckdb.sql(f"COPY ({ITEMS}) TO '{items}'")
    return events, items


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A trained project."""
    home = tmp_path_factory.mktemp("shop")
    events, items = write_data(home)
    folder = home / "shop"
    assert run(app, ["init", "--events", events, "--items", items, str(folder)]).exit_code == 0
    settings = folder / "shortlist.toml"
    small = "[ranker]\ntrees = 10\nrequests = 200"
    settings.write_text(settings.read_text().replace("[ranker]", small))
    result = run(app, ["train", str(folder)])
    assert result.exit_code == 0, result.output
    assert "Published release" in result.stdout
    return str(folder)


def test_init_writes_a_project_and_says_what_it_guessed(tmp_path: Path) -> None:
    events, items = write_data(tmp_path)
    folder = tmp_path / "shop"
    result = run(app, ["init", "--events", events, "--items", items, str(folder)])

    assert result.exit_code == 0, result.output
    assert "data.events.user" in result.stdout
    assert f"Next: shortlist check {folder}" in result.stdout
    config = load_config(folder)
    assert config.project.name == "shop"
    assert config.data.events.path == "../events.parquet"
    assert config.data.events.weights == {"view": 1, "purchase": 5}


def test_init_without_a_clear_time_asks_for_it(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("user_id,item_id,seq\nu1,i1,0\nu1,i2,1\n")
    folder = tmp_path / "shop"
    result = run(app, ["init", "--events", str(tmp_path / "log.csv"), str(folder)])

    assert result.exit_code == 0, result.output
    assert "Could not tell" in result.stdout
    assert "data.events.time" in result.stdout
    assert "Complete the keys marked `# ?`" in result.stdout


def test_init_leaves_a_project_alone(tmp_path: Path) -> None:
    events, _ = write_data(tmp_path)
    (tmp_path / "shortlist.toml").write_text("mine")
    result = run(app, ["init", "--events", events, str(tmp_path)])

    assert result.exit_code == 1
    assert "there already" in result.stderr
    assert (tmp_path / "shortlist.toml").read_text() == "mine"


def test_init_names_a_file_that_is_not_there(tmp_path: Path) -> None:
    events, _ = write_data(tmp_path)
    wrong = events.replace("events", "event")
    result = run(app, ["init", "--events", wrong, str(tmp_path / "shop")])

    assert result.exit_code == 1
    assert "Did you mean 'events.parquet'?" in result.stderr
    assert not (tmp_path / "shop").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["check"],
        ["train"],
        ["evaluate"],
        ["recommend", "--user", "u1"],
        ["similar", "--item", "p1"],
        ["serve"],
        ["releases"],
        ["publish", "r1"],
        ["rollback"],
        ["hide", "--item", "p1"],
        ["show", "--item", "p1"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_folder_without_a_project_offers_init(arguments: list[str], tmp_path: Path) -> None:
    result = run(app, [*arguments, str(tmp_path)])

    assert result.exit_code == 1
    assert result.stderr.startswith("error: there is no shortlist.toml in ")
    assert "shortlist init" in result.stderr


def test_the_folder_is_the_current_one_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shortlist.toml").write_text("[project]\nname = 3\n")
    monkeypatch.chdir(tmp_path)
    result = run(app, ["train"])

    assert result.exit_code == 1
    assert "project.name = 3 is not text in quotes" in result.stderr


def test_recommend_shows_titles_categories_and_prices(shop: str) -> None:
    result = run(app, ["recommend", "--user", "u1", "-k", "5", shop])

    assert result.exit_code == 0, result.output
    for heading in ("rank", "id", "title", "category", "price", "score"):
        assert heading in result.stdout
    assert result.stdout.count("Thing ") == 5


def test_recommend_as_json_obeys_filters_and_exclusions(shop: str) -> None:
    asked = ["recommend", "--user", "u1", "-k", "5", "--where", 'category == "lamp"', "--json"]
    first = json.loads(run(app, [*asked, shop]).stdout)
    out = first["items"][0]["id"]
    second = json.loads(run(app, [*asked, "--exclude", out, "--explain", shop]).stdout)

    ids = [item["id"] for item in second["items"]]
    assert len(ids) == 5
    assert out not in ids
    assert all(int(id[1:]) % 2 == 0 for id in ids)
    assert all(item["explain"] for item in second["items"])
    assert second["release"] == first["release"]


def test_similar_items_are_of_the_same_half(shop: str) -> None:
    result = run(app, ["similar", "--item", "p4", "-k", "5", "--json", shop])

    ids = [item["id"] for item in json.loads(result.stdout)["items"]]
    assert len(ids) == 5
    assert all(int(id[1:]) % 2 == 0 for id in ids)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["recommend", "--where", "colour == 1"], "colour"),
        (["recommend", "--where", "price <"], "where"),
        (["similar", "--item", "nothing"], "nothing"),
        (["publish", "nothing"], "nothing"),
    ],
)
def test_a_malformed_request_is_named(shop: str, arguments: list[str], named: str) -> None:
    result = run(app, [*arguments, shop])

    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert named in result.stderr


def test_hidden_items_are_gone_until_shown(shop: str) -> None:
    def ids() -> list[str]:
        result = run(app, ["recommend", "--user", "u2", "--json", shop])
        return [item["id"] for item in json.loads(result.stdout)["items"]]

    first = ids()[0]
    assert run(app, ["hide", "--item", first, shop]).exit_code == 0
    assert first not in ids()
    assert run(app, ["show", "--item", first, shop]).exit_code == 0
    assert first in ids()


def test_evaluate_prints_tables_or_json(shop: str) -> None:
    tables = run(app, ["evaluate", shop])
    document = json.loads(run(app, ["evaluate", "--json", shop]).stdout)

    assert tables.exit_code == 0, tables.output
    for word in ("Retrieval", "Ranking", "shortlist", "popular", "markov", "ndcg@10"):
        assert word in tables.stdout
    assert {"protocol", "users", "retrieval", "ranking", "baselines"} <= set(document)
    assert set(document["ranking"]["ndcg@10"]) == {"value", "low", "high"}


def test_check_finds_nothing_to_mend(shop: str) -> None:
    assert run(app, ["check", shop]).exit_code == 0


def test_releases_are_listed_and_rolled_back(shop: str) -> None:
    first = json.loads(run(app, ["recommend", "--json", shop]).stdout)["release"]
    assert run(app, ["train", shop]).exit_code == 0
    second = json.loads(run(app, ["recommend", "--json", shop]).stdout)["release"]
    listed = run(app, ["releases", shop]).stdout
    back = run(app, ["rollback", shop])

    assert first != second
    assert first in listed
    assert second in listed
    assert f"Release {first} is current." in back.stdout
    assert f"Release {second} is current." in run(app, ["publish", second, shop]).stdout
