"""Sources that cannot be read: the message names the file and the line, and says what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from shortlist.core.errors import DataError
from shortlist.offline.data import unread


def refused(world: Any) -> str:
    with pytest.raises(DataError) as caught:
        world.collect()
    assert not world.lake()
    return str(caught.value)


def test_a_file_that_is_not_there_offers_its_neighbour(world: Any) -> None:
    world.csv("event.csv", [])
    message = refused(world)
    assert "there is no file" in message
    assert "Did you mean 'event.csv'?" in message


def test_an_unknown_ending_is_refused(world: Any) -> None:
    world.set_events(path="events.xlsx")
    world.write("events.xlsx", "x")
    assert "events.xlsx: the ending says no format" in refused(world)


def test_a_truncated_parquet_file_is_refused(world: Any) -> None:
    world.set_events(path="events.parquet")
    path = world.parquet("events.parquet", user=["u"] * 999, item=["a"] * 999, time=range(999))
    path.write_bytes(path.read_bytes()[:-500])
    assert "events.parquet: this is no complete Parquet file" in refused(world)


def test_a_parquet_file_with_damaged_pages_is_refused(world: Any) -> None:
    world.set_events(path="events.parquet")
    ids = [str(n * n) for n in range(9_999)]
    path = world.parquet("events.parquet", user=ids, item=ids, time=np.arange(9_999))
    content = bytearray(path.read_bytes())
    content[200:20_000] = bytes(19_800)
    path.write_bytes(content)
    assert "events.parquet: the file cannot be read" in refused(world)


def test_a_csv_row_with_too_few_fields_is_named_by_its_line(world: Any) -> None:
    world.csv("events.csv", [("u", "a", 1), ("u", "b"), ("u", "c", 3)])
    message = refused(world)
    assert "events.csv: line 3 is broken: 'u,b' has 2 fields, the header has 3." in message


def test_the_line_is_that_of_the_file_in_any_part_of_it(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unread, "PART_BYTES", 500)
    monkeypatch.setattr("shortlist.offline.data.text._PIECE", 100)
    world.csv("events.csv", [("u", "a", n) for n in range(200)] + [("u", "b")])
    assert "line 202 is broken" in refused(world)


def test_a_broken_json_line_is_named(world: Any) -> None:
    world.set_events(path="events.jsonl")
    good = '{"user": "u", "item": "a", "time": 1}\n'
    world.write("events.jsonl", good + good + '{"user": "u", "item"\n' + good)
    assert "events.jsonl: line 3 is no JSON object" in refused(world)


@pytest.mark.parametrize(
    ("encoding", "hint"), [("latin-1", "iconv -f ISO-8859-1"), ("utf-16", "iconv -f UTF-16")]
)
def test_another_encoding_is_refused_with_the_command_that_converts(
    world: Any, encoding: str, hint: str
) -> None:
    world.write("events.csv", "user,item,time\nu,a,1\nu,café,2\n".encode(encoding))
    message = refused(world)
    assert "is not UTF-8" in message
    assert f"{hint} -t UTF-8 events.csv" in message
    assert encoding == "utf-16" or "line 3" in message


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_missing_column_names_the_file_the_key_and_the_nearest_column(
    world: Any, ending: str
) -> None:
    world.set_events(path=f"events.{ending}", item="item")
    if ending == "csv":
        world.csv("events.csv", [("u", "a", 1)], "user,itemm,time")
    elif ending == "jsonl":
        world.write("events.jsonl", '{"user": "u", "itemm": "a", "time": 1}\n')
    else:
        world.parquet("events.parquet", user=["u"], itemm=["a"], time=[1])
    message = refused(world)
    assert f"events.{ending}: there is no column 'item'" in message
    assert "under `item`. Did you mean 'itemm'?" in message


def test_an_empty_csv_file_is_refused(world: Any) -> None:
    world.write("events.csv", "")
    assert "the file is empty" in refused(world)


def test_a_truncated_gzip_file_is_refused(world: Any) -> None:
    import gzip

    world.set_events(path="events.csv.gz")
    text = "user,item,time\n" + "".join(f"u{n},i{n * n},{n}\n" for n in range(2000))
    world.write("events.csv.gz", gzip.compress(text.encode())[:-40])
    assert "events.csv.gz: the compressed file is damaged" in refused(world)


def test_a_database_without_the_table_is_refused(world: Any) -> None:
    world.set_events(path=f"sqlite://{world.folder}/none.sqlite", table="log")
    assert "has no table 'log'" in refused(world)


def test_a_broken_row_in_the_items_file_is_named(world: Any) -> None:
    world.csv("events.csv", [("u", "a", 1)])
    world.csv("items.csv", [("a", "x"), ("b",)], "item,title")
    world.set_items(path="items.csv", text=["title"])
    world.collect()
    with pytest.raises(DataError, match=r"items.csv: line 3 is broken"):
        world.prepare()


def test_an_items_file_without_the_id_column_is_refused(world: Any) -> None:
    world.csv("events.csv", [("u", "a", 1)])
    world.csv("items.csv", [("a", "x")], "item_id,title")
    world.set_items(path="items.csv", text=["title"])
    world.collect()
    with pytest.raises(DataError, match=r"no column 'item'.*under `id`. Did you mean 'item_id'"):
        world.prepare()
