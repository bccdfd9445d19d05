"""The protocol through real, small pipelines: one that knows the answer, one that is popularity."""

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from shortlist.config.schema import EvaluateSection
from shortlist.core.errors import DataError
from shortlist.core.progress import Silent
from shortlist.core.request import Candidates, Request, Shortlist
from shortlist.core.times import DAY, HOUR, MINUTE
from shortlist.offline.data.training import TrainingData
from shortlist.offline.evaluate import Evaluation, baselines, evaluate
from shortlist.offline.evaluate.requests import ask
from shortlist.testing.retrieval import training_data

ITEMS, USERS = 120, 30
SPLIT = 10 * DAY
METRICS = {"ndcg@10", "recall@20", "mrr", "coverage", "novelty"}


def log(seed: int = 0) -> TrainingData:
    """Users 0–24 before and after the split, 25–29 only after; early items are more popular."""
    random = np.random.default_rng(seed)
    events = []
    for user in range(USERS):
        for n, item in enumerate(random.choice(ITEMS, 20, replace=False)):
            day = 1 if n < 12 and user < 25 else 11
            events.append((user, int(item * item) // ITEMS, day * DAY + user * HOUR + n * MINUTE))
    return training_data(events, ITEMS)


USER_IDS = [f"user-{row}" for row in range(USERS)]


class Listed:
    """A pipeline whose answer to a request is a list of rows with descending scores."""

    def __init__(self, data: TrainingData) -> None:
        self.data = data
        self.asked: list[Request] = []

    def answer(self, request: Request) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        raise NotImplementedError

    def of(self, request: Request) -> NDArray[np.bool_]:
        return self.data.user == USER_IDS.index(request.user)

    def retrieve(self, requests: Sequence[Request]) -> list[Candidates]:
        found = []
        for request in requests:
            rows, scores = self.answer(request)
            ranks = 1 / np.arange(1, len(rows) + 1, dtype=np.float32)
            # The second source returns the last half of the list only.
            late = np.arange(len(rows)) >= len(rows) // 2
            second = np.zeros(len(rows), np.float32)
            second[late] = 1 / np.arange(1, late.sum() + 1)
            found.append(
                Candidates(
                    rows,
                    np.stack([scores, scores * late]),
                    np.stack([ranks, second]),
                    ("all", "late"),
                )
            )
        return found

    def recommend(self, requests: Sequence[Request]) -> list[Shortlist]:
        self.asked += requests
        answers = [self.answer(request) for request in requests]
        return [
            Shortlist(self.data.catalogue.vocabulary.ids(rows), scores, rows, "r", "q")
            for rows, scores in answers
        ]


class Oracle(Listed):
    """Answers with what the user is about to do."""

    def answer(self, request: Request) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        mine = self.of(request)
        after = np.unique(self.data.item[mine & (self.data.time >= request.now)])
        before = self.data.item[mine & (self.data.time < request.now)]
        rows = after if request.seen else np.setdiff1d(after, before)
        return rows.astype(np.int32), -np.arange(len(rows), dtype=np.float32)


class Popularity(Listed):
    """Answers with the most popular items of before the split that the user has not seen."""

    def answer(self, request: Request) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        counts = np.bincount(self.data.item[self.data.time < SPLIT], minlength=ITEMS)
        order = np.argsort(-counts, kind="stable").astype(np.int32)
        seen = self.data.item[self.of(request) & (self.data.time < request.now)]
        rows = order[~np.isin(order, seen)][: request.k]
        return rows, counts[rows].astype(np.float32)


def run(pipeline: Listed, **config: int) -> Evaluation:
    section = EvaluateSection(**config)
    return evaluate(pipeline, pipeline.data, SPLIT, section, USER_IDS, 0, Silent())


def test_a_pipeline_that_knows_the_answer_is_perfect() -> None:
    result = run(Oracle(log()))
    ranking = result.everyone.ranking
    for metric in ("ndcg@10", "recall@20", "mrr"):
        assert ranking[metric].value == pytest.approx(1)
        assert ranking[metric].low == pytest.approx(1)
    assert result.retrieval["merged"] == {"recall@100": 1.0, "recall@500": 1.0}
    assert result.everyone.lift["popular"]["ndcg@10"].low > 0


def test_a_popularity_pipeline_equals_the_popular_baseline() -> None:
    result = run(Popularity(log()))
    assert result.everyone.ranking == result.everyone.baselines["popular"]
    assert result.cold.ranking == result.cold.baselines["popular"]
    assert result.everyone.lift["popular"]["ndcg@10"].value == 0


def test_each_source_is_measured_by_its_own_list() -> None:
    retrieval = run(Oracle(log())).retrieval
    assert set(retrieval) == {"all", "late", "merged"}
    assert retrieval["all"]["recall@100"] == 1
    assert 0.4 < retrieval["late"]["recall@100"] < 0.8


def test_the_json_has_the_documented_shape() -> None:
    result = json.loads(json.dumps(run(Popularity(log())).to_dict()))
    assert result["users"] == USERS
    assert set(result["ranking"]) == METRICS
    assert set(result["ranking"]["ndcg@10"]) == {"value", "low", "high"}
    assert set(result["baselines"]) == {"popular", "markov"}
    assert all(set(metrics) == METRICS for metrics in result["baselines"].values())
    assert set(result["retrieval"]["merged"]) == {"recall@100", "recall@500"}
    assert "Global temporal split" in result["protocol"]


def test_requests_without_a_history_count_and_are_reported_apart() -> None:
    result = run(Popularity(log()))
    assert result.cold.users == 5
    assert result.cold.requests == 5
    assert result.requests == USERS * 5


def test_requests_arrive_in_order_of_time_as_of_events_of_the_holdout() -> None:
    pipeline = Popularity(log())
    run(pipeline)
    instants = [request.now for request in pipeline.asked]
    assert instants == sorted(instants)
    assert min(instants) >= SPLIT
    assert set(instants) <= set(pipeline.data.time.tolist())


def test_users_and_requests_are_bounded_by_the_config() -> None:
    result = run(Popularity(log()), users=7, requests_per_user=2)
    assert (result.users, result.requests) == (7, 14)


def test_seen_items_are_relevant_only_when_they_may_be_shown() -> None:
    data = training_data([(0, 1, DAY), (0, 1, 11 * DAY), (0, 2, 11 * DAY)], 3)
    config = EvaluateSection()
    assert ask(data, SPLIT, config, 0).relevant[0].tolist() == [2]
    assert ask(data, SPLIT, config, 0, seen_allowed=True).relevant[0].tolist() == [1, 2]


def test_items_that_may_not_be_shown_are_neither_relevant_nor_recommended() -> None:
    data = log()
    catalogue = data.catalogue
    available, expires = catalogue.available.copy(), catalogue.expires.copy()
    available[::7] = False
    expires[1::7] = SPLIT
    data = replace(data, catalogue=replace(catalogue, available=available, expires=expires))
    asked = ask(data, SPLIT, EvaluateSection(), 0)
    gone = set(range(0, ITEMS, 7)) | set(range(1, ITEMS, 7))
    assert not gone & set(asked.relevant.values.tolist())
    for baseline in (baselines.popular, baselines.markov):
        assert not gone & set(baseline(data.before(SPLIT), asked, 20).rows.ravel().tolist())


def test_an_evaluation_of_nobody_is_refused_with_a_remedy() -> None:
    data = training_data([(0, 1, DAY)], 3)
    with pytest.raises(DataError, match=r"nothing.*prepare\.holdout"):
        evaluate(Oracle(data), data, SPLIT, EvaluateSection(), USER_IDS, 0, Silent())


def test_markov_continues_with_what_followed_the_last_item_then_with_popularity() -> None:
    walks = [(0, [1, 2]), (1, [1, 2]), (2, [1, 3]), (3, [4, 0, 4]), (4, [4])]
    events = [(u, i, DAY + n * MINUTE) for u, items in walks for n, i in enumerate(items)]
    events += [(9, 1, 11 * DAY), (9, 5, 12 * DAY), (9, 0, 13 * DAY)]
    data = training_data(events, 6)
    asked = ask(data, SPLIT, EvaluateSection(), 0)
    lists = baselines.markov(data.before(SPLIT), asked, 4)
    assert lists.rows[0].tolist() == [1, 4, 2, 0]  # no history: popularity, ties by row
    assert lists.rows[1].tolist() == [2, 3, 4, 0]  # after 1: 2 twice, 3 once, then popularity
    assert lists.rows[2].tolist() == [4, 2, 0, 3]  # nothing ever followed 5
    assert (np.diff(lists.scores[1]) < 0).all()


def test_baselines_fill_short_catalogues_with_nothing() -> None:
    data = training_data([(0, 0, DAY), (1, 1, 11 * DAY)], 2)
    lists = baselines.popular(data.before(SPLIT), ask(data, SPLIT, EvaluateSection(), 0), 5)
    assert lists.rows[0].tolist() == [0, 1, -1, -1, -1]
    assert (lists.scores[0, 2:] == -np.inf).all()


@given(st.integers(0, 5), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_what_happens_later_never_changes_what_a_request_sees(
    seed: int, shuffle: int, where: float
) -> None:
    data = log(seed)
    held_out = data.time[data.time >= SPLIT]
    cut = int(np.quantile(held_out, where))
    later = np.flatnonzero(data.time >= cut)
    item = data.item.copy()
    item[later] = item[np.random.default_rng(shuffle).permutation(later)]
    changed = replace(data, item=item)

    config = EvaluateSection()
    sees = []
    for one in (data, changed):
        asked = ask(one, SPLIT, config, 0)
        popular = baselines.popular(one.before(SPLIT), asked, 10).rows
        markov = baselines.markov(one.before(SPLIT), asked, 10).rows
        sees.append(
            {
                (user, now): (asked.history[q].tolist(), popular[q].tolist(), markov[q].tolist())
                for q, (user, now) in enumerate(
                    zip(asked.user.tolist(), asked.now.tolist(), strict=True)
                )
                if now <= cut
            }
        )
    both = sees[0].keys() & sees[1].keys()
    assert len(both) >= 0.9 * len(sees[0])
    assert all(sees[0][request] == sees[1][request] for request in both)
