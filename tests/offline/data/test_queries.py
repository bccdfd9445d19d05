"""The query log, from a file to columns."""

from pathlib import Path

import numpy as np
import pytest

from shortlist.config.load import parse_config
from shortlist.config.schema import QueriesSection
from shortlist.core.errors import DataError
from shortlist.core.progress import Silent
from shortlist.core.times import DAY
from shortlist.core.vocabulary import Vocabulary
from shortlist.offline.data.collect import collect
from shortlist.offline.data.prepare import prepare
from shortlist.offline.data.queries import read_queries
from shortlist.offline.data.query_log import QueryLog

LOG = """query,item_id,who,when,where
red shoe,a,1,1970-01-03,Oslo
 blue hat ,,2,1970-01-02,
red shoe,zz,,1970-01-04,Rome
,a,1,1970-01-02,Oslo
lost,a,1,never,Oslo
"""
IDS = Vocabulary.of(["b", "a"])


def read(folder: Path, **columns: str) -> QueryLog:
    (folder / "queries.csv").write_text(LOG)
    return read_queries(QueriesSection(path="queries.csv", **columns), folder, IDS)


def test_queries_become_columns_in_the_order_of_time(tmp_path: Path) -> None:
    log = read(tmp_path, user="who", time="when")
    assert log.texts == ["blue hat", "red shoe"]
    assert log.query.tolist() == [0, 1, 1]
    assert log.item.tolist() == [-1, 1, -1]
    assert log.time.tolist() == [DAY, 2 * DAY, 3 * DAY]
    assert len(set(log.user.tolist())) == 3  # nobody's query is nobody else's


def test_who_asked_and_from_where_is_known_where_it_is_kept(tmp_path: Path) -> None:
    log = read(tmp_path, user="who", time="when", place="where")
    assert [log.user_of(number) for number in log.user.tolist()] == ["2", "1", ""]
    assert [log.place_of(row) for row in range(len(log))] == ["", "Oslo", "Rome"]
    assert [log.clicked().place_of(0), log.before(2 * DAY).place_of(0)] == ["Oslo", ""]
    unkept = read(tmp_path)
    assert (unkept.user_of(int(unkept.user[0])), unkept.place_of(0)) == ("", "")


def test_without_users_and_times_every_query_counts_and_is_its_own(tmp_path: Path) -> None:
    log = read(tmp_path)
    assert len(log) == 4
    assert len(set(log.user.tolist())) == 4
    assert len(log.before(0)) == 4


def test_what_was_clicked_and_counted(tmp_path: Path) -> None:
    log = read(tmp_path, time="when")
    assert log.clicked().item.tolist() == [1]
    assert log.counts() == [("blue hat", 1), ("red shoe", 2)]
    assert log.before(2 * DAY).counts() == [("blue hat", 1)]


def test_a_saved_log_is_the_same(tmp_path: Path) -> None:
    log = read(tmp_path, user="who", time="when", place="where")
    log.save(tmp_path)
    opened = QueryLog.load(tmp_path)
    assert opened is not None
    assert (opened.texts, opened.users, opened.places) == (log.texts, log.users, log.places)
    for name in ("query", "item", "user", "time", "place"):
        np.testing.assert_array_equal(getattr(opened, name), getattr(log, name))
    assert QueryLog.load(tmp_path / "nothing") is None


def test_a_column_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no column 'asked'"):
        read(tmp_path, query="asked")


def test_prepare_keeps_the_queries_and_training_is_cut_like_the_log(tmp_path: Path) -> None:
    (tmp_path / "queries.csv").write_text(LOG)
    (tmp_path / "events.csv").write_text(
        "user_id,item_id,timestamp\n"
        + "".join(f"u,{i},1970-01-0{d}\n" for i, d in [("a", 1), ("b", 2), ("a", 5), ("b", 9)])
    )
    config = parse_config(
        '[project]\nname = "x"\n[data.events]\npath = "events.csv"\n'
        '[data.queries]\npath = "queries.csv"\ntime = "when"\n'
    )
    collect(config, tmp_path, Silent())
    data = prepare(config, tmp_path, Silent()).training()
    assert data.queries is not None
    assert len(data.queries) == 3
    early = data.before(2 * DAY).queries
    assert early is not None
    assert [early.texts[q] for q in early.query] == ["blue hat"]
