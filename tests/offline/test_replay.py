"""A replayed log answers as the store would have answered at that instant."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shortlist.offline.data.training import TrainingData
from shortlist.offline.replay import Replay
from shortlist.stores.contract import EVENT
from shortlist.stores.memory import MemoryHistory
from shortlist.testing import shop

USERS = ["ana", "ben", "🦊"]
logs = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 50), st.integers(0, shop.ITEMS - 1)),
    max_size=40,
    unique=True,
)


def training(log):
    user, time, item = (np.array(c) for c in zip(*sorted(log), strict=True)) if log else ([],) * 3
    n = len(log)
    return TrainingData(
        shop.catalogue(),
        users=len(USERS),
        user=np.array(user, np.int32),
        item=np.array(item, np.int32),
        time=np.array(time, np.int64),
        weight=np.ones(n, np.float32),
        session=np.zeros(n, np.int64),
        until=51,
    )


@given(logs, st.integers(0, 52), st.integers(1, 5))
def test_a_replay_equals_a_store_that_was_told_of_the_same_log(log, instant, capacity):
    data = training(log)
    store = MemoryHistory(capacity)
    events = np.zeros(len(log), EVENT)
    events["item"] = data.catalogue.vocabulary.keys()[data.item]
    events["time"] = data.time
    store.append([USERS[row] for row in data.user], events)
    replay = Replay(data, USERS, capacity)
    asked = [*USERS, "nobody"]
    before = np.full(len(asked), instant, np.int64)
    for told, expected in zip(replay.read(asked, before), store.read(asked, before), strict=True):
        assert told["time"].tolist() == expected["time"].tolist()
        assert len(told) == len(expected) <= capacity
        assert (told["time"] < instant).all()
    keys, times = replay.since(instant)
    assert sorted(zip(times.tolist(), keys.tolist(), strict=True)) == sorted(
        zip(*(c.tolist() for c in reversed(store.since(instant))), strict=True)
    )
