"""Trees of both libraries: they learn, and become arrays that score alike."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import lightgbm
import numpy as np
import pytest
import xgboost

from shortlist.config.schema import RankerSection
from shortlist.core.errors import DataError
from shortlist.core.progress import Silent
from shortlist.offline.ranking import lightgbm_trees, xgboost_trees
from shortlist.offline.ranking.boosted import fit_trees
from shortlist.offline.ranking.fit import fit
from shortlist.offline.ranking.nodes import weighed
from shortlist.release.tree_scores import score
from shortlist.release.tree_shapley import contributions
from shortlist.release.trees import Trees
from shortlist.testing.rankers import rows_of

# One thread: several wait for each other longer than so little work takes.
ONE_LIGHT = {"use_missing": False, "verbosity": -1, "num_threads": 1}
ONE_EXTREME = {"grow_policy": "lossguide", "max_depth": 0, "verbosity": 0, "nthread": 1}
Made = tuple[Trees, Callable[[np.ndarray], np.ndarray]]


def with_lightgbm(x: np.ndarray, y: np.ndarray, leaves: int, trees: int, **more: Any) -> Made:
    booster = lightgbm.train(
        ONE_LIGHT | {"num_leaves": leaves, "min_data_in_leaf": 5} | more,
        lightgbm.Dataset(x, y),
        trees,
    )
    names = tuple(f"f{f}" for f in range(x.shape[1]))
    return lightgbm_trees.to_trees(booster, names), lambda rows: booster.predict(
        rows, raw_score=True
    )


def with_xgboost(x: np.ndarray, y: np.ndarray, leaves: int, trees: int, **more: Any) -> Made:
    booster = xgboost.train(
        ONE_EXTREME | {"max_leaves": leaves} | more,
        xgboost.DMatrix(x, y),
        trees,
    )
    names = tuple(f"f{f}" for f in range(x.shape[1]))
    return xgboost_trees.to_trees(booster, names), lambda rows: booster.predict(
        xgboost.DMatrix(rows), output_margin=True
    )


LIBRARIES = pytest.mark.parametrize("made", [with_lightgbm, with_xgboost])


def table(seed: int, rows: int = 3_000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 5)).astype(np.float32)
    x[:, 3] = np.round(x[:, 3])
    return x, np.sin(3 * x[:, 0]) + x[:, 1] * x[:, 2] + rng.normal(size=rows) / 5


def scored(trees: Trees, x: np.ndarray) -> np.ndarray:
    out = np.empty(len(x), np.float32)
    score(trees, np.ascontiguousarray(x.T), out)
    return out


@LIBRARIES
@pytest.mark.parametrize("leaves", [2, 32, 33, 64])
def test_scores_equal_the_librarys_for_any_size_of_tree(made: Any, leaves: int) -> None:
    x, y = table(leaves)
    trees, predict = made(x, y, leaves, 30)
    for n in (1, 127, 128, 129, 500):
        np.testing.assert_allclose(scored(trees, x[:n]), predict(x[:n]), rtol=1e-4, atol=1e-4)
    assert len(scored(trees, x[:0])) == 0


@LIBRARIES
def test_a_value_on_a_threshold_goes_the_way_the_library_sends_it(made: Any) -> None:
    rng = np.random.default_rng(9)
    x = rng.choice(np.array([0.1, 0.2, 0.3, 1 / 3, 0.7], np.float32), size=(2_000, 4))
    trees, predict = made(x, x.sum(axis=1) + rng.normal(size=len(x)), 31, 30)
    edge = trees.threshold
    around = np.concatenate(
        [edge, np.nextafter(edge, np.float32(9)), np.nextafter(edge, np.float32(-9))]
    )
    asked = rng.choice(around, size=(700, 4)).astype(np.float32)
    np.testing.assert_allclose(scored(trees, asked), predict(asked), rtol=1e-4, atol=1e-4)


@LIBRARIES
def test_log_odds_come_over_with_what_they_start_from(made: Any) -> None:
    x, y = table(3)
    objective = "binary" if made is with_lightgbm else "binary:logistic"
    trees, predict = made(x, (y > 1).astype(np.float32), 8, 20, objective=objective)
    np.testing.assert_allclose(scored(trees, x), predict(x), rtol=1e-4, atol=1e-4)


@LIBRARIES
def test_a_tree_that_never_splits_is_its_one_leaf(made: Any) -> None:
    x = np.ones((100, 2), np.float32)
    trees, predict = made(x, np.full(100, 2.5), 8, 1)
    np.testing.assert_allclose(scored(trees, x[:3]), predict(x[:3]), rtol=1e-5)


def test_contributions_are_lightgbms_own() -> None:
    x, y = table(5)
    booster = lightgbm.train(ONE_LIGHT | {"num_leaves": 31}, lightgbm.Dataset(x, y), 20)
    trees = lightgbm_trees.to_trees(booster, tuple("abcde"))
    expected = np.asarray(booster.predict(x[:50], pred_contrib=True))
    base, terms = contributions(trees, np.ascontiguousarray(x[:50].T))
    np.testing.assert_allclose(base, expected[0, -1], rtol=1e-6)
    np.testing.assert_allclose(terms.T, expected[:, :-1], rtol=1e-6, atol=1e-8)


def test_a_weighed_ensemble_scores_the_weighed_sum() -> None:
    x, y = table(6)
    one, other = with_lightgbm(x, y, 8, 5)[0], with_xgboost(x, y, 40, 5)[0]
    both = weighed([(2.0, one), (-0.5, other)])
    expected = 2 * scored(one, x) - 0.5 * scored(other, x)
    np.testing.assert_allclose(scored(both, x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_several_objectives_pull_the_order_by_their_weights(library: str) -> None:
    rows = rows_of(120)
    bought = rows.x[1] > 1.5  # purchases follow the second column, views the first
    rows = replace(rows, kinds=("view", "purchase"), met=np.stack([rows.label > 0, bought]))

    def pull(view: float, purchase: float) -> tuple[float, float]:
        config = RankerSection(
            objective="multi",
            library=library,
            weights={"view": view, "purchase": purchase},
            trees=30,
            leaves=8,
        )
        trees, _ = fit_trees(rows, config, 0, Silent())
        told = scored(trees, rows.x.T)
        return float(np.corrcoef(told, rows.x[0])[0, 1]), float(np.corrcoef(told, bought)[0, 1])

    of_views, of_purchases = pull(1, 0), pull(0, 1)
    assert of_views[0] > 0.5 > 0.3 > abs(of_views[1])
    assert of_purchases[1] > 0.5 > 0.3 > abs(of_purchases[0])
    both = pull(1, 1)
    assert both[0] > abs(of_purchases[0]) and both[1] > abs(of_views[1])


def test_too_few_requests_are_an_error_that_says_what_to_do() -> None:
    with pytest.raises(DataError, match=r"the window has 5 .*Widen `ranker.window`"):
        fit(rows_of(5), RankerSection(), 0, Silent())


def test_no_interaction_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(DataError, match=r"with 0 interactions"):
        rows = rows_of(30)
        fit(replace(rows, label=np.zeros_like(rows.label)), RankerSection(), 0, Silent())
