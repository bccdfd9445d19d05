"""Fusion is learned on held-out requests and never loses to what it could have taken instead."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.core.progress import Silent
from shortlist.offline.retrieval.fusion import FEWEST, Rows, choose
from shortlist.offline.retrieval.logit import conditional_logit

SOURCES = ("good", "noise")


def rows(
    signal: float, requests: int = 300, candidates: int = 20, seed: int = 0, found: float = 1.0
) -> Rows:
    """Requests with one relevant candidate each, which `good` scores higher by `signal`.

    `noise` says nothing. A share `found` of the requests has its relevant item among the
    candidates.
    """
    rng = np.random.default_rng([seed, requests])
    n = requests * candidates
    label = np.zeros((requests, candidates), np.bool_)
    label[rng.random(requests) < found, 0] = True
    scores = rng.normal(0, 1, (2, requests, candidates))
    scores[0] += signal * label
    ranks = 1 / (1 + np.argsort(np.argsort(-scores, axis=2), axis=2))
    consensus = (1 / (60 + 1 / ranks)).sum(axis=0)
    names = tuple(f"{kind}:{s}" for s in SOURCES for kind in ("score", "place"))
    columns = [scores[0], np.log(1 / ranks[0]), scores[1], np.log(1 / ranks[1]), consensus]
    return Rows(
        names=(*names, "consensus"),
        x=np.stack([column.reshape(n) for column in columns], axis=1).astype(np.float32),
        label=label.reshape(n),
        offsets=np.arange(requests + 1) * candidates,
        relevant=np.ones(requests, np.int64),
        user=np.arange(requests),
        ranks=ranks.reshape(2, n).T.astype(np.float32),
        sources=SOURCES,
    )


def test_the_informative_source_gets_the_weight() -> None:
    made = rows(signal=2.0, requests=2_000)
    weights = dict(
        zip(made.names, conditional_logit(made.x, made.label, made.offsets), strict=True)
    )
    # The relevant score is normal with another mean, so the log odds grow by `signal` a unit.
    assert weights["score:good"] == pytest.approx(2.0, abs=0.5)
    assert abs(weights["score:noise"]) < 0.3


def test_weights_do_not_depend_on_the_units_of_the_evidence() -> None:
    made = rows(signal=1.0)
    scaled = conditional_logit(made.x * np.float32(1_000), made.label, made.offsets)
    np.testing.assert_allclose(
        scaled * 1_000, conditional_logit(made.x, made.label, made.offsets), atol=1e-2
    )


@settings(max_examples=8, deadline=None)
@given(st.floats(0, 4), st.integers(0, 100))
def test_what_is_chosen_never_loses_to_a_single_source_or_to_reciprocal_rank(
    signal: float, seed: int
) -> None:
    made = rows(signal, requests=120, seed=seed)
    fusion = choose(made, 0, Silent()).fusion
    best = {"rrf": "rrf", "single": f"source:{fusion.source}", "weights": "weights"}
    reached = max(fusion.validation.values())
    if fusion.method == "boosted":
        assert any(
            value == reached
            for way, value in fusion.validation.items()
            if way.startswith("boosted")
        )
    else:
        assert fusion.validation[best[fusion.method]] == reached
    assert reached >= fusion.validation["source:good"]
    assert reached >= fusion.validation["rrf"]


def test_a_choice_says_what_the_others_reached() -> None:
    fusion = choose(rows(signal=2.0), 0, Silent()).fusion
    assert {"source:good", "source:noise", "rrf", "weights"} <= fusion.validation.keys()
    assert fusion.requests == 300
    assert "the best source alone (good)" in fusion.reason
    assert fusion.validation["source:good"] > 2 * fusion.validation["source:noise"]


def test_with_too_few_requests_sources_are_merged_by_reciprocal_rank() -> None:
    fusion = choose(rows(signal=3.0, requests=FEWEST - 1), 0, Silent()).fusion
    assert fusion.method == "rrf"
    assert not fusion.weights
    assert f"{FEWEST} are needed" in fusion.reason
    nothing = choose(rows(signal=3.0, found=0.0), 0, Silent()).fusion
    assert nothing.method == "rrf"


def test_the_same_seed_chooses_the_same() -> None:
    one, other = (choose(rows(signal=1.0), 3, Silent()) for _ in range(2))
    assert one.fusion == other.fusion


def test_relevant_items_beyond_the_candidates_count_against_every_way() -> None:
    half = choose(rows(signal=9.0, found=0.5), 0, Silent()).fusion.validation
    assert half["source:good"] == pytest.approx(0.5, abs=0.1)


def test_ties_count_against_the_scores() -> None:
    made = rows(signal=1.0, requests=4, candidates=5)
    assert made.ndcg(np.zeros(20)) == pytest.approx(1 / np.log2(6))  # fifth of five
