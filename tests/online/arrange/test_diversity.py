"""MMR and DPP, beside slow functions that say what they are."""

import numpy as np
import pytest
from arranging import CATALOGUE, INDEX, arrange_of, candidates_of, falling, query, rows_of, shown
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.testing import shop

VECTORS = 'vectors = "item_graph"'
ATTRIBUTES = 'attributes = ["category", "tags"]'


def similarity(rows, by):
    """`float64[n, n]`: (1 + cosine) / 2, or the share of values in common; 1 to itself."""
    if by == VECTORS:
        vectors = INDEX.vectors_of(np.array(rows, np.int32)).astype(float)
        lengths = np.linalg.norm(vectors, axis=1)
        has = lengths > 0
        unit = vectors / np.where(has, lengths, 1)[:, None]
        out = (1 + unit @ unit.T) / 2 * np.outer(has, has)
    else:
        columns = CATALOGUE.columns
        sets = [{columns["category"].value(r), *columns["tags"].value(r)} for r in rows]
        out = np.array([[len(a & b) / len(a | b) for b in sets] for a in sets])
    np.fill_diagonal(out, 1)
    return out


def slow_mmr(relevance, alike, strength, k):
    chosen = []
    while len(chosen) < k:
        left = [i for i in range(len(relevance)) if i not in chosen]
        near = [max((alike[i, j] for j in chosen), default=0) for i in left]
        gains = [
            (1 - strength) * relevance[i] - strength * n for i, n in zip(left, near, strict=True)
        ]
        chosen.append(left[int(np.argmax(gains))])
    return chosen


def slow_dpp(relevance, alike, strength, k):
    """The determinant itself, until it is zero."""
    quality = np.exp((1 - strength) / (2 * strength) * relevance)
    kernel = quality[:, None] * alike * quality
    chosen = []
    while len(chosen) < k:
        left = [i for i in range(len(relevance)) if i not in chosen]
        logs = [np.linalg.slogdet(kernel[np.ix_([*chosen, i], [*chosen, i])])[1] for i in left]
        chosen.append(left[int(np.argmax(logs))])
    return chosen


def rules(method, by, strength=0.3, among=200):
    return (
        f'[arrange.diversity]\nmethod = "{method}"\n{by}\nstrength = {strength}\namong = {among}\n'
    )


@pytest.mark.parametrize("by", [VECTORS, ATTRIBUTES], ids=["vectors", "attributes"])
@settings(max_examples=25)
@given(
    st.lists(st.integers(0, shop.ITEMS - 2), unique=True, min_size=2, max_size=25),
    st.sampled_from([0.1, 0.4, 0.9]),
    st.integers(0, 100),
)
def test_mmr_is_what_it_says(by, rows, strength, seed):
    relevance = -np.sort(-np.random.default_rng(seed).random(len(rows)))
    relevance = (relevance - relevance.min()) / np.ptp(relevance)
    k = min(10, len(rows))
    expected = slow_mmr(relevance, similarity(rows, by), strength, k)
    assert shown(rules("mmr", by, strength), rows, k, relevance) == [rows[i] for i in expected]


@settings(max_examples=25)
@given(
    st.lists(st.integers(0, shop.ITEMS - 2), unique=True, min_size=2, max_size=25),
    st.sampled_from([0.1, 0.4, 0.9]),
    st.integers(0, 100),
)
def test_dpp_takes_what_raises_the_determinant_most(rows, strength, seed):
    relevance = -np.sort(-np.random.default_rng(seed).random(len(rows)))
    relevance = (relevance - relevance.min()) / np.ptp(relevance)
    k = min(6, len(rows))  # vectors of six parts, and one for the angle, span seven
    expected = slow_dpp(relevance, similarity(rows, VECTORS), strength, k)
    answer = shown(rules("dpp", VECTORS, strength), rows, k, relevance)
    assert answer == [rows[i] for i in expected]


def test_where_those_shown_span_the_rest_dpp_begins_again():
    by = 'attributes = ["category"]'
    rows = [0, 1, 2, 20, 21, 40, 41]
    assert shown(rules("dpp", by), rows, 7) == [0, 20, 40, 1, 21, 41, 2]


def test_only_the_best_candidates_are_looked_at():
    by = 'attributes = ["category"]'
    rows = [0, 1, 2, 40, 41, 20]
    assert shown(rules("mmr", by, 0.9, among=4), rows, 6) == [0, 40, 1, 2, 41, 20]


def test_an_item_without_a_vector_is_like_nothing():
    last = shop.ITEMS - 1
    assert not INDEX.vectors_of(np.array([last], np.int32)).any()
    for method in ("mmr", "dpp"):
        assert shown(rules(method, VECTORS, 1), [0, 1, 2, 3, last], 2)[1] == last


def test_pinned_items_count_as_shown():
    by = 'attributes = ["category"]'
    pin = '[[arrange.pins]]\nitem = "fruit-9"\nposition = 2\n'
    assert shown(rules("mmr", by, 0.9) + pin, [0, 20, 40, 9], 3) == [20, 40, 9]
    far = rules("mmr", by, 0.9, among=3) + pin  # the pinned one is from further down
    assert shown(far, [0, 20, 40, 1, 9], 3) == [20, 40, 9]


def test_more_strength_means_less_alike_and_less_relevant():
    rows = list(np.random.default_rng(3).permutation(shop.ITEMS - 1))
    alike, previous = similarity(rows, VECTORS), None
    for strength in (0.05, 0.5, 0.95):
        chosen = [rows.index(row) for row in shown(rules("dpp", VECTORS, strength), rows, 6)]
        volume = np.linalg.slogdet(alike[np.ix_(chosen, chosen)])[1]
        assert previous is None or (volume > previous[0] and np.mean(chosen) > previous[1])
        previous = volume, np.mean(chosen)


def test_explanations_name_what_diversity_moved():
    candidates = candidates_of([0, 1, 20])
    arrange = arrange_of(rules("mmr", 'attributes = ["category"]', 0.9))
    arranged = arrange(query(3, explain=True), candidates, falling(3))
    assert rows_of(arranged, candidates) == [0, 20, 1]
    assert arranged.told == [{"ranked": 0}, {"ranked": 2, "diversity": 1}, {"ranked": 1}]
