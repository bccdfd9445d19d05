from dataclasses import replace

import lightgbm
import numpy as np
import pytest

from shortlist.config.schema import RankerSection
from shortlist.core.errors import DataError
from shortlist.core.progress import Silent
from shortlist.offline.ranking.boosted import fit, to_trees
from shortlist.offline.ranking.rows import Rows
from shortlist.online.ranking.boosted import score


def rows_of(requests: int, seed: int = 0) -> Rows:
    """Twenty candidates a request; the first of three columns says what is liked."""
    rng = np.random.default_rng(seed)
    n = requests * 20
    x = rng.normal(size=(3, n)).astype(np.float32)
    label = (rng.random(n) < 1 / (1 + np.exp(3 - 2 * x[0]))).astype(np.float32)
    return Rows(
        features=("liked", "noise", "more"),
        x=x,
        label=label,
        weight=np.ones(n, np.float32),
        position=np.full(n, -1, np.int32),
        offsets=np.arange(requests + 1) * 20,
        time=np.arange(requests),
        origin="replay",
    )


@pytest.mark.parametrize("objective", ["lambdarank", "binary"])
def test_a_ranker_learns_what_is_liked(objective: str) -> None:
    config = RankerSection(objective=objective, trees=40, leaves=8)
    trees, report = fit(rows_of(200), config, 0, Silent())
    assert report.ndcg > 0.7
    assert next(iter(report.importance)) == "liked"
    assert 0 < len(trees) == report.trees <= 40
    unseen = rows_of(50, seed=1)
    out = np.empty(len(unseen), np.float32)
    score(trees, unseen.x, out)
    assert out[unseen.label == 1].mean() > out[unseen.label == 0].mean() + 0.2


def test_the_same_rows_and_seed_give_the_same_trees() -> None:
    config = RankerSection(trees=10, leaves=8)
    one, _ = fit(rows_of(60), config, 3, Silent())
    other, _ = fit(rows_of(60), config, 3, Silent())
    assert one.leaf.tobytes() == other.leaf.tobytes()
    assert one.threshold.tobytes() == other.threshold.tobytes()


def test_too_few_requests_are_an_error_that_says_what_to_do() -> None:
    with pytest.raises(DataError, match=r"the window has 5 .*Widen `ranker.window`"):
        fit(rows_of(5), RankerSection(), 0, Silent())


def test_no_interaction_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(DataError, match=r"with 0 interactions"):
        rows = rows_of(30)
        fit(replace(rows, label=np.zeros_like(rows.label)), RankerSection(), 0, Silent())


def booster_of(leaves: int, trees: int, x: np.ndarray, seed: int) -> lightgbm.Booster:
    rng = np.random.default_rng(seed)
    y = np.sin(3 * x[:, 0]) + x[:, 1] * x[:, 2] + rng.normal(size=len(x)) / 5
    return lightgbm.train(
        {"num_leaves": leaves, "min_data_in_leaf": 5, "use_missing": False, "verbosity": -1},
        lightgbm.Dataset(x, y),
        trees,
    )


@pytest.mark.parametrize("leaves", [2, 31, 32, 33, 64])
def test_scores_equal_lightgbms_for_any_size_of_tree(leaves: int) -> None:
    rng = np.random.default_rng(leaves)
    x = rng.normal(size=(3_000, 5)).astype(np.float32)
    x[:, 3] = np.round(x[:, 3])
    booster = booster_of(leaves, 40, x, leaves)
    trees = to_trees(booster, tuple("abcde"))
    for n in (0, 1, 127, 128, 129, 500):
        out = np.empty(n, np.float32)
        score(trees, np.ascontiguousarray(x[:n].T), out)
        if n:
            np.testing.assert_allclose(out, booster.predict(x[:n]), rtol=1e-5, atol=1e-5)


def test_a_value_on_a_threshold_goes_the_way_lightgbm_sends_it() -> None:
    rng = np.random.default_rng(9)
    x = rng.choice(np.array([0.1, 0.2, 0.3, 1 / 3, 0.7], np.float32), size=(2_000, 4))
    booster = booster_of(31, 30, x, 9)
    trees = to_trees(booster, tuple("abcd"))
    edge = trees.threshold
    around = np.concatenate(
        [edge, np.nextafter(edge, np.float32(9)), np.nextafter(edge, np.float32(-9))]
    )
    asked = rng.choice(around, size=(4, 700)).astype(np.float32)
    out = np.empty(700, np.float32)
    score(trees, asked, out)
    np.testing.assert_allclose(out, booster.predict(asked.T), rtol=1e-5, atol=1e-5)


def test_a_tree_that_never_splits_is_its_one_leaf() -> None:
    x = np.ones((100, 2), np.float32)
    booster = lightgbm.train(
        {"use_missing": False, "verbosity": -1}, lightgbm.Dataset(x, np.full(100, 2.5)), 1
    )
    out = np.empty(3, np.float32)
    score(to_trees(booster, ("a", "b")), np.zeros((2, 3), np.float32), out)
    np.testing.assert_allclose(out, booster.predict(np.zeros((3, 2))))
