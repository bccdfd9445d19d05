"""What is read, kept and said of the users source, and of events that only features count."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from shortlist.config.features import FeatureSection
from shortlist.core.catalogue import NO_TIME
from shortlist.core.errors import DataError
from shortlist.core.keys import kind_code
from shortlist.core.times import SECOND
from shortlist.core.users import UserTable

HEADER = "user,age,city,joined"


@pytest.fixture
def people(world: Any) -> Any:
    world.csv("events.csv", [("u", "a", 1), ("v", "b", 2)])
    world.set_users(attributes=["age", "city", "joined"])
    world.csv("users.csv", [("v", 31, "Ulm", "2024-01-02"), ("007", "", "", "")], HEADER)
    world.collect()
    return world


def test_users_are_columns_of_the_kinds_they_have_in_the_file(people: Any, tmp_path: Any) -> None:
    table = people.prepare().training().user_table
    assert table.kinds == {"age": "number", "city": "keyword", "joined": "time"}
    assert table.rows(["v", "u", "007"]).tolist() == [1, -1, 0]
    assert [column.value(1) for column in table.columns.values()][:2] == [31.0, "Ulm"]
    assert [column.value(0) for column in table.columns.values()] == [None, None, None]
    assert table.columns["joined"].arrays["values"][0] == NO_TIME
    table.save(tmp_path / "users")
    again = UserTable.load(tmp_path / "users")
    assert again.kinds == table.kinds
    assert isinstance(again.columns["age"].arrays["values"].base, np.memmap)


def test_nanoseconds_with_a_time_zone_are_times_of_users_and_items(world: Any) -> None:
    times = pa.array([SECOND * 1000, None], pa.timestamp("ns", "UTC"))
    world.csv("events.csv", [("u", "a", 1), ("v", "b", 2)])
    world.parquet("items.parquet", item=["a", "b"], born=times)
    world.set_items(path="items.parquet", attributes=["born"])
    world.parquet("users.parquet", user=["u", "v"], joined=times)
    world.set_users(path="users.parquet", attributes=["joined"])
    assert world.check().ok
    world.collect()
    data = world.prepare().training()
    for column in (data.catalogue.columns["born"], data.user_table.columns["joined"]):
        assert column.arrays["values"].tolist() == [SECOND, NO_TIME]


def test_without_the_table_nothing_is_known_of_users(world: Any) -> None:
    world.csv("events.csv", [("u", "a", 1)])
    world.collect()
    assert world.prepare().training().user_table is None


@pytest.mark.parametrize(
    ("rows", "keys", "said"),
    [
        ([("v", 1, "x", ""), ("v", 2, "y", "")], {}, r"users.csv: the user id 'v' is on 2 rows"),
        (
            [("v", 1, "x", "")],
            {"attributes": ["aeg"]},
            r"no column 'aeg'.*`attributes\[0\]`.*'age'",
        ),
        ([("v", 1, "x", "")], {"path": "user.csv"}, r"no file .*user.csv.*'users.csv'"),
        ([("", 1, "x", "")], {}, "there is no user in it"),
    ],
)
def test_a_users_source_that_cannot_be_used_says_why(
    people: Any, rows: Any, keys: Any, said: str
) -> None:
    people.csv("users.csv", rows, HEADER)
    people.set_users(**{"attributes": ["age"], **keys})
    with pytest.raises(DataError, match=said):
        people.prepare()
    errors = [f for f in people.check().findings if f.severity == "error"]
    assert errors and all(f.key.startswith("data.users.") for f in errors)


def test_check_warns_of_rows_without_id_and_of_ids_that_nobody_has(people: Any) -> None:
    assert people.check().findings == []
    people.csv("users.csv", [("", 1, "x", ""), ("V", 1, "x", "")], HEADER)
    told = {f.key + f.severity: f for f in people.check().findings}
    assert set(told) == {"data.users.idwarning"}
    people.set_users()
    assert [f.key for f in people.check().findings] == ["data.users.attributes"]
    assert people.prepare().user_table() is None
    people.set_users(attributes=["age"])
    counts = [(f.count, f.examples) for f in people.check().findings]
    assert counts == [(1, ["null"]), (2, ["u", "v"])]


def test_events_that_a_feature_counts_are_kept_beside_interactions(world: Any) -> None:
    world.set_events(kind="kind", weights={"buy": 5, "scroll": 0})
    rows = [("u", "a", 1, "buy"), ("u", "a", 2, "scroll"), ("v", "b", 3, "impression")]
    world.csv("events.csv", [*rows, ("w", "b", 4, "hover")], "user,item,time,kind")
    world.collect()
    assert world.prepare().training().others is None
    world.features = {"a": FeatureSection(value="count", kinds=["scroll", "impression"])}
    prepared = world.prepare()
    data = prepared.training()
    assert data.others.time.tolist() == [2 * SECOND, 3 * SECOND]
    assert data.others.kind.tolist() == [kind_code("scroll"), kind_code("impression")]
    assert [prepared.user_ids()[user] for user in data.others.user] == ["u", "v"]
    assert len(data) == 1
    assert len(data.before(3 * SECOND).others) == 1
    counts = prepared.counts
    assert (counts.others, counts.weightless, counts.unknown_items) == (1, 1, 0)
    assert counts.impressions == 1
