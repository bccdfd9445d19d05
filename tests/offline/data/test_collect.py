"""What collect takes into the lake, and what it leaves."""

from __future__ import annotations

import gzip
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shortlist.core.errors import DataError
from shortlist.core.times import SECOND
from shortlist.offline.data import unread
from shortlist.offline.data.lake import Lake

DAY_SECONDS = 86_400


def seconds(day: int) -> int:
    return 1_700_000_000 + day * DAY_SECONDS


def test_events_come_into_the_lake_by_month_of_their_time(world: Any) -> None:
    world.csv("events.csv", [("u", "a", "2024-01-31T23:59:59Z"), ("u", "b", "2024-02-01")])
    report = world.collect()
    assert report.taken == 2
    assert [path.parent.name for path in Lake(world.folder).paths()] == [
        "month=2024-01",
        "month=2024-02",
    ]
    newest = int(datetime(2024, 2, 1, tzinfo=UTC).timestamp()) * SECOND
    assert report.watermark == Lake(world.folder).manifest().watermark == newest


def test_a_second_run_reads_nothing_again(world: Any) -> None:
    world.csv("events.csv", [("u", "a", seconds(0))])
    world.collect()
    report = world.collect()
    assert (report.taken, report.duplicates) == (0, 0)
    assert (report.files_read, report.files_skipped) == (0, 1)


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_grown_file_is_read_from_where_it_ended(world: Any, ending: str) -> None:
    def line(user: str, item: str, time: int) -> str:
        if ending == "csv":
            return f"{user},{item},{time}\n"
        return f'{{"user": "{user}", "item": "{item}", "time": {time}}}\n'

    world.set_events(path=f"events.{ending}")
    head = "user,item,time\n" if ending == "csv" else ""
    world.write(f"events.{ending}", head + line("u", "a", seconds(0)) + line("u", "b", seconds(1)))
    world.collect()
    world.write(f"events.{ending}", line("v", "c", seconds(2)), "a")
    report = world.collect()
    assert (report.taken, report.duplicates) == (1, 0)
    assert sum(world.lake().values()) == 3


def test_a_file_without_a_last_line_end_may_grow(world: Any) -> None:
    world.write("events.csv", f"user,item,time\nu,a,{seconds(0)}")
    world.collect()
    world.write("events.csv", f"\nu,b,{seconds(1)}", "a")
    assert world.collect().taken == 1
    assert world.lake("item") == {("a",): 1, ("b",): 1}


def test_a_last_line_that_was_half_written_is_read_again_as_a_whole(world: Any) -> None:
    world.write("events.csv", f"user,item,time\nu,a,{seconds(0)}\nu,bo,{seconds(0)}")
    world.collect()
    world.write("events.csv", f"user,item,time\nu,a,{seconds(0)}\nu,bo,{seconds(0) + 5}0\n")
    world.set_events(lateness="9d")
    report = world.collect()
    assert report.duplicates == 1


def test_new_files_of_a_glob_are_taken(world: Any) -> None:
    world.set_events(path="log/*.csv")
    world.write("log/1.csv", f"user,item,time\nu,a,{seconds(0)}\n")
    world.collect()
    world.write("log/2.csv", f"user,item,time\nu,b,{seconds(1)}\n")
    report = world.collect()
    assert (report.taken, report.files_read, report.files_skipped) == (1, 1, 1)


def test_a_changed_file_gives_only_what_is_newer_than_the_lateness(world: Any) -> None:
    world.set_events(path="events.parquet", lateness="2d")
    world.parquet("events.parquet", user=["u", "u"], item=["a", "b"], time=[seconds(0), seconds(9)])
    world.collect()
    world.parquet(
        "events.parquet",
        user=["u", "u", "u", "u"],
        item=["old", "b", "late", "new"],
        time=[seconds(1), seconds(9), seconds(8), seconds(10)],
    )
    report = world.collect()
    assert (report.taken, report.late, report.duplicates) == (2, 1, 1)
    assert world.lake("item") == {("a",): 1, ("b",): 1, ("late",): 1, ("new",): 1}


