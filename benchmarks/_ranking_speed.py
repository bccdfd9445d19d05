"""How fast rankers score, beside LightGBM's and XGBoost's own predict, on one core."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import lightgbm
import numpy as np
import xgboost
from msgspec import structs

from shortlist.config.schema import RankerSection
from shortlist.core.progress import Silent
from shortlist.offline.ranking import lightgbm_trees, xgboost_trees
from shortlist.offline.ranking.fit import fit
from shortlist.release.ranking.batch import Batch
from shortlist.release.ranking.scorers import scorer_of
from shortlist.release.tree_scores import score
from shortlist.release.tree_shapley import contributions
from shortlist.testing.rankers import rows_of, shop_graph

CANDIDATES, FEATURES, TREES, LEAVES = 500, 60, 300, 31


def speed(small: bool) -> dict[str, Any]:
    """Milliseconds: the fastest tenth of many runs, taken in turns, so that all share the noise."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20_000, FEATURES)).astype(np.float32)
    y = x[:, :20].sum(axis=1) + np.sin(3 * x[:, 21]) * x[:, 22] + rng.normal(size=len(x))
    settings = {"num_leaves": LEAVES, "use_missing": False, "verbosity": -1, "num_threads": 1}
    light = lightgbm.train(settings, lightgbm.Dataset(x, y), TREES)
    extreme = xgboost.train(
        {"tree_method": "hist", "grow_policy": "lossguide", "max_depth": 0,
         "max_leaves": LEAVES, "nthread": 1, "verbosity": 0},
        xgboost.DMatrix(x, y), TREES,
    )  # fmt: skip
    names = tuple(f"f{f}" for f in range(FEATURES))
    ours = lightgbm_trees.to_trees(light, names)
    other = xgboost_trees.to_trees(extreme, names)
    asked = np.ascontiguousarray(x[:CANDIDATES])
    columns = np.ascontiguousarray(asked.T)
    out = np.empty(CANDIDATES, np.float32)
    turns = 20 if small else 200
    figures: dict[str, Any] = {
        "shape": f"{CANDIDATES} candidates, {FEATURES} features, {TREES} trees of {LEAVES} leaves",
        **_times(
            {
                "ours_ms": lambda: score(ours, columns, out),
                "lightgbm_predict_ms": lambda: light.predict(asked, num_threads=1),
                "ours_xgboost_trees_ms": lambda: score(other, columns, out),
                "xgboost_inplace_predict_ms": lambda: extreme.inplace_predict(asked),
                "explain_20_ms": lambda: contributions(ours, np.ascontiguousarray(columns[:, :20])),
                "lightgbm_explain_20_ms": lambda: light.predict(asked[:20], pred_contrib=True),
            },
            turns,
        ),
    }
    figures["lightgbm_over_ours"] = figures["lightgbm_predict_ms"] / figures["ours_ms"]
    figures["others"] = _others(turns)
    return figures


def _others(turns: int) -> dict[str, Any]:
    """One request, a history of 30, every kind of ranker with its default sizes."""
    rows = rows_of(200)
    base = RankerSection(trees=300, learning_rate=0.02)
    rng = np.random.default_rng(1)
    runs: dict[str, Callable[[], object]] = {}
    for name, kind, n in (
        ("glmix_1000_ms", {"kind": "glmix"}, 1_000),
        ("cascade_1000_ms", {"kind": "cascade", "keep": 125}, 1_000),
        ("attention_500_ms", {"kind": "attention", "epochs": 1}, 500),
        ("relational_500_ms", {"kind": "relational", "epochs": 1}, 500),
    ):
        ranker, _ = fit(rows, structs.replace(base, **kind), 0, Silent(), None, shop_graph)
        items = rng.integers(0, 60, n).astype(np.int32)
        batch = Batch(
            rng.normal(size=(4, n)).astype(np.float32),
            items,
            np.array([0, n]),
            rows.key[:1],
            [rng.integers(0, 60, 30).astype(np.int32)],
        )
        scorer = scorer_of(ranker.model)
        runs[name] = lambda scorer=scorer, batch=batch: scorer(batch)
    return _times(runs, turns)


def _times(runs: dict[str, Callable[[], object]], turns: int) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(turns):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            taken[name].append(1e3 * (time.perf_counter() - began))
    return {name: statistics.quantiles(times, n=10)[0] for name, times in taken.items()}
