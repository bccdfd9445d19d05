"""The request path over a published release, with real stores."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shortlist.core.errors import RequestError
from shortlist.core.event import Event
from shortlist.core.request import Request
from shortlist.core.times import DAY
from shortlist.online.engine import Engine
from shortlist.testing import shop


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    shop.publish(folder)
    engine = Engine.open(shop.config(), folder)
    views = [Event("ana", f"tools-{row}", DAY + row, "view") for row in (20, 21, 22)]
    engine.post(views)
    yield engine
    engine.close()


def test_somebody_never_seen_gets_what_is_popular(engine):
    assert engine.recommend("nobody", 3).ids == ["fruit-0", "fruit-1", "fruit-2"]
    assert engine.recommend("", 3).ids == engine.recommend("nobody", 3).ids


def test_a_history_of_tools_brings_tools_that_were_not_seen(engine):
    answer = engine.recommend("ana", 10)
    assert sum(id.startswith("tools") for id in answer.ids) >= 7
    assert not set(answer.ids) & {"tools-20", "tools-21", "tools-22"}
    assert (np.diff(answer.scores) <= 0).all()
    assert set(engine.recommend("ana", 60, seen=True).ids) >= {"tools-20", "tools-21"}


def test_an_event_changes_the_next_answer(engine):
    before = engine.recommend("ben", 5).ids
    engine.post([Event("ben", "books-50", kind="buy")])
    after = engine.recommend("ben", 5).ids
    assert before == [f"fruit-{row}" for row in range(5)]
    assert any(id.startswith("books") for id in after)
    assert "books-50" not in after


def test_neighbours_of_an_item_are_of_its_kind_without_itself(engine):
    answer = engine.similar("books-41", 10)
    assert all(id.startswith("books") for id in answer.ids)
    assert "books-41" not in answer.ids


def test_a_filter_narrows_and_still_fills_the_list(engine):
    where = 'category == "fruit" and price >= 10'
    answer = engine.recommend("ana", 10, where=where)
    assert sorted(answer.ids) == sorted(f"fruit-{row}" for row in range(10, 20))
    assert engine.recommend("ana", 10, where="price == 44").ids == ["books-44"]


def test_exclusions_never_starve_the_list(engine):
    excluded = [id for id in shop.IDS if id != "books-57"] + [f"other-{i}" for i in range(10_000)]
    assert engine.recommend("nobody", 10, exclude=excluded).ids == ["books-57"]


def test_a_batch_equals_its_singles(engine):
    requests = [
        Request(user="ana", k=7),
        Request(user="nobody", k=3, where="price > 30"),
        Request(item="fruit-4", k=5),
        Request(user="ana", k=20, exclude=["tools-23"]),
    ]
    together = engine.answer(requests)
    for request, answer in zip(requests, together, strict=True):
        alone = engine.answer([request])[0]
        assert alone.ids == answer.ids
        np.testing.assert_array_equal(alone.scores, answer.scores)


def test_a_long_list_in_a_batch_does_not_change_a_short_one_beside_it(tmp_path):
    shop.publish(tmp_path)
    engine = Engine.open(shop.config("[ranker]\ncandidates = 4"), tmp_path)
    try:
        engine.post([Event("ana", f"tools-{row}", DAY + row, "view") for row in (20, 25)])
        short, long = Request(user="ana", k=3), Request(user="ana", k=40)
        alone, beside = (
            engine.pipeline.retrieve([short])[0],
            engine.pipeline.retrieve([long, short]),
        )
        assert beside[1].rows.tolist() == alone.rows.tolist()
        np.testing.assert_array_equal(beside[1].ranks, alone.ranks)
    finally:
        engine.close()


def test_an_answer_becomes_a_table(engine):
    answer = engine.recommend("ana", 4)
    assert answer.to_pandas()["item"].tolist() == answer.ids
    assert answer.to_polars()["item"].to_list() == answer.ids
    assert answer.to_arrow().column_names == ["item", "score"]


def test_explain_names_the_sources_of_each_item(engine):
    answer = engine.recommend("ana", 3, explain=True)
    assert len(answer.explain) == 3
    assert answer.explain[0]["sources"]["item_graph.item_to_item"] >= 1


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (Request(k=0), "k"),
        (Request(k=1001), "k"),
        (Request(where="price >"), "where"),
        (Request(where="pryce > 1"), "where"),
        (Request(where="price > 1 or " * 1_000 + "price > 1"), "where"),
        (Request(item="no such"), "item"),
        (Request(exclude=["x"] * 100_001), "exclude"),
    ],
)
def test_a_bad_request_names_its_field(engine, request_, field):
    with pytest.raises(RequestError) as caught:
        engine.answer([request_])
    assert caught.value.where == field


def test_a_bad_event_names_its_field_and_nothing_of_its_batch_is_kept(engine):
    with pytest.raises(RequestError, match=r"events\[1\].kind: 'viwe'.*Did you mean 'view'"):
        engine.post([Event("cat", "fruit-3", kind="view"), Event("cat", "fruit-4", kind="viwe")])
    with pytest.raises(RequestError, match=r"events\[0\].user: the id is empty"):
        engine.post([Event("", "fruit-3", kind="view")])
    assert engine.recommend("cat", 3).ids == ["fruit-0", "fruit-1", "fruit-2"]


def test_items_show_their_attributes_until_they_are_hidden(engine):
    assert engine.item("fruit-7") == {"category": "fruit", "price": 7.0, "title": "Number 7"}
    assert engine.item("no such") is None
    engine.hide(["fruit-7"])
    assert engine.item("fruit-7") is None
    engine.show(["fruit-7"])
    assert engine.item("fruit-7") is not None


wheres = st.sampled_from(["", "price >= 0", 'category == "fruit"', "price < 15 or price > 50"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    hidden=st.lists(st.sampled_from(shop.IDS), max_size=50, unique=True),
    excluded=st.lists(st.sampled_from(shop.IDS), max_size=50, unique=True),
    user=st.sampled_from(["ana", "nobody", ""]),
    item=st.one_of(st.none(), st.sampled_from(shop.IDS)),
    where=wheres,
    k=st.integers(1, 80),
    now=st.sampled_from([200 * DAY, shop.EXPIRES - 1, shop.EXPIRES, shop.EXPIRES + DAY]),
)
def test_hidden_expired_and_excluded_items_appear_on_no_path_and_nothing_else_is_lost(
    engine, hidden, excluded, user, item, where, k, now
):
    engine.hide(hidden)
    try:
        request = Request(
            user=user, item=item, k=k, where=where, exclude=excluded, now=now, seen=True
        )
        answer = engine.answer([request])[0]
        candidates = engine.pipeline.retrieve([request])[0]
    finally:
        engine.show(hidden)
    gone = {*hidden, *excluded, item}
    if now >= shop.EXPIRES:
        gone.add("books-59")
    holds = {
        "": lambda row: True,
        "price >= 0": lambda row: True,
        'category == "fruit"': lambda row: row < 20,
        "price < 15 or price > 50": lambda row: row < 15 or row > 50,
    }[where]
    free = {id for row, id in enumerate(shop.IDS) if holds(row) and id not in gone}
    vocabulary = engine.pipeline.snapshot.catalogue.vocabulary
    assert set(vocabulary.ids(candidates.rows)) <= free
    assert set(answer.ids) <= free
    assert len(answer.ids) == len(set(answer.ids)) == min(k, len(free))


def test_a_change_by_one_process_holds_for_another_at_once(engine):
    other = Engine.open(engine.config, engine.folder)
    try:
        other.hide(["fruit-0"])
        assert engine.recommend("nobody", 1).ids == ["fruit-1"]
        other.show(["fruit-0"])
        assert engine.recommend("nobody", 1).ids == ["fruit-0"]
    finally:
        other.close()


def test_a_new_release_is_picked_up_between_answers(engine):
    old = engine.release
    assert not engine.refresh()
    new = shop.publish(engine.folder)
    assert engine.recommend("nobody", 1).release == old
    assert engine.refresh()
    assert engine.recommend("nobody", 1).release == new
