"""Marks and merging, each on its own."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shortlist.core.bitmap import full, pack
from shortlist.core.request import Request
from shortlist.online.marks import Marks
from shortlist.online.merge import merge
from shortlist.online.query import Query
from shortlist.online.retrieval.popular import Filler
from shortlist.testing import shop

NOTHING = np.empty(0, np.int32)


def query(*, allow=None, banned=NOTHING, k=5, limit=50, item=None):
    return Query(
        Request(k=k, item=item),
        now=0,
        limit=limit,
        allow=full(shop.ITEMS) if allow is None else allow,
        filtered=allow is not None,
        banned=np.asarray(banned, np.int32),
        seeds=NOTHING,
        history_rows=NOTHING,
        history_times=np.empty(0, np.int64),
    )


def merged(asked, *found):
    lists = [
        (np.array(rows, np.int32), np.linspace(1, 0.1, len(rows), dtype="f4")) for rows in found
    ]
    names = tuple(f"source{i}" for i in range(len(lists)))
    filler = Filler(shop.artefacts()["popular"]["popular"], shop.catalogue())
    candidates, scores = merge(asked, lists, names, filler, Marks(shop.ITEMS))
    assert (np.diff(scores) <= 0).all()
    return candidates


def test_marks_of_one_generation_do_not_reach_the_next():
    marks = Marks(4)
    first = marks.ban(np.array([1, -1], np.int32))
    second = marks.ban(np.array([2], np.int32))
    assert (marks.stamp >= first).tolist() == [False, True, True, False]
    assert (marks.stamp >= second).tolist() == [False, False, True, False]


def test_marks_start_over_before_their_tokens_run_out():
    marks = Marks(2)
    marks._token = np.iinfo(np.int32).max - 4
    token = marks.ban(np.array([0], np.int32))
    assert token == 2
    assert marks.stamp.tolist() == [2, 0]


def test_a_row_that_two_sources_found_comes_once_and_first():
    candidates = merged(query(), [1, 2, 3], [3, 4])
    assert candidates.rows.tolist() == [3, 1, 2, 4, 0]  # 0 fills the fifth place
    assert candidates.ranks[:, 0].tolist() == [np.float32(1 / 3), 1.0]
    assert candidates.scores[1].tolist() == [1.0, 0.0, 0.0, np.float32(0.1), 0.0]


def test_short_lists_are_filled_with_what_is_popular_and_allowed():
    allow = pack(np.arange(shop.ITEMS) >= 10)
    assert merged(query(allow=allow, banned=[10, 11]), [50]).rows.tolist() == [50, 12, 13, 14, 15]


def test_neighbour_lists_are_filled_from_the_items_own_category():
    asked = query(item="tools-20", banned=[20])
    asked.seeds = np.array([20], np.int32)
    assert merged(asked, []).rows.tolist() == [21, 22, 23, 24, 25]


rows = st.lists(st.integers(0, shop.ITEMS - 1), unique=True, max_size=30)


@given(st.lists(rows, min_size=1, max_size=3), rows, rows, st.integers(1, 20))
def test_nothing_banned_or_forbidden_passes_and_every_row_comes_once(found, banned, forbidden, k):
    flags = np.ones(shop.ITEMS, np.bool_)
    flags[forbidden] = False
    candidates = merged(query(allow=pack(flags), banned=banned, k=k), *found)
    kept = candidates.rows.tolist()
    free = set(range(shop.ITEMS)) - set(banned) - set(forbidden)
    assert len(kept) == len(set(kept))
    assert set(kept) <= free
    assert {row for rows in found for row in rows} & free <= set(kept)
    assert len(kept) >= min(k, len(free))
