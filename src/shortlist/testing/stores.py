"""What every store must do, as test classes that each implementation's tests inherit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from shortlist.core.keys import item_key
from shortlist.stores.contract import (
    EVENT,
    AvailabilityStore,
    Events,
    HistoryStore,
    Posted,
    kind_code,
)

STRANGE = ["🛒 가격", 'it\'s "quoted"', "line\nbreak", "nul\0inside", "lone\ud800surrogate", ""]
"""Ids that are text like any other."""


def events(*triples: tuple[str, int] | tuple[str, int, str]) -> Events:
    """`EVENT` records of (item, time) or (item, time, kind)."""
    made = np.empty(len(triples), EVENT)
    for place, (item, time, *kind) in enumerate(triples):
        made[place] = (item_key(item), time, kind_code(kind[0] if kind else "view"))
    return made


def batch(histories: dict[str, Events]) -> tuple[list[str], NDArray[np.int64], Events]:
    """Histories as one batch of `HistoryStore.load`."""
    offsets = np.zeros(len(histories) + 1, np.int64)
    np.cumsum([len(history) for history in histories.values()], out=offsets[1:])
    together = np.concatenate([np.empty(0, EVENT), *histories.values()])
    return list(histories), offsets, together


def times(history: Events) -> list[int]:
    """The times of a history, in order."""
    found: list[int] = history["time"].tolist()
    return found


def contexts(posted: Posted) -> dict[tuple[str, int], str]:
    """The context of each event, by user (ann or bob) and time."""
    users = {item_key(name): name for name in ("ann", "bob")}
    texts = [posted.contexts[place] if place >= 0 else "" for place in posted.place.tolist()]
    keys = zip(posted.events["user"].tolist(), posted.events["time"].tolist(), strict=True)
    return {(users[user], time): text for (user, time), text in zip(keys, texts, strict=True)}


class HistorySuite:
    """The contract of `HistoryStore`. Subclasses say how to open a store."""

    def open(self, capacity: int) -> HistoryStore:
        """A store on the same, at first empty, state each time it is called in a test."""
        raise NotImplementedError

    @pytest.fixture
    def store(self) -> Iterator[HistoryStore]:
        """A store that keeps five events of a user."""
        store = self.open(5)
        yield store
        store.close()

    def test_a_user_never_seen_has_no_events(self, store: HistoryStore) -> None:
        (history,) = store.read(["nobody"])
        assert history.dtype == EVENT
        assert len(history) == 0

    def test_what_is_appended_is_read_back_oldest_first(self, store: HistoryStore) -> None:
        posted = events(("b", 20, "like"), ("a", 10))
        assert store.append(["ann", "ann"], posted) == 2
        (history,) = store.read(["ann"])
        assert history.tolist() == events(("a", 10), ("b", 20, "like")).tolist()

    def test_a_batch_reads_each_user_in_its_place(self, store: HistoryStore) -> None:
        store.append(["ann", "bob", "ann"], events(("a", 1), ("b", 2), ("c", 3)))
        found = store.read(["bob", "nobody", "ann", "bob"])
        assert [times(history) for history in found] == [[2], [], [1, 3], [2]]
        assert store.read([]) == []

    def test_the_newest_are_kept(self, store: HistoryStore) -> None:
        store.append(["ann"] * 8, events(*((f"i{time}", time) for time in range(8))))
        assert times(store.read(["ann"])[0]) == [3, 4, 5, 6, 7]

    def test_an_event_that_is_there_is_not_added_again(self, store: HistoryStore) -> None:
        store.append(["ann"], events(("a", 10)))
        assert store.append(["ann", "ann"], events(("a", 10), ("a", 10))) == 0
        assert store.append(["ann", "ann"], events(("b", 20), ("b", 20))) == 1
        assert times(store.read(["ann"])[0]) == [10, 20]

    def test_another_time_kind_or_user_makes_another_event(self, store: HistoryStore) -> None:
        store.append(["ann"], events(("a", 10)))
        posted = events(("a", 11), ("a", 10, "like"), ("a", 10))
        assert store.append(["ann", "ann", "bob"], posted) == 3
        assert [len(history) for history in store.read(["ann", "bob"])] == [3, 1]

    def test_a_late_event_takes_its_place_in_time(self, store: HistoryStore) -> None:
        store.append(["ann"] * 2, events(("a", 10), ("c", 30)))
        store.append(["ann"], events(("b", 20)))
        assert times(store.read(["ann"])[0]) == [10, 20, 30]

    def test_reading_before_an_instant_leaves_out_that_instant(self, store: HistoryStore) -> None:
        store.append(["ann"] * 3 + ["bob"], events(("a", 10), ("b", 20), ("c", 30), ("d", 5)))
        found = store.read(["ann", "bob", "ann"], np.array([20, 100, -5], np.int64))
        assert [times(history) for history in found] == [[10], [5], []]

    def test_events_of_one_instant_have_one_order_however_they_came(
        self, store: HistoryStore
    ) -> None:
        posted = events(("a", 10), ("b", 10), ("c", 10), ("a", 10, "like"))
        store.append(["ann"] * 4, posted)
        store.append(["bob"] * 4, posted[::-1])
        store.load([batch({"cid": posted[[2, 0, 3, 1]]})])
        ann, bob, cid = (history.tolist() for history in store.read(["ann", "bob", "cid"]))
        assert ann == bob == cid == sorted(posted.tolist(), key=lambda e: (e[1], e[0], e[2]))

    def test_any_order_of_appends_and_loads_gives_one_history(self, store: HistoryStore) -> None:
        random = np.random.default_rng(7)
        log = [(f"i{random.integers(4)}", int(random.integers(-3, 9))) for _ in range(30)]
        wanted = sorted(set(events(*log).tolist()), key=lambda e: (e[1], e[0], e[2]))[-5:]
        for user in ("ann", "bob", "cid"):
            random.shuffle(log)
            for start in range(0, 30, 6):
                part = events(*log[start : start + 6])
                if random.random() < 0.5:
                    store.load([batch({user: part})])
                else:
                    store.append([user] * len(part), part)
            assert store.read([user])[0].tolist() == wanted

    def test_what_an_append_adds_is_counted_once(self, store: HistoryStore) -> None:
        store.append(["ann"] * 5, events(*((f"i{time}", time) for time in range(10, 15))))
        assert store.append(["ann"] * 2, events(("new", 20), ("i12", 12))) == 1
        assert times(store.read(["ann"])[0]) == [11, 12, 13, 14, 20]

    @pytest.mark.parametrize("id", STRANGE)
    def test_any_text_is_an_id(self, store: HistoryStore, id: str) -> None:
        store.append([id], events((id, 10)))
        store.load([batch({id: events((id, 20))})])
        (history,) = store.read([id])
        assert history["item"].tolist() == [item_key(id)] * 2

    def test_loading_merges_with_what_is_there(self, store: HistoryStore) -> None:
        store.append(["ann", "bob"], events(("a", 10), ("b", 50)))
        store.load(
            [
                batch({"ann": events(("a", 10), ("c", 5)), "cid": events(("d", 1))}),
                batch({"ann": events(("e", 60)), "bob": events()}),
            ]
        )
        found = store.read(["ann", "bob", "cid"])
        assert [times(history) for history in found] == [[5, 10, 60], [50], [1]]

    def test_loading_the_same_again_changes_nothing(self, store: HistoryStore) -> None:
        loaded = batch({f"u{n}": events(*((f"i{t}", t) for t in range(n))) for n in range(9)})
        store.load([loaded])
        before = [history.tolist() for history in store.read(loaded[0])]
        store.load([loaded, loaded])
        assert [history.tolist() for history in store.read(loaded[0])] == before
        assert [len(history) for history in before] == [0, 1, 2, 3, 4, 5, 5, 5, 5]

    def test_since_remembers_appended_events_of_everybody(self, store: HistoryStore) -> None:
        store.load([batch({"ann": events(("loaded", 15))})])
        store.append(["ann", "bob", "bob"], events(("a", 30), ("a", 30), ("b", 10)))
        store.append(["ann"], events(("a", 30)))
        items, instants = store.since(0)
        assert items.dtype == np.uint64
        assert items.tolist() == [item_key("b"), item_key("a"), item_key("a")]
        assert instants.tolist() == [10, 30, 30]
        assert store.since(11)[1].tolist() == store.since(30)[1].tolist() == [30, 30]
        assert [len(column) for column in store.since(31)] == [0, 0]

    def test_each_posted_event_is_told_once(self, store: HistoryStore) -> None:
        store.load([batch({"ann": events(("loaded", 15))})])
        assert len(store.posted().events) == 0
        store.append(["ann", "bob"], events(("late", 30), ("a", 20, "like")))
        posted = store.posted()
        first, cursor = posted.events, posted.after
        assert sorted(zip(first["item"], first["user"], first["kind"], strict=True)) == sorted(
            [
                (item_key("late"), item_key("ann"), kind_code("view")),
                (item_key("a"), item_key("bob"), kind_code("like")),
            ]
        )
        assert len(store.posted(cursor).events) == 0
        store.append(["ann"], events(("late", 30)))
        store.append(["ann"], events(("early", 10)))
        store.forget_recent(9)
        posted = store.posted(cursor)
        fresh, later = posted.events, posted.after
        assert fresh["item"].tolist() == [item_key("early")]
        store.forget_recent(40)
        assert len(store.posted().events) == len(store.posted(later).events) == 0
        store.append(["cid"], events(("b", 50)))
        assert store.posted(later).events["time"].tolist() == [50]

    def test_what_is_noted_is_told_to_those_who_ask_and_is_in_no_history(
        self, store: HistoryStore
    ) -> None:
        assert len(store.noted().events) == 0
        store.note(["ann", "bob"], events(("a", 20, "impression"), ("b", 30, "impression")))
        noted = store.noted()
        told, cursor = noted.events, noted.after
        assert told["item"].tolist() == [item_key("a"), item_key("b")]
        assert told["user"].tolist() == [item_key("ann"), item_key("bob")]
        assert told["kind"].tolist() == [kind_code("impression")] * 2
        assert len(store.read(["ann"])[0]) == len(store.since(0)[0]) == 0
        assert len(store.posted().events) == 0
        assert len(store.noted(cursor).events) == 0
        store.note(["ann"], events(("a", 20, "impression")))
        noted = store.noted(cursor)
        again, later = noted.events, noted.after
        assert again["time"].tolist() == [20]
        store.forget_recent(25)
        assert store.noted().events["time"].tolist() == [30]
        assert len(store.noted(later).events) == 0

    def test_contexts_are_told_with_the_events_that_have_one(self, store: HistoryStore) -> None:
        first, second = '{"device":"ios","surface":"café 🛒"}', '{"device":"web"}'
        posted = events(("b", 20), ("a", 10), ("c", 5), ("a", 10))
        owners = ["ann", "ann", "bob", "ann"]
        assert store.append(owners, posted, [first, second, "", first]) == 3
        told = store.posted()
        assert contexts(told) == {("ann", 10): second, ("ann", 20): first, ("bob", 5): ""}
        assert store.append(["ann"], events(("a", 10)), [first]) == 0
        store.append(["ann"], events(("d", 30)))
        later = store.posted(told.after)
        assert contexts(later) == {("ann", 30): ""}
        store.append(["bob"], events(("e", 40)), [first])
        assert contexts(store.posted(later.after)) == {("bob", 40): first}
        store.forget_recent(20)
        assert contexts(store.posted()) == {("ann", 20): first, ("ann", 30): "", ("bob", 40): first}
        store.note(["ann", "bob"], events(("a", 21), ("b", 22)), ["", second])
        assert contexts(store.noted()) == {("ann", 21): "", ("bob", 22): second}
        store.forget_recent(22)
        assert contexts(store.noted()) == {("bob", 22): second}

    def test_forgetting_recent_events_leaves_histories(self, store: HistoryStore) -> None:
        store.append(["ann"] * 3, events(("a", 10), ("b", 20), ("c", 30)))
        store.forget_recent(20)
        assert store.since(0)[1].tolist() == [20, 30]
        assert times(store.read(["ann"])[0]) == [10, 20, 30]

    def test_the_largest_keys_and_times_survive(self, store: HistoryStore) -> None:
        extreme = np.array([(2**64 - 1, 4_102_444_800_000_000, 2**32 - 1), (0, -1, 0)], EVENT)
        store.append(["ann"] * 2, extreme)
        assert store.read(["ann"])[0].tolist() == extreme[::-1].tolist()
        assert store.since(0)[0].tolist() == [2**64 - 1]


class SharedHistorySuite(HistorySuite):
    """The contract of histories that several handles, threads or processes share."""

    def test_another_handle_reads_what_was_appended(self, store: HistoryStore) -> None:
        other = self.open(5)
        store.append(["ann"], events(("a", 10)))
        assert times(other.read(["ann"])[0]) == [10]
        other.close()

    def test_an_event_older_than_a_full_history_is_not_added(self, store: HistoryStore) -> None:
        store.append(["ann"] * 5, events(*((f"i{time}", time) for time in range(10, 15))))
        assert store.append(["ann"] * 2, events(("old", 1), ("new", 20))) == 1
        assert times(store.read(["ann"])[0]) == [11, 12, 13, 14, 20]

    def test_writers_at_the_same_time_lose_nothing(self) -> None:
        handles = [self.open(1_000) for _ in range(3)]

        def write(writer: int) -> int:
            added = 0
            for time in range(40):
                added += handles[writer].append(["ann"], events((f"{writer}", time)))
            return added

        with ThreadPoolExecutor(3) as threads:
            assert list(threads.map(write, range(3))) == [40, 40, 40]
        assert len(handles[0].read(["ann"])[0]) == 120
        assert len(handles[1].since(0)[0]) == 120
        for handle in handles:
            handle.close()


class AvailabilitySuite:
    """The contract of `AvailabilityStore`. Subclasses say how to open a store."""

    def open(self) -> AvailabilityStore:
        """A store on the same, at first empty, state each time it is called in a test."""
        raise NotImplementedError

    @pytest.fixture
    def stores(self) -> Iterator[tuple[AvailabilityStore, AvailabilityStore]]:
        """Two handles on one state."""
        pair = self.open(), self.open()
        yield pair
        for store in pair:
            store.close()

    def test_nothing_is_hidden_at_first(
        self, stores: tuple[AvailabilityStore, AvailabilityStore]
    ) -> None:
        hidden = stores[0].hidden()
        assert hidden.dtype == np.uint64
        assert len(hidden) == 0

    def test_a_change_is_seen_by_every_handle_at_once(
        self, stores: tuple[AvailabilityStore, AvailabilityStore]
    ) -> None:
        one, other = stores
        for store, change, wanted in (
            (one, one.hide, ["a", "b"]),
            (other, other.show, ["b"]),
            (one, one.hide, ["c"]),
        ):
            before = one.version(), other.version()
            change(["a"] if change == other.show else wanted)
            assert one.version() != before[0], store
            assert other.version() != before[1], store
        assert keys(one) == keys(other) == sorted(map(item_key, ["b", "c"]))

    def test_no_change_leaves_the_version(
        self, stores: tuple[AvailabilityStore, AvailabilityStore]
    ) -> None:
        one, other = stores
        one.hide(["a"])
        assert one.version() == one.version() == other.version()

    def test_hiding_twice_and_showing_what_is_shown_are_no_errors(
        self, stores: tuple[AvailabilityStore, AvailabilityStore]
    ) -> None:
        one, other = stores
        one.hide(["a", "a"])
        other.hide(["a"])
        one.show(["a", "never hidden"])
        one.hide([])
        one.show([])
        assert keys(other) == []

    def test_any_text_is_an_id(self, stores: tuple[AvailabilityStore, AvailabilityStore]) -> None:
        stores[0].hide(STRANGE)
        assert keys(stores[1]) == sorted(map(item_key, STRANGE))
        stores[1].show(STRANGE)
        assert keys(stores[0]) == []


def keys(store: AvailabilityStore) -> Sequence[int]:
    """The keys of a store's hidden items, sorted."""
    return sorted(store.hidden().tolist())
