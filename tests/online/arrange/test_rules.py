"""Caps, boosts, pins, freshness and blending, on lists small enough to check by hand."""

import tomllib

import numpy as np
import pytest
from arranging import CATALOGUE, arrange_of, candidates_of, falling, query, rows_of, shown
from hypothesis import given
from hypothesis import strategies as st

from shortlist.core.bitmap import pack
from shortlist.core.errors import ConfigError
from shortlist.core.times import DAY, iso
from shortlist.testing import shop

FRUIT, TOOLS, BOOKS = range(20), range(20, 40), range(40, 60)


def test_without_rules_equal_scores_keep_their_order_and_k_cuts():
    assert shown("", [5, 6, 7, 8], 3, [1, 2, 1, 2]) == [6, 8, 5]


def test_no_value_of_an_attribute_comes_more_often_than_its_cap():
    rows = [0, 1, 2, 20, 3, 40, 21, 22]
    arrange = arrange_of("[arrange]\nmax_per = { category = 2 }")
    candidates = candidates_of(rows)
    for _ in range(2):  # the counts are clean again after a list
        arranged = arrange(query(8), candidates, falling(8))
        assert rows_of(arranged, candidates) == [0, 1, 20, 40, 21]


@given(st.permutations(range(shop.ITEMS)), st.integers(1, 4), st.integers(1, 30))
def test_caps_keep_the_best_that_fit(order, cap, k):
    expected, counts = [], {}
    for row in order:
        if counts.get(row // 20, 0) < cap and len(expected) < k:
            counts[row // 20] = counts.get(row // 20, 0) + 1
            expected.append(row)
    assert shown(f"[arrange]\nmax_per = {{ category = {cap} }}", order, k) == expected


def test_an_item_of_several_values_counts_for_each_of_them():
    # row 12 is red and new (3 letters each), row 3 red and new, row 8 none of these
    assert shown("[arrange]\nmax_per = { tags = 1 }", [12, 3, 8, 9]) == [12, 8]


def test_a_boost_multiplies_and_adds_to_relevance_between_0_and_1():
    boost = "[[arrange.boosts]]\nwhere = 'category == \"books\"'\nmultiply = 2\nadd = 0.1\n"
    # relevance 1, 0.5, 0.25, 0: the book at 0.25 gets 0.6, the one at 0 gets 0.1
    assert shown(boost, [0, 20, 40, 41], scores=[7, 5, 4, 3]) == [0, 40, 20, 41]
    assert shown(boost, [0, 20, 40, 41], scores=[-3, -5, -6, -7]) == [0, 40, 20, 41]


def test_boosts_apply_one_after_the_other():
    first = '[[arrange.boosts]]\nwhere = "price < 20"\nadd = 1\n'
    second = '[[arrange.boosts]]\nwhere = "price == 1"\nmultiply = 0\n'
    assert shown(first + second, [20, 0, 1], scores=[3, 2, 1]) == [0, 20, 1]
    assert shown(second + first, [20, 0, 1], scores=[3, 2, 1]) == [0, 20, 1]


def test_a_rule_holds_from_since_to_before_until():
    boost = (
        f'[[arrange.boosts]]\nwhere = "price == 1"\nadd = 5\n'
        f'since = "{iso(10 * DAY)}"\nuntil = "{iso(11 * DAY)}"\n'
    )
    pin = (
        f'[[arrange.pins]]\nitem = "fruit-1"\nposition = 0\n'
        f'since = "{iso(10 * DAY)}"\nuntil = "{iso(11 * DAY)}"\n'
    )
    for rule in (boost, pin):
        assert shown(rule, [0, 1], now=10 * DAY - 1) == [0, 1]
        assert shown(rule, [0, 1], now=10 * DAY) == [1, 0]
        assert shown(rule, [0, 1], now=11 * DAY) == [0, 1]


def test_a_pin_by_id_and_a_pin_by_expression_take_their_places():
    pins = (
        '[[arrange.pins]]\nitem = "books-45"\nposition = 0\n'
        "[[arrange.pins]]\nwhere = 'category == \"tools\"'\nposition = 2\n"
    )
    assert shown(pins, [0, 1, 2, 30, 31, 45], 5) == [45, 0, 30, 1, 2]


def test_where_two_pins_want_a_place_the_first_that_can_be_kept_has_it():
    pins = (
        '[[arrange.pins]]\nitem = "books-45"\nposition = 1\n'
        '[[arrange.pins]]\nitem = "books-46"\nposition = 1\n'
    )
    assert shown(pins, [0, 1, 46, 45]) == [0, 45, 1, 46]
    assert shown(pins, [0, 1, 46]) == [0, 46, 1]


def test_neighbours_of_an_item_are_boosted_but_not_pinned():
    rules = (
        '[[arrange.pins]]\nitem = "fruit-2"\nposition = 0\n'
        '[[arrange.boosts]]\nwhere = "price == 1"\nadd = 5\n'
    )
    assert shown(rules, [0, 1, 2], item="fruit-5") == [1, 0, 2]


def test_a_pinned_item_that_was_not_found_is_brought_unless_the_request_may_not_see_it():
    arrange = arrange_of('[[arrange.pins]]\nitem = "books-45"\nposition = 0\n')
    candidates, fused = candidates_of([3, 4]), np.array([0.5, 0.4], np.float32)
    brought, scores = arrange.bring(query(), candidates, fused)
    assert brought.rows.tolist() == [3, 4, 45]
    assert brought.ranks[:, 2].tolist() == [0]
    assert scores.tolist() == [*fused.tolist(), fused[1]]
    flags = np.ones(shop.ITEMS, np.bool_)
    flags[45] = False
    for hidden in (query(allow=pack(flags)), query(banned=[45]), query(item="fruit-1")):
        assert arrange.bring(hidden, candidates, fused)[0].rows.tolist() == [3, 4]
    assert arrange.bring(query(), brought, scores)[0].rows.tolist() == [3, 4, 45]


def test_a_pin_of_an_unknown_item_is_logged_and_left_out(caplog):
    assert shown('[[arrange.pins]]\nitem = "gone"\nposition = 0\n', [0, 1]) == [0, 1]
    assert "arrange.pins[0].item = 'gone'" in caplog.text


def test_the_quota_of_new_items_is_met_as_late_as_it_can_be():
    quota = '[arrange.freshness]\nwhere = "price >= 40"\nat_least = 2\nof = 4\n'
    assert shown(quota, [0, 1, 2, 3, 40, 41], 5) == [0, 1, 40, 41, 2]
    assert shown(quota, [0, 40, 2, 3, 4, 41], 5) == [0, 40, 2, 41, 3]
    assert shown(quota, [0, 1, 2, 3, 40, 41], 2) == [0, 40]  # one of two, as two of four
    assert shown(quota, [0, 1, 2, 3, 4], 5) == [0, 1, 2, 3, 4]  # there is nothing new


def test_items_newer_than_a_span_are_new():
    # row r was born r days ago, but for every seventh, whose birth is unknown
    quota = '[arrange.freshness]\nattribute = "born"\nnewer = "3d"\nat_least = 3\nof = 3\n'
    assert shown(quota, [30, 7, 3, 2, 1, 0], 3) == [2, 1, 30]


def test_lists_take_turns_by_their_shares():
    blend = "[arrange.blend]\nshares = { item_graph = 2, popular = 1 }\n"
    sources = {"item_graph.vector": [0, 1], "item_graph.item_to_item": [2, 3], "popular": [9, 8, 0]}
    rows = [0, 1, 2, 3, 8, 9, 50]
    assert shown(blend, rows, sources=sources) == [0, 8, 1, 2, 9, 3, 50]


@given(st.data())
def test_of_n_turns_each_list_has_its_share_to_within_one(data):
    shares = data.draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    blend = f"[arrange.blend]\nshares = {{ item_graph = {shares[0]}, popular = {shares[1]} }}\n"
    sources = {"item_graph.vector": list(range(30)), "popular": list(range(30, 60))}
    rows = shown(blend, range(60), 28, sources=sources)
    for n in range(1, 29):
        mine = sum(row < 30 for row in rows[:n])
        assert abs(mine - n * shares[0] / sum(shares)) <= 1


def test_turns_by_lot_are_the_same_for_the_same_request_and_of_the_shares_on_average():
    blend = '[arrange.blend]\nshares = { item_graph = 3, popular = 1 }\nmethod = "draft"\n'
    arrange = arrange_of(blend)
    rows = list(range(60))
    sources = {"item_graph.vector": rows[:30], "popular": rows[30:]}
    candidates = candidates_of(rows, sources)

    def at(now):
        return rows_of(arrange(query(20, now=now), candidates, falling(60)), candidates)

    assert at(1) == at(1) != at(2)
    share = np.mean([np.mean([row < 30 for row in at(now)]) for now in range(1, 300)])
    assert abs(share - 0.75) < 0.03


@pytest.mark.parametrize("table", range(6))
def test_an_item_that_the_arrays_do_not_know_is_shown_like_any_other(table):
    text = (
        "[arrange]\nmax_per = { category = 1 }\n"
        '[[arrange.boosts]]\nwhere = "price >= 0"\nadd = 0.01\n'
        '[[arrange.pins]]\nwhere = "price >= 50"\nposition = 1\n' + tables[table]
    )
    assert shop.ITEMS in shown(text, [0, 20, 40, shop.ITEMS], 4)


def test_a_release_without_what_a_rule_names_is_refused_by_the_rules_key():
    cases = {
        "[[arrange.boosts]]\nwhere = 'price == \"x\"'\nadd = 1\n": "boosts[0].where",
        '[arrange.freshness]\nattribute = "price"\n': "freshness.attribute",
        '[arrange.diversity]\nattributes = ["price"]\n': "diversity.attributes",
        '[retrievers.factors]\n[arrange.diversity]\nvectors = "factors"\n': "diversity.vectors",
        "[arrange]\nmax_per = { price = 1 }\n": "max_per",
    }
    for text, key in cases.items():
        with pytest.raises(ConfigError) as error:
            arrange_of(text)
        assert error.value.where == f"arrange.{key}"
        assert error.value.remedy


def test_explanations_name_the_rules_and_the_places_they_moved_items_to():
    text = (
        "[arrange]\nmax_per = { category = 2 }\n"
        '[[arrange.boosts]]\nname = "sale"\nwhere = "price == 44"\nadd = 0.3\n'
        '[[arrange.pins]]\nname = "launch"\nitem = "tools-25"\nposition = 1\n'
    )
    candidates = candidates_of([0, 1, 2, 44, 45, 25])
    arranged = arrange_of(text)(query(5, explain=True), candidates, falling(6))
    assert rows_of(arranged, candidates) == [0, 25, 1, 44, 45]
    assert arranged.told == [
        {"ranked": 0},
        {"ranked": 5, "pin:launch": 1},
        {"ranked": 1},
        {
            "ranked": 3,
            "boost:sale": 2,
        },
        {"ranked": 4, "max_per": 4},
    ]


WHERE = ["price < 10", 'category == "books"', "price >= 30", 'array_contains(tags, "red")']
boosts = st.builds(
    lambda where, multiply, add: (
        f"[[arrange.boosts]]\nwhere = '{where}'\nmultiply = {multiply}\nadd = {add}\n"
    ),
    st.sampled_from(WHERE),
    st.sampled_from([0.0, 0.5, 2.0]),
    st.sampled_from([-0.5, 0.0, 1.0]),
)
pins = st.builds(
    lambda what, position: f"[[arrange.pins]]\n{what}\nposition = {position}\n",
    st.one_of(
        st.sampled_from(WHERE).map(lambda where: f"where = '{where}'"),
        st.sampled_from(shop.IDS).map(lambda id: f'item = "{id}"'),
    ),
    st.integers(0, 12),
)
caps = st.one_of(
    st.just(""),
    st.builds(
        "[arrange]\nmax_per = {{ category = {}, tags = {} }}\n".format,
        st.integers(1, 5),
        st.integers(1, 5),
    ),
)
tables = [
    '[arrange.diversity]\nvectors = "item_graph"\nmethod = "dpp"\namong = 20\n',
    '[arrange.diversity]\nattributes = ["category", "tags"]\n',
    '[arrange.diversity]\nattributes = ["category"]\nmethod = "dpp"\n',
    '[arrange.freshness]\nattribute = "born"\nnewer = "10d"\nat_least = 3\nof = 6\n',
    "[arrange.exploration]\npositions = [2, 4, 11]\nepsilon = 0.9\namong = 12\n",
    "[arrange.blend]\nshares = { popular = 1 }\n",
]


def caps_of(text):
    return tomllib.loads(text)["arrange"]["max_per"] if text else {}


@given(
    caps,
    st.lists(boosts, max_size=2),
    st.lists(pins, max_size=3),
    st.lists(st.sampled_from(tables), max_size=4, unique_by=lambda table: table.split("]")[0]),
    st.lists(st.integers(0, shop.ITEMS - 1), unique=True, min_size=1),
    st.lists(st.integers(0, shop.ITEMS - 1), max_size=20),
    st.integers(1, 15),
    st.integers(1, 10**6),
)
def test_whatever_the_rules_nothing_comes_twice_uninvited_hidden_or_past_a_cap(
    cap, boosting, pinning, table, rows, hidden, k, now
):
    text = cap + "".join(boosting + pinning + table)
    arrange = arrange_of(text)
    flags = np.ones(shop.ITEMS, np.bool_)
    flags[hidden] = False
    seen = [row for row in rows if flags[row]]
    asked = query(k, allow=pack(flags), now=now, explain=True)
    found, scores = arrange.bring(asked, candidates_of(seen), falling(len(seen)))
    arranged = arrange(asked, found, scores)
    shown = rows_of(arranged, found)

    assert len(shown) == len(set(shown)) <= k
    assert set(shown) <= set(found.rows.tolist())
    assert not set(shown) & set(hidden)
    assert len(arranged.told) == (len(shown) if text else 0)
    for name, most in caps_of(cap).items():
        values = [CATALOGUE.columns[name].value(row) for row in shown]
        flat = [v for value in values for v in (value if isinstance(value, list) else [value])]
        assert all(flat.count(value) <= most for value in flat)
    if not cap:
        assert len(shown) == min(k, len(found.rows))  # only caps shorten a list
    again = arrange(asked, found, scores)
    assert again.chosen.tolist() == arranged.chosen.tolist()
