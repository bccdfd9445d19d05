"""What prepare makes of the lake and the items."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from shortlist.core.catalogue import NO_TIME
from shortlist.core.errors import DataError
from shortlist.core.times import DAY, MINUTE, SECOND
from shortlist.offline.data.prepared import Prepared
from shortlist.stores.contract import kind_code

HEADER = "user,item,time,kind"


def log(world: Any, *rows: tuple[Any, ...], **keys: Any) -> None:
    world.set_events(kind="kind", **keys)
    world.csv("events.csv", list(rows), HEADER)
    world.collect()


def test_interactions_are_sorted_and_weighed_by_kind(world: Any) -> None:
    log(
        world,
        ("v", "b", 200, "buy"),
        ("v", "a", 100, "view"),
        ("u", "c", 300, "view"),
        ("u", "c", 310, "hover"),
        weights={"view": 1, "buy": 5},
    )
    prepared = world.prepare()
    data = prepared.training()
    ids = prepared.catalogue.vocabulary.ids()
    users = prepared.user_ids()
    rows = zip(data.user.tolist(), data.item.tolist(), data.weight.tolist(), strict=True)
    assert [(users[u], ids[i], w) for u, i, w in rows] == [
        ("u", "c", 1.0),
        ("v", "a", 1.0),
        ("v", "b", 5.0),
    ]
    assert data.time.tolist() == [300 * SECOND, 100 * SECOND, 200 * SECOND]
    assert prepared.counts.weightless == 1
    assert data.until == prepared.watermark + 1 == 300 * SECOND + 1
    assert {a.dtype.str for a in (data.user, data.item)} == {"<i4"}
    assert (data.weight.dtype, data.session.dtype, data.time.dtype) == ("f4", "i8", "i8")


def test_a_pause_longer_than_the_gap_ends_a_session(world: Any) -> None:
    gap = 30 * MINUTE // SECOND
    log(
        world,
        ("u", "a", 0, "e"),
        ("u", "b", gap, "e"),
        ("u", "c", 2 * gap + 1, "e"),
        ("v", "a", 2 * gap + 1, "e"),
    )
    prepared = world.prepare()
    assert prepared.training().session.tolist() == [0, 0, 1, 2]
    assert prepared.counts.sessions == 3


def test_impressions_are_kept_apart_and_grouped_by_request(world: Any) -> None:
    world.set_events(kind="kind", position="position", request="request")
    rows = [
        ("u", "b", 10, "impression", 1, "r1"),
        ("u", "a", 10, "impression", 0, "r1"),
        ("v", "a", 5, "impression", "", ""),
        ("u", "a", 11, "click", "", ""),
    ]
    world.csv("events.csv", rows, HEADER + ",position,request")
    world.collect()
    prepared = world.prepare()
    table = pq.read_table(prepared.impressions_path).to_pydict()
    assert table["request"] == ["v:5000000", "r1", "r1"]
    assert table["position"] == [None, 0, 1]
    assert (prepared.counts.interactions, prepared.counts.impressions) == (1, 3)
    assert prepared.user_ids() == ["u", "v"]


def test_events_of_unknown_items_are_left_out(world: Any) -> None:
    world.csv("items.csv", [("a", "x")], "item,title")
    world.set_items(path="items.csv", text=["title"])
    log(world, ("u", "a", 1, "e"), ("u", "ghost", 2, "e"))
    prepared = world.prepare()
    assert prepared.counts.unknown_items == 1
    assert prepared.catalogue.vocabulary.ids() == ["a"]


def test_columns_keep_the_kind_they_have_in_the_file(world: Any) -> None:
    lines = [
        '{"item": 1, "title": "한국어 🎉", "price": 1.5, "tags": ["b", "a"], "new": true,'
        ' "since": "2024-01-01T00:00:00", "brand": "x"}',
        '{"item": 2, "title": null, "price": null, "tags": [], "new": false, "since": null}',
        '{"item": 3, "title": "c", "price": 2, "tags": ["a", null], "brand": "w"}',
    ]
    world.write("items.jsonl", "\n".join(lines) + "\n")
    attributes = ["price", "tags", "new", "since", "brand"]
    world.set_items(path="items.jsonl", text=["title"], attributes=attributes)
    log(world, ("u", 1, 1, "e"))
    catalogue = world.prepare().catalogue
    kinds = {name: column.kind for name, column in catalogue.columns.items()}
    assert kinds == {
        "title": "text",
        "price": "number",
        "tags": "keywords",
        "new": "keyword",
        "since": "time",
        "brand": "keyword",
    }
    since = 1_704_067_200 * SECOND
    assert [list(catalogue.item(row).values()) for row in range(3)] == [
        ["한국어 🎉", 1.5, ["b", "a"], "true", since, "x"],
        ["", None, [], "false", None, None],
        ["c", 2.0, ["a"], None, None, "w"],
    ]
    assert catalogue.columns["brand"].terms == ("w", "x")
    assert catalogue.columns["since"].arrays["values"][1] == NO_TIME


def test_text_columns_of_a_csv_file_find_their_types(world: Any) -> None:
    world.csv("items.csv", [("007", 3, "1"), ("7", "", "n/a")], "item,price,code")
    world.set_items(path="items.csv", attributes=["price", "code"], price="price")
    log(world, ("u", "007", 1, "e"))
    catalogue = world.prepare().catalogue
    assert catalogue.vocabulary.ids() == ["007", "7"]
    assert catalogue.item(0) == {"price": 3.0, "code": "1"}
    assert catalogue.item(1) == {"price": None, "code": "n/a"}


def test_availability_and_expiry_come_from_their_columns(world: Any) -> None:
    rows = [("a", "true", "2030-01-01"), ("b", "false", ""), ("c", "", "")]
    world.csv("items.csv", rows, "item,stock,until")
    world.set_items(path="items.csv", available="stock", expires="until")
    log(world, ("u", "a", 1, "e"))
    catalogue = world.prepare().catalogue
    assert catalogue.available.tolist() == [True, False, True]
    assert catalogue.expires.tolist() == [1_893_456_000 * SECOND, *[np.iinfo(np.int64).max] * 2]
    assert catalogue.columns == {}


def test_rows_are_stable_and_a_vanished_item_becomes_unavailable(world: Any) -> None:
    world.csv("items.csv", [("m", "x"), ("n", "y")], "item,title")
    world.set_items(path="items.csv", text=["title"])
    log(world, ("u", "m", 1, "e"))
    world.prepare()
    world.csv("items.csv", [("a", "new"), ("n", "y")], "item,title")
    catalogue = world.prepare().catalogue
    assert catalogue.vocabulary.ids() == ["m", "n", "a"]
    assert catalogue.available.tolist() == [False, True, True]
    assert [catalogue.item(row)["title"] for row in range(3)] == ["", "y", "new"]


def test_an_item_on_two_rows_is_refused_and_what_was_prepared_stays(world: Any) -> None:
    world.csv("items.csv", [("a", "x")], "item,title")
    world.set_items(path="items.csv", text=["title"])
    log(world, ("u", "a", 1, "e"))
    before = world.prepare().summary
    world.csv("items.csv", [("a", "x"), ("a", "y")], "item,title")
    with pytest.raises(DataError, match=r"items.csv: the item id 'a' is on 2 rows"):
        world.prepare()
    assert Prepared.load(world.folder).summary == before


def test_an_empty_log_is_refused(world: Any) -> None:
    log(world)
    with pytest.raises(DataError, match="the log is empty"):
        world.prepare()


def test_a_log_in_which_nothing_counts_is_refused(world: Any) -> None:
    log(world, ("u", "a", 1, "hover"), weights={"view": 1})
    with pytest.raises(DataError, match="no event counts"):
        world.prepare()


def test_a_log_of_one_user_and_one_event_is_prepared(world: Any) -> None:
    log(world, ("u", "a", 1, "e"))
    prepared = world.prepare()
    assert prepared.split == prepared.watermark + 1
    assert len(prepared.training().before(prepared.split)) == 1


def test_the_holdout_is_the_newest_part(world: Any) -> None:
    log(world, *(("u", "a", day * DAY // SECOND, "e") for day in range(30)))
    assert world.prepare().split == 26 * DAY + 1
    world.prepare_section = type(world.prepare_section)(holdout="1d")
    assert world.prepare().split == 28 * DAY + 1
    world.prepare_section = type(world.prepare_section)(holdout="90d")
    with pytest.raises(DataError, match=r"prepare.holdout: the holdout of 90d is all of the log"):
        world.prepare()


def test_strange_ids_come_through_whole(world: Any) -> None:
    strange = ["🎉", 'say "hi"', "two\nlines", "한국어", "a,b", "'; DROP TABLE", " "]
    quoted = ['"' + id.replace('"', '""') + '"' for id in strange]
    log(world, *((id, id, n, "e") for n, id in enumerate(quoted)))
    prepared = world.prepare()
    assert sorted(prepared.user_ids()) == sorted(strange)
    assert sorted(prepared.catalogue.vocabulary.ids()) == sorted(strange)


def test_the_same_inputs_are_prepared_to_the_same_bytes(world: Any) -> None:
    log(world, *((f"u{n % 7}", f"i{n % 5}", n // 3, "e") for n in range(500)))

    def contents() -> dict[str, bytes]:
        path = world.prepare().path
        return {str(f.relative_to(path)): f.read_bytes() for f in path.rglob("*") if f.is_file()}

    assert contents() == contents()


def test_a_run_killed_between_the_two_renames_is_mended(world: Any) -> None:
    log(world, ("u", "m", 1, "e"))
    path = world.prepare().path
    path.rename(path.with_name("prepared.old"))
    world.append("events.csv", [("u", "a", 2, "e")])
    world.collect()
    assert world.prepare().catalogue.vocabulary.ids() == ["m", "a"]


@pytest.mark.parametrize("batch", [1, 2, 100])
def test_histories_are_every_users_interactions(
    world: Any, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    rows = [
        (f"u{u}", f"i{i}", int(t), ("view", "buy")[t % 2])
        for u, i, t in rng.integers(0, (5, 9, 300), (60, 3))
    ]
    log(world, *rows)
    prepared = world.prepare()
    monkeypatch.setattr("shortlist.offline.data.prepared._BATCH_ROWS", 7)
    data = prepared.training()
    keys = prepared.catalogue.vocabulary.keys()
    for before in (None, 150 * SECOND):
        found = {}
        for users, offsets, events in prepared.histories(batch, before):
            assert 0 < len(users) <= batch
            for user, start, stop in zip(users, offsets[:-1], offsets[1:], strict=True):
                assert user not in found
                found[user] = events[start:stop]
        for row, user in enumerate(prepared.user_ids()):
            keep = (data.user == row) & (data.time < (before or data.until))
            mine = found.get(user, np.empty(0, next(iter(found.values())).dtype))
            assert mine["time"].tolist() == data.time[keep].tolist()
            assert mine["item"].tolist() == keys[data.item[keep]].tolist()
            odd = mine["time"] // SECOND % 2 == 1
            assert set(mine["kind"][odd]) <= {kind_code("buy")}
            assert set(mine["kind"][~odd]) <= {kind_code("view")}


def test_nothing_prepared_says_so(world: Any) -> None:
    with pytest.raises(DataError, match="nothing has been prepared"):
        Prepared.load(world.folder)


def test_propensities_and_variants_of_impressions_come_through(world: Any) -> None:
    lines = [
        {"user": "u", "item": "a", "time": 1_700_000_000, "kind": "view"},
        {"user": "u", "item": "a", "time": 1_700_000_001, "kind": "impression",
         "propensity": 0.25, "variants": {"list": "new"}},
        {"user": "u", "item": "b", "time": 1_700_000_001, "kind": "impression",
         "propensity": 7, "variants": "none"},
        {"user": "v", "item": "b", "time": 1_700_090_000, "kind": "view"},
    ]  # fmt: skip
    inbox = world.folder / ".shortlist" / "inbox"
    inbox.mkdir(parents=True)
    (inbox / "1.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    world.csv("events.csv", [("u", "a", 1_699_000_000)])
    world.collect()
    prepared = world.prepare()
    table = pq.read_table(prepared.impressions_path).to_pylist()
    told = [(one["propensity"], one["variants"]) for one in table]
    assert told == [(0.25, '{"list":"new"}'), (None, None)]
