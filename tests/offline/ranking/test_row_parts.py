"""What rows are made of: columns without repetitions, kinds, calibration, cascades, links."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.config.schema import RankerSection
from shortlist.core.catalogue import Catalogue
from shortlist.core.errors import DataError
from shortlist.core.progress import Silent
from shortlist.core.request import Candidates, Request
from shortlist.core.times import HOUR
from shortlist.core.vocabulary import Vocabulary
from shortlist.offline.data.training import TrainingData
from shortlist.offline.ranking.calibrate import calibrate, error
from shortlist.offline.ranking.cascade import second_rows
from shortlist.offline.ranking.columns import Columns
from shortlist.offline.ranking.cross_fitted import CrossFitted
from shortlist.offline.ranking.examples import columns_of
from shortlist.offline.ranking.graph import graph_of
from shortlist.offline.ranking.kinds import met_by
from shortlist.offline.ranking.lightgbm_trees import train
from shortlist.offline.ranking.sets import split
from shortlist.release.ranking.cascade import Cascade
from shortlist.release.ranking.neural import links
from shortlist.release.ranking.scorers import BoostedScorer, scorer_of
from shortlist.testing.rankers import rows_of


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 60), st.integers(0, 2**32 - 1))
def test_columns_give_back_the_matrix_they_were_made_of(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    request, item = np.sort(rng.integers(0, 6, n)), rng.integers(0, 5, n).astype(np.int32)
    time = request * HOUR
    per = rng.normal(size=(3, 6)).astype(np.float32)
    x = np.stack([per[0][request], per[1][item], rng.normal(size=n).astype(np.float32)])
    columns = Columns.of(x.astype(np.float32), request, item, time)
    np.testing.assert_array_equal(columns.matrix(), x.astype(np.float32))


def test_what_repeats_is_kept_once() -> None:
    request = np.repeat(np.arange(50), 100)
    item = np.tile(np.arange(100, dtype=np.int32), 50)
    hour = request // 10
    x = np.stack([request * 1.5, item * 2.0, item + 1_000.0 * hour]).astype(np.float32)
    columns = Columns.of(np.repeat(x, 5, axis=0), request, item, hour * HOUR)
    assert len(columns.wide) == 0
    assert len(columns.tables) == 3
    assert columns.bytes < columns.flat_bytes / 4
    np.testing.assert_array_equal(columns.matrix(), np.repeat(x, 5, axis=0))


def a_log() -> TrainingData:
    lines = [(0, 1, 10, "view"), (0, 1, 20, "buy"), (0, 2, 15, "view"), (1, 1, 5, "buy")]
    kinds = ("buy", "view")
    return TrainingData(
        Catalogue(Vocabulary.of(["a", "b", "c"]), {}, np.ones(3, np.bool_), np.full(3, 10**15)),
        2,
        np.array([u for u, *_ in lines], np.int32),
        np.array([i for _, i, *_ in lines], np.int32),
        np.array([t for *_, t, _ in lines], np.int64),
        np.ones(4, np.float32),
        np.zeros(4, np.int64),
        100,
        kind=np.array([kinds.index(k) for *_, k in lines], np.int16),
        kinds=kinds,
    )


def test_what_followed_is_told_by_kind_and_time() -> None:
    asks = [(0, 1, 10, 100), (0, 1, 11, 100), (0, 1, 11, 20), (1, 1, 5, 6), (1, 2, 0, 100)]
    user, item = (np.array([a[n] for a in asks], np.int32) for n in (0, 1))
    start, until = (np.array([a[n] for a in asks], np.int64) for n in (2, 3))
    views, buys = (met_by(a_log(), user, item, start, until, k).tolist() for k in ("view", "buy"))
    assert views == [True, False, False, False, False]
    assert buys == [True, True, False, True, False]


def test_a_kind_that_never_happened_is_named() -> None:
    none = np.empty(0, np.int32)
    many = none.astype(np.int64)
    with pytest.raises(DataError, match=r"ranker.weights: .*'bye'.*buy"):
        met_by(a_log(), none, none, many, many, "bye")


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_calibration_brings_scores_to_frequencies(method) -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=20_000).astype(np.float32)
    label = (rng.random(20_000) < 1 / (1 + np.exp(3 - scores))).astype(np.float32)
    ones = np.ones(20_000, np.float32)
    made = calibrate(method, scores[:10_000], label[:10_000], ones[:10_000])
    told = made(scores[10_000:])
    assert error(told, label[10_000:], ones[10_000:]) < 0.01
    assert (np.diff(made(np.sort(scores))) >= 0).all()


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_drawn_negatives_count_as_many_as_they_stand_for(method) -> None:
    """A tenth of the negatives was kept; probabilities are those of all candidates."""
    rng = np.random.default_rng(1)
    scores = rng.normal(size=40_000).astype(np.float32)
    label = (rng.random(40_000) < 1 / (1 + np.exp(3 - scores))).astype(np.float32)
    kept = (label > 0) | (rng.random(40_000) < 0.1)
    stands = np.where(label > 0, 1, 10).astype(np.float32)
    made = calibrate(method, scores[kept], label[kept], stands[kept])
    assert made(scores).mean() == pytest.approx(label.mean(), rel=0.1)


def test_scores_that_say_nothing_become_the_rate() -> None:
    label = np.tile(np.array([1, 0, 0, 0], np.float32), 50)
    same = np.zeros(200, np.float32)
    for method in ("platt", "isotonic"):
        told = calibrate(method, same, label, np.ones(200, np.float32))(same)
        np.testing.assert_allclose(told, 0.25, atol=0.01)


def trees_of(rows):
    old, new = split(rows, rows.label)
    config = RankerSection(trees=10, leaves=6)
    return train(old, new, rows.features, config, True, 0, Silent())[0]


def test_only_the_best_of_the_first_stage_are_ordered_by_the_second() -> None:
    rows = rows_of(60)
    first = trees_of(rows)
    second = trees_of(second_rows(rows, first, 20, with_score=True))
    batch = rows.part(0, 3).batch()
    told = BoostedScorer(first)(batch)
    found = scorer_of(Cascade(first, 5, second))(batch)
    for start, stop in zip(batch.bounds[:-1], batch.bounds[1:], strict=True):
        by_first = np.argsort(-told[start:stop], kind="stable")
        by_both = np.argsort(-found[start:stop], kind="stable")
        assert set(by_both[:5]) == set(by_first[:5])
        np.testing.assert_array_equal(
            told[start:stop][by_both[5:]], np.sort(told[start:stop][by_first[5:]])[::-1]
        )


def test_the_second_stage_is_fitted_on_what_will_reach_it() -> None:
    rows = rows_of(60)
    rows = replace(rows, stands=np.full(len(rows), 10, np.float32))
    first = trees_of(rows)
    later = second_rows(rows, first, 50, with_score=False)
    assert (np.diff(later.offsets) == 5).all()  # every row stands for ten candidates
    told = BoostedScorer(first)(rows.batch())
    kept = BoostedScorer(first)(later.batch())
    for g in range(rows.requests):
        best = np.sort(told[20 * g : 20 * g + 20])[::-1][:5]
        np.testing.assert_array_equal(np.sort(kept[5 * g : 5 * g + 5])[::-1], best)


def test_links_are_what_a_candidate_shares_with_the_history() -> None:
    triples = pa.table(
        {
            "head": ["item:a", "item:b", "item:c", "item:a", "kubrick", "item:d"],
            "relation": ["director", "director", "director", "actor", "wrote", "sequel"],
            "tail": ["kubrick", "kubrick", "lean", "lonely", "item:d", "item:a"],
            "weight": [1.0] * 6,
        }
    )
    graph = graph_of(triples, "item:", Vocabulary.of([*"abcd", *"efghijklmnopqrst"]))
    assert graph.entities == 3  # kubrick, a and d, which are linked; nobody shares the others
    rows = np.array([1, 2, 3, 0, 99], np.int32)
    history = np.array([0], np.int32)
    found = links(graph, rows, np.array([0, 5]), [history], 10)
    told = [(line >= 0).sum() for line in found["entity"]]
    assert told == [1, 0, 3, 0, 0]  # an item is not linked to itself, nor one that came later
    assert set(found["behaviour"][found["entity"] >= 0]) == {0}
    assert found["near"][0, 0] == found["far"][0, 0]  # both by `director`
    again = links(graph, rows, np.array([0, 5]), [np.empty(0, np.int32)], 10)
    assert (again["entity"] < 0).all()


class Fixed:
    """Answers with its own number."""

    def __init__(self, number: int) -> None:
        self.number = number

    def fused(self, requests):
        rows = np.array([self.number], np.int32)
        none = np.empty((0, 1), np.float32)
        found = Candidates(rows, none, none, ())
        return [(found, np.ones(1, np.float32)) for _ in requests]


def test_a_user_is_answered_by_what_was_learned_without_them() -> None:
    parts = [(frozenset({"ana"}), Fixed(0)), (frozenset({"ben"}), Fixed(1))]
    pipeline = CrossFitted(parts, Fixed(2))
    asked = [Request(user=user) for user in ("ben", "cleo", "ana", "ben")]
    assert [found.rows[0] for found in pipeline.retrieve(asked)] == [1, 2, 0, 1]


def test_an_item_that_was_shown_but_not_retrieved_is_behind_all_candidates() -> None:
    fused = np.array([3.0, 1.0], np.float32)
    ranks = np.array([[1.0, 0.5]], np.float32)
    candidates = Candidates(np.array([5, 2], np.int32), ranks * 4, ranks, ("only",))
    scores, _, places = columns_of(candidates, fused, np.array([2, 9, 5], np.int32))
    assert scores.tolist() == [[2.0, 0.0, 4.0]]
    assert places.tolist() == [[1.0, 0.0, 3.0], [0.5, 0.0, 1.0], [-2.0, -3.0, 0.0]]
