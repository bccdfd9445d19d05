import sqlite3
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.core.errors import StoreError
from shortlist.stores.contract import EVENT, HistoryStore
from shortlist.stores.memory import MemoryHistory
from shortlist.stores.merge import merge, out_of_order
from shortlist.stores.redis import RedisHistory
from shortlist.stores.sqlite import SqliteHistory
from shortlist.testing.stores import HistorySuite, SharedHistorySuite, batch, events, times


class TestMemoryHistory(HistorySuite):
    def open(self, capacity: int) -> HistoryStore:
        return MemoryHistory(capacity)

    def test_an_old_instant_still_finds_a_full_history(self) -> None:
        store = MemoryHistory(2)
        store.load([batch({"ann": events(*((f"i{t}", t) for t in range(9)))})])
        (history,) = store.read(["ann"], np.array([4]))
        assert times(history) == [2, 3]

    def test_what_stays_behind_can_be_bounded(self) -> None:
        store = MemoryHistory(2, keep=3)
        store.append(["ann"] * 9, events(*((f"i{t}", t) for t in range(9))))
        assert times(store.read(["ann"], np.array([8]))[0]) == [6, 7]
        assert times(store.read(["ann"], np.array([7]))[0]) == [6]


class TestSqliteHistory(SharedHistorySuite):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "state" / "history.sqlite"

    def open(self, capacity: int) -> HistoryStore:
        return SqliteHistory(self.path, capacity)

    def test_a_file_that_is_no_database_is_named(self) -> None:
        self.path.parent.mkdir()
        self.path.write_text("events\n" * 1000)
        with pytest.raises(StoreError, match=r"history\.sqlite: .*not a database"):
            self.open(5)

    def test_a_history_cut_short_is_an_error_that_names_the_file(self) -> None:
        store = self.open(5)
        store.append(["ann"], events(("a", 1)))
        with sqlite3.connect(self.path) as connection:
            connection.execute("UPDATE history SET events = substr(events, 1, 7)")
        with pytest.raises(StoreError, match=r"history\.sqlite: .*whole events"):
            store.read(["ann"])

    def test_a_larger_capacity_than_before_keeps_more_from_now_on(self) -> None:
        with_two = self.open(2)
        with_two.append(["ann"] * 3, events(("a", 1), ("b", 2), ("c", 3)))
        with_two.close()
        with_four = self.open(4)
        with_four.append(["ann"] * 2, events(("d", 4), ("e", 5)))
        assert times(with_four.read(["ann"])[0]) == [2, 3, 4, 5]
        smaller = self.open(1)
        assert times(smaller.read(["ann"])[0]) == [5]


class TestRedisHistory(SharedHistorySuite):
    @pytest.fixture(autouse=True)
    def _server(self, empty_redis: str) -> None:
        self.url = empty_redis

    def open(self, capacity: int) -> HistoryStore:
        return RedisHistory(self.url, capacity)

    def test_a_server_that_does_not_answer_is_named_without_its_password(self) -> None:
        with pytest.raises(StoreError, match=r"redis://:\*\*\*@localhost:1/0: Redis says"):
            RedisHistory("redis://:secret@localhost:1/0")


event = st.tuples(st.integers(0, 3), st.integers(-2, 5), st.integers(0, 1))


@given(st.lists(event), st.lists(event), st.integers(1, 8))
def test_a_history_is_the_newest_of_the_set_of_all_events(
    earlier: list[tuple[int, int, int]], later: list[tuple[int, int, int]], capacity: int
) -> None:
    def newest(triples: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
        return sorted(set(triples), key=lambda e: (e[1], e[0], e[2]))[-capacity:]

    kept, added = merge(np.empty(0, EVENT), np.array(earlier, EVENT), capacity)
    assert kept.tolist() == added.tolist() == newest(earlier)
    history, added = merge(kept, np.array(later, EVENT), capacity)
    assert history.tolist() == newest(earlier + later)
    assert added.tolist() == [e for e in history.tolist() if e not in kept.tolist()]


@given(st.lists(st.lists(event, max_size=4), max_size=6))
def test_histories_out_of_order_are_found(histories: list[list[tuple[int, int, int]]]) -> None:
    named = {str(n): np.array(history, EVENT) for n, history in enumerate(histories)}
    _, offsets, together = batch(named)
    wrong = [
        n
        for n, history in enumerate(histories)
        if sorted(set(history), key=lambda e: (e[1], e[0], e[2])) != history
    ]
    assert out_of_order(offsets, together).tolist() == wrong