def test_events_in_new_files_may_be_late_but_not_too_late(world: Any) -> None:
    world.set_events(path="log/*.csv", lateness="2d")
    world.write("log/1.csv", f"user,item,time\nu,a,{seconds(9)}\n")
    world.collect()
    world.write("log/2.csv", f"user,item,time\nu,ok,{seconds(8)}\nu,gone,{seconds(5)}\n")
    report = world.collect()
    assert (report.taken, report.late, report.too_late) == (1, 1, 1)
    assert report.examples["too_late"].startswith(f"u, gone, {seconds(5)}")


def test_duplicates_are_counted_within_a_run_and_against_the_lake(world: Any) -> None:
    world.set_events(path="log/*.csv", position="position")
    header = "user,item,time,position\n"
    row = f"u,a,{seconds(0)}"
    world.write("log/1.csv", f"{header}{row},1\n{row},2\nv,a,{seconds(0)},3\n")
    report = world.collect()
    assert (report.taken, report.duplicates) == (2, 1)
    world.write("log/2.csv", f"{header}{row},4\n")
    report = world.collect()
    assert (report.taken, report.duplicates) == (0, 1)
    assert report.examples["duplicates"].startswith("u, a, event")
    assert world.lake("user", "position") == {("u", 1): 1, ("v", 3): 1}


def test_the_same_moment_with_another_kind_is_no_duplicate(world: Any) -> None:
    world.set_events(kind="kind")
    rows = [("u", "a", seconds(0), "view"), ("u", "a", seconds(0), "buy")]
    world.csv("events.csv", rows, "user,item,time,kind")
    assert world.collect().taken == 2


def test_rows_that_cannot_be_used_are_counted_with_an_example(world: Any) -> None:
    world.csv(
        "events.csv",
        [("", "a", 1), ("u", "", 2), ("u", "a", "yesterday"), ("u", "a", ""), ("u", "a", 3)],
    )
    report = world.collect()
    assert (report.taken, report.unusable) == (1, 4)
    assert report.examples["unusable"] == f"null, a, 1 ({world.folder / 'events.csv'})"


def test_ids_of_any_type_are_the_same_ids(world: Any) -> None:
    world.set_events(path="log/*")
    (world.folder / "log").mkdir()
    time = [seconds(0)]
    world.parquet("log/1.parquet", user=[196], item=np.array([7], np.int16), time=time)
    world.parquet("log/2.parquet", user=[196.0], item=["7"], time=time)
    world.write("log/3.csv", f"user,item,time\n196,7,{time[0]}\n")
    world.write("log/4.jsonl", f'{{"user": 196, "item": "7", "time": {time[0]}}}\n')
    report = world.collect()
    assert (report.taken, report.duplicates) == (1, 3)
    assert world.lake("user", "item") == {("196", "7"): 1}


