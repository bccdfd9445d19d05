import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from shortlist.offline.evaluate import metrics
from shortlist.offline.evaluate.ragged import Ragged

ITEMS = 8


def relevant(*lists: list[int]) -> Ragged:
    return Ragged.of([np.array(rows, np.int32) for rows in lists])


def hits(ranked: list[list[int]], wanted: Ragged) -> NDArray[np.bool_]:
    return metrics.hits(np.array(ranked, np.int32), wanted, ITEMS)


def test_a_list_worked_out_by_hand() -> None:
    wanted = relevant([1, 4, 6])
    hit = hits([[0, 1, 2, 4]], wanted)
    assert hit.tolist() == [[False, True, False, True]]
    assert metrics.recall(hit, wanted.lengths, 2).tolist() == [1 / 3]
    assert metrics.recall(hit, wanted.lengths, 4).tolist() == [2 / 3]
    assert metrics.reciprocal_rank(hit).tolist() == [0.5]
    gained = 1 / math.log2(3) + 1 / math.log2(5)
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert metrics.ndcg(hit, wanted.lengths, 4).tolist() == pytest.approx([gained / ideal])


def test_the_ideal_is_no_longer_than_the_list() -> None:
    wanted = relevant([0, 1, 2, 3, 4])
    assert metrics.ndcg(hits([[0, 1]], wanted), wanted.lengths, 2).tolist() == [1.0]


def test_a_short_list_is_measured_against_the_full_ideal() -> None:
    wanted = relevant([0, 1])
    short = metrics.ndcg(hits([[0, -1]], wanted), wanted.lengths, 2)
    assert short.tolist() == pytest.approx([1 / (1 + 1 / math.log2(3))])


def test_an_empty_list_scores_nothing() -> None:
    wanted = relevant([0], [1])
    hit = hits([[-1, -1], [-1, -1]], wanted)
    assert not hit.any()
    assert metrics.reciprocal_rank(hit).tolist() == [0, 0]


def test_equal_scores_put_the_relevant_items_last() -> None:
    hit = np.array([[True, False, True, False]])
    scores = np.array([[2.0, 2.0, 1.0, 1.0]])
    assert metrics.conservative(hit, scores).tolist() == [[False, True, False, True]]


def test_only_neighbours_count_as_tied() -> None:
    # Arranging for diversity may put an item of equal score elsewhere on purpose.
    hit = np.array([[True, False, True]])
    assert metrics.conservative(hit, np.array([[1.0, 2.0, 1.0]])).tolist() == hit.tolist()


def test_coverage_is_the_share_of_items_that_may_be_shown() -> None:
    ranked = np.array([[0, 1, 2], [1, 3, -1]], np.int32)
    shown = np.array([True, True, False, True, True])
    assert metrics.coverage(ranked, shown, 2) == 3 / 4


def test_novelty_is_bits_of_popularity_share() -> None:
    # One more interaction for each of four items: shares 4/8, 2/8, 1/8, 1/8.
    popularity = np.array([3, 1, 0, 0])
    ranked = np.array([[0, 1], [2, 3], [1, -1], [-1, -1]], np.int32)
    assert metrics.novelty(ranked, popularity, 2).tolist() == [1.5, 3.0, 2.0, 0.0]


cases = st.lists(
    st.tuples(
        st.lists(st.integers(0, ITEMS - 1), unique=True, max_size=6),
        st.sets(st.integers(0, ITEMS - 1), min_size=1),
    ),
    min_size=1,
    max_size=6,
)


@given(cases, st.integers(1, 8))
def test_metrics_agree_with_counting_one_by_one(
    lists: list[tuple[list[int], set[int]]], k: int
) -> None:
    wanted = relevant(*[sorted(rows) for _, rows in lists])
    hit = hits([ranked + [-1] * (6 - len(ranked)) for ranked, _ in lists], wanted)
    for q, (ranked, rows) in enumerate(lists):
        found = [row in rows for row in ranked]
        dcg = sum(1 / math.log2(place + 2) for place, one in enumerate(found[:k]) if one)
        ideal = sum(1 / math.log2(place + 2) for place in range(min(len(rows), k)))
        first = found.index(True) + 1 if any(found) else math.inf
        assert metrics.recall(hit, wanted.lengths, k)[q] == pytest.approx(
            sum(found[:k]) / len(rows)
        )
        assert metrics.ndcg(hit, wanted.lengths, k)[q] == pytest.approx(dcg / ideal)
        assert metrics.reciprocal_rank(hit)[q] == pytest.approx(1 / first)


@given(cases, st.lists(st.integers(0, 2), min_size=6, max_size=6))
def test_breaking_ties_against_us_never_helps_and_loses_no_hit(
    lists: list[tuple[list[int], set[int]]], steps: list[int]
) -> None:
    wanted = relevant(*[sorted(rows) for _, rows in lists])
    hit = hits([ranked + [-1] * (6 - len(ranked)) for ranked, _ in lists], wanted)
    worst = metrics.conservative(hit, np.tile(-np.cumsum(steps).astype(float), (len(hit), 1)))
    assert (worst.sum(axis=1) == hit.sum(axis=1)).all()
    assert (
        metrics.ndcg(worst, wanted.lengths, 6) <= metrics.ndcg(hit, wanted.lengths, 6) + 1e-12
    ).all()
