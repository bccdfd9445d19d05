"""`init` on generated files: sampled, guessed, written, and read back."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.config.guess import guess
from shortlist.config.load import RETRIEVERS, load_config, parse_config
from shortlist.config.samples import ColumnSample, Guess
from shortlist.config.schema import KnowledgeSection, QueriesSection, UsersSection
from shortlist.config.write import project_path, write_toml
from shortlist.core.errors import DataError
from shortlist.offline.data.sample import sample

FORMATS = {
    "csv": "(HEADER)",
    "jsonl": "(FORMAT json)",
    "parquet": "(FORMAT parquet)",
}
EVENTS = """
    SELECT 'u' || (n % 50) AS "{user}", 'p' || (n % 100) AS "{item}",
        TIMESTAMP '2024-01-01' + to_minutes(n) AS "{time}",
        ['view', 'like', 'purchase'][1 + n % 3] AS "{kind}"
    FROM range(1000) AS t(n)
"""
ITEMS = """
    SELECT 'p' || n AS "{item}", 'Thing number ' || n AS title,
        ['lamp', 'chair', 'desk'][1 + n % 3] AS category, 1.5 * n AS price
    FROM range(100) AS t(n)
"""


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("user", "item", "time", "kind"),
    [
        ("user_id", "item_id", "timestamp", "event"),
        ("customerId", "productId", "eventTime", "eventType"),
        ('the "user"', "item id", "오후 시간", "action"),
    ],
    ids=["plain", "camel case", "quotes and spaces"],
)
def test_files_are_guessed_written_and_read_back(
    tmp_path: Path, format: str, user: str, item: str, time: str, kind: str
) -> None:
    names = {"user": user, "item": item, "time": time, "kind": kind}
    quoted = {role: name.replace('"', '""') for role, name in names.items()}
    events, items = (str(tmp_path / f"{name}.{format}") for name in ("events", "items"))
    duckdb.sql(f"COPY ({EVENTS.format(**quoted)}) TO '{events}' {FORMATS[format]}")
    duckdb.sql(f"COPY ({ITEMS.format(**quoted)}) TO '{items}' {FORMATS[format]}")
    folder = tmp_path / "shop"
    folder.mkdir()

    found = guess(sample(events), sample(items))
    text = write_toml(found, name="shop", folder=folder, events=events, items=items)
    (folder / "shortlist.toml").write_text(text, encoding="utf-8")
    config = load_config(folder)

    log, catalogue = config.data.events, config.data.items
    assert {"user": log.user, "item": log.item, "time": log.time, "kind": log.kind} == names
    assert log.path == f"../events.{format}"
    assert log.weights == {"view": 1, "like": 3, "purchase": 5}
    assert catalogue is not None
    assert (catalogue.path, catalogue.id) == (f"../items.{format}", item)
    assert (catalogue.text, catalogue.attributes) == (["title"], ["category", "price"])
    assert (catalogue.category, catalogue.price) == ("category", "price")
    assert config.retrievers == {}  # training chooses by the data


def test_events_alone_make_a_project(tmp_path: Path) -> None:
    events = str(tmp_path / "log.parquet")
    duckdb.sql(
        "COPY (SELECT 'u' || (n % 5) AS user_id, 'i' || n AS item_id, 1700000000 + n AS ts"
        f" FROM range(50) AS t(n)) TO '{events}'"
    )
    text = write_toml(guess(sample(events)), name="x", folder=tmp_path, events=events)
    config = parse_config(text)

    assert config.data.items is None
    assert config.data.events.path == "log.parquet"
    assert config.data.events.time == "ts"


def test_every_optional_key_is_shown_with_a_default_that_loads() -> None:
    """Uncommenting every default changes nothing, but for the tables that name something."""
    text = write_toml(Guess(), name="x", folder=Path("x"), events="e.csv", items="i.csv")
    shown = "\n".join(
        line.removeprefix("# ")
        if re.match(r"# (\w+ = |\[retrievers|\[data)", line) and "The project's" not in line
        else line
        for line in text.splitlines()
    )
    every = parse_config(shown)

    assert len(shown) < len(text)
    assert set(every.retrievers) == set(RETRIEVERS)
    assert every.data.users == UsersSection(path="users.parquet")
    assert every.data.queries == QueriesSection(path="queries.parquet")
    assert every.data.knowledge == KnowledgeSection(path="knowledge.parquet")
    data = msgspec.structs.replace(every.data, users=None, queries=None, knowledge=None)
    assert msgspec.structs.replace(every, data=data, retrievers={}) == parse_config(text)


def test_what_could_not_be_told_stands_where_it_would_go() -> None:
    unclear = ColumnSample("VARCHAR", ["x", "y"], 2)
    text = write_toml(
        guess({"a": unclear, "b": unclear}), name="x", folder=Path("x"), events="e.csv"
    )
    lines = text.splitlines()

    at = next(n for n, line in enumerate(lines) if line.startswith("# ? user: "))
    assert "'a', 'b'" in lines[at]
    assert lines[at + 1].startswith('# user = "user_id"')


anything = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(
    names=st.lists(anything, min_size=6, max_size=6, unique=True),
    kinds=st.dictionaries(anything, st.floats(0, 1e6), min_size=1, max_size=4),
    project=anything.filter(str.strip),
)
def test_any_names_survive_the_round_trip(
    names: list[str], kinds: dict[str, float], project: str
) -> None:
    user, item, time, kind, title, category = names
    found = Guess()
    for key, value in [
        ("data.events.user", user),
        ("data.events.item", item),
        ("data.events.time", time),
        ("data.events.kind", kind),
        ("data.events.weights", kinds | {"view": 1.0}),
        ("data.events.impression", "never in the list of kinds"),
        ("data.items.id", item),
        ("data.items.text", [title]),
        ("data.items.attributes", [category]),
        ("data.items.category", category),
    ]:
        found.choose(key, value, f"because of {names!s} and {user}")
    found.doubt("data.items.price", f"{title}\nis no price")

    text = write_toml(found, name=project, folder=Path("p"), events="e.csv", items="i.csv")
    config = parse_config(text)

    events, items = config.data.events, config.data.items
    assert [events.user, events.item, events.time, events.kind] == [user, item, time, kind]
    assert events.weights == kinds | {"view": 1.0}
    assert items is not None
    assert (items.text, items.attributes, items.category) == ([title], [category], category)
    assert config.project.name == project


def test_paths_are_relative_when_near() -> None:
    folder = Path("/home/ann/shop")

    assert project_path("/home/ann/shop/data/e.csv", folder) == "data/e.csv"
    assert project_path("/home/ann/e.csv", folder) == "../e.csv"
    assert project_path("/home/ann/logs/2024-*.csv", folder) == "../logs/2024-*.csv"
    assert project_path("/data/e.csv", folder) == "/data/e.csv"
    assert project_path("postgres://db/shop", folder) == "postgres://db/shop"


def test_relative_paths_are_of_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert project_path("e.csv", Path("shop")) == "../e.csv"
    assert project_path("e.csv", Path()) == "e.csv"


def test_samples_say_types_values_and_how_many_differ(tmp_path: Path) -> None:
    file = tmp_path / "x.parquet"
    duckdb.sql(
        "COPY (SELECT n % 3 AS few, 'v' || n AS many, ['a', 'b'] AS list,"
        " CASE WHEN n % 2 = 0 THEN n::DECIMAL(9, 2) END AS half, {'a': 1} AS box"
        f" FROM range(200) AS t(n)) TO '{file}'"
    )
    columns = sample(str(file))

    assert list(columns) == ["few", "many", "list", "half", "box"]
    assert (columns["few"].distinct, columns["few"].is_integer) == (3, True)
    assert (columns["many"].distinct, columns["many"].ratio) == (200, 1.0)
    assert columns["list"].is_list
    assert columns["list"].values[0] == ["a", "b"]
    assert columns["half"].nulls == pytest.approx(0.5)
    assert all(isinstance(value, float) for value in columns["half"].values)


def test_the_same_file_gives_the_same_sample(tmp_path: Path) -> None:
    file = tmp_path / "x.parquet"
    duckdb.sql(f"COPY (SELECT n FROM range(80_000) AS t(n)) TO '{file}'")

    assert sample(str(file)) == sample(str(file))
    assert len(sample(str(file))["n"].values) == 50_000


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("a\n1\n")

    with pytest.raises(DataError, match=r"evnts\.csv.*Did you mean 'events\.csv'\?"):
        sample(str(tmp_path / "evnts.csv"))


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "x.parquet"
    duckdb.sql(f"COPY (SELECT n FROM range(1000) AS t(n)) TO '{file}'")
    file.write_bytes(file.read_bytes()[:-20])

    with pytest.raises(DataError, match=r"x\.parquet"):
        sample(str(file))