def test_times_of_any_type_are_microseconds(world: Any) -> None:
    world.set_events(path="log/*.parquet")
    (world.folder / "log").mkdir()
    instant = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    stamp = int(instant.timestamp())
    spellings: dict[str, pa.Array] = {
        "seconds": pa.array([stamp]),
        "float": pa.array([float(stamp)]),
        "milliseconds": pa.array([stamp * 1000]),
        "microseconds": pa.array([stamp * SECOND]),
        "iso": pa.array(["2024-05-06T07:08:09Z"]),
        "offset": pa.array(["2024-05-06T16:08:09+09:00"]),
        "naive": pa.array(["2024-05-06 07:08:09"]),
        "digits": pa.array([str(stamp)]),
        "timestamp": pa.array([instant.replace(tzinfo=None)], pa.timestamp("ns")),
        "zoned": pa.array([instant], pa.timestamp("ms", "Asia/Seoul")),
        "zoned nanoseconds": pa.array([instant], pa.timestamp("ns", "UTC")),  # pandas writes these
    }
    for name, time in spellings.items():
        world.parquet(f"log/{name}.parquet", user=[name], item=["a"], time=time)
    world.collect()
    assert world.lake("user", "time") == {(name, stamp * SECOND): 1 for name in spellings}


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ids=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)))
def test_ids_with_emoji_quotes_and_newlines_survive(
    world: Any, ids: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    world = type(world)(tmp_path_factory.mktemp("ids") / "project")
    ids = ["🎉", 'say "hi"', "two\nlines", "한국어", "a,b", "'", *ids]
    quoted = ['"' + id.replace('"', '""') + '"' for id in ids]
    rows = [
        (user, item, seconds(n)) for n, (user, item) in enumerate(zip(quoted, quoted, strict=True))
    ]
    world.csv("events.csv", rows)
    world.collect()
    assert set(world.lake("user", "item")) == {(id, id) for id in ids}


def test_the_inbox_is_taken_up_to_its_last_whole_line(world: Any) -> None:
    world.csv("events.csv", [("u", "a", seconds(0))])
    event = {"user": "u", "item": "a", "time": seconds(1) * SECOND, "kind": "impression"}
    world.inbox("writer", event | {"position": 3, "request": "r1"})
    world.inbox("writer", {"user": "v"}, end="")
    assert world.collect().taken == 2
    assert world.lake("user", "position", "request") == {("u", 3, "r1"): 1, ("u", None, None): 1}


def test_a_broken_inbox_line_is_left_out_and_stops_nothing(world: Any) -> None:
    world.csv("events.csv", [("u", "a", seconds(0))])
    world.write(
        ".shortlist/inbox/writer.jsonl",
        f'{{"user": "v", "it\n{{"user": "v", "item": "b", "time": {seconds(1)}}}\n',
    )
    report = world.collect()
    assert (report.taken, report.unusable) == (2, 1)


def test_the_rest_of_a_half_written_inbox_line_is_taken_the_next_time(world: Any) -> None:
    world.csv("events.csv", [("u", "a", seconds(0))])
    path = ".shortlist/inbox/writer.jsonl"
    world.write(path, '{"user": "v", "item')
    assert world.collect().taken == 1
    world.write(path, f'": "b", "time": {seconds(1)}, "kind": "view"}}\n', "a")
    assert world.collect().taken == 1
    assert world.lake("user", "kind") == {("u", "event"): 1, ("v", "view"): 1}


def test_the_inbox_does_not_make_the_events_source_late(world: Any) -> None:
    world.csv("events.csv", [("u", "a", seconds(0))])
    world.inbox("w", {"user": "v", "item": "a", "time": seconds(400), "kind": "view"})
    world.collect()
    world.append("events.csv", [("u", "b", seconds(1))])
    report = world.collect()
    assert (report.taken, report.too_late) == (1, 0)


def test_an_event_from_the_future_makes_nothing_too_late(world: Any) -> None:
    world.csv("events.csv", [("u", "a", "2190-01-01")])
    world.collect()
    world.append("events.csv", [("u", "b", datetime.now(UTC).isoformat())])
    assert world.collect().too_late == 0


def test_compressed_files_are_read(world: Any) -> None:
    world.set_events(path="events.csv.gz")
    text = f"user,item,time\nu,a,{seconds(0)}\n"
    world.write("events.csv.gz", gzip.compress(text.encode()))
    assert world.collect().taken == 1
    world.write("events.csv.gz", gzip.compress((text + f"u,b,{seconds(1)}\n").encode()))
    assert world.collect().taken == 1


def duckdb_run(path: Path, statement: str) -> None:
    with duckdb.connect(str(path)) as con:
        con.execute(statement)


def sqlite_run(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as con:
        con.execute(statement)
        con.commit()


@pytest.mark.parametrize(("scheme", "run"), [("duckdb", duckdb_run), ("sqlite", sqlite_run)])
def test_a_database_is_read_from_its_watermark_on(
    world: Any, scheme: str, run: Callable[[Path, str], None]
) -> None:
    path = world.folder / "log.db"
    run(path, "CREATE TABLE log (user VARCHAR, item INTEGER, time TIMESTAMP)")
    run(path, "INSERT INTO log VALUES ('u', 1, '2024-01-01'), ('u', 2, '2024-01-09')")
    world.set_events(path=f"{scheme}://{path}", table="log")
    assert world.collect().taken == 2
    run(path, "INSERT INTO log VALUES ('v', 3, '2024-01-08'), ('v', 4, '2024-01-02')")
    report = world.collect()
    assert (report.taken, report.late, report.duplicates) == (1, 1, 1)
    assert world.lake("item") == {("1",): 1, ("2",): 1, ("3",): 1}


def test_parts_do_not_change_what_is_collected(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text is cut at record ends, Parquet at rows, wherever the parts end."""
    rng = np.random.default_rng(7)
    rows = [
        (f'"u{rng.integers(9)}\n""x"""', f"i{rng.integers(99)}", seconds(0) + n) for n in range(400)
    ]
    world.set_events(path="log/*")
    world.write("log/1.csv", "user,item,time\n" + "".join(f"{u},{i},{t}\n" for u, i, t in rows))
    world.parquet("log/2.parquet", user=["p"] * 300, item=["a"] * 300, time=np.arange(300))
    monkeypatch.setattr(unread, "PART_BYTES", 700)
    monkeypatch.setattr(unread, "PART_ROWS", 64)
    monkeypatch.setattr("shortlist.offline.data.text._PIECE", 256)
    assert world.collect().taken == 700
    assert len(world.lake()) == 700
    assert set(world.lake("user")) >= {(row[0][1:-1].replace('""', '"'),) for row in rows}


def test_only_one_process_collects(world: Any) -> None:
    world.csv("events.csv", [("u", "a", seconds(0))])
    with (
        Lake(world.folder).locked(),
        pytest.raises(DataError, match="another process is collecting"),
    ):
        world.collect()


def test_files_that_were_never_committed_are_removed(world: Any) -> None:
    world.csv("events.csv", [("u", "a", seconds(0))])
    world.collect()
    orphan = Lake(world.folder).events / "month=2023-11" / "orphan-0.parquet"
    pq.write_table(pa.table({"user": ["ghost"]}), orphan)
    world.collect()
    assert not orphan.exists()
    assert sum(world.lake().values()) == 1


def test_another_column_is_refused_once_the_lake_is_filled(world: Any) -> None:
    world.csv("events.csv", [("u", "a", seconds(0), "k")], "user,item,time,kind")
    world.collect()
    world.set_events(kind="kind")
    with pytest.raises(DataError, match=r"data.events.kind: .*Remove .shortlist/lake"):
        world.collect()


def test_a_damaged_manifest_says_what_to_do(world: Any) -> None:
    world.csv("events.csv", [("u", "a", seconds(0))])
    world.collect()
    world.write(".shortlist/lake/manifest.json", "{")
    with pytest.raises(DataError, match="manifest is damaged"):
        world.collect()


def test_lateness_is_counted_from_the_watermark(world: Any) -> None:
    world.csv("events.csv", [("u", "a", seconds(0))])
    world.collect()
    manifest = Lake(world.folder).manifest()
    (state,) = (s for name, s in manifest.sources.items() if name.startswith("data.events"))
    assert state.watermark == seconds(0) * SECOND
    assert not state.reading
    world.append("events.csv", [("u", "edge", seconds(-2)), ("u", "in", seconds(-2) + 1)])
    assert world.collect().too_late == 1
    assert ("in",) in world.lake("item")
    assert Lake(world.folder).manifest().watermark == state.watermark
