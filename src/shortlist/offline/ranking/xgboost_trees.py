"""Trees by XGBoost (Chen and Guestrin, KDD 2016)."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shortlist.config.schema import RankerSection
from shortlist.core.progress import Progress
from shortlist.offline.ranking.nodes import Grove
from shortlist.offline.ranking.sets import MANY, PATIENCE, Set, best_place
from shortlist.release.trees import Trees

if TYPE_CHECKING:
    import xgboost


def train(
    old: Set,
    new: Set,
    features: tuple[str, ...],
    config: RankerSection,
    ranking: bool,
    seed: int,
    progress: Progress,
) -> tuple[Trees, NDArray[np.float64]]:
    """Trees fitted on the older requests, as many as are best on the newer ones.

    See `lightgbm_trees.train`. XGBoost's ranking objective weighs requests, not rows: a request
    weighs the mean of its positive rows.
    """
    import xgboost

    def matrix(part: Set, weight: NDArray[np.float32] | None, grouped: bool) -> xgboost.DMatrix:
        made = xgboost.DMatrix(np.ascontiguousarray(part.x.T), part.label, weight=weight)
        if grouped:
            made.set_group(part.sizes)
        return made

    trained = matrix(old, old.request_weight if ranking else old.weight, ranking)
    newest = matrix(new, new.request_weight if ranking else None, True)
    history: dict[str, dict[str, list[float]]] = {}
    booster = xgboost.train(
        {
            "objective": "rank:ndcg" if ranking else "binary:logistic",
            **(
                {"lambdarank_pair_method": "topk", "lambdarank_num_pair_per_sample": 10}
                if ranking
                else {}
            ),
            "eval_metric": "ndcg@10",
            "tree_method": "hist",
            "grow_policy": "lossguide",
            "max_depth": 0,
            "max_leaves": config.leaves,
            "learning_rate": config.learning_rate,
            "min_child_weight": 1.0,
            "lambda": 10.0,
            "colsample_bytree": 0.7,
            "seed": seed,
            "nthread": 1 if len(old.label) < MANY else os.cpu_count() or 1,
            "verbosity": 0,
        },
        trained,
        num_boost_round=config.trees,
        evals=[(newest, "newest")],
        early_stopping_rounds=PATIENCE,
        evals_result=history,
        verbose_eval=False,
    )
    progress.advance(config.trees)
    booster = booster[: best_place(np.array(history["newest"]["ndcg@10"]))]
    gains = booster.get_score(importance_type="total_gain")
    gain = np.array([gains.get(f"f{f}", 0.0) for f in range(len(features))], np.float64)
    return to_trees(booster, features), gain


def to_trees(booster: xgboost.Booster, features: tuple[str, ...]) -> Trees:
    """A booster's margin as arrays that score the same float32 rows alike.

    XGBoost sends a row left where its value is below the threshold, not at it; thresholds become
    the next smaller float32. What it starts from is a tree of one leaf.
    """
    grove = Grove()

    def walk(node: dict[str, Any]) -> None:
        if "leaf" in node:
            grove.leaf(node["leaf"], node["cover"])
            return
        children = {child["nodeid"]: child for child in node["children"]}
        begun = grove.split()
        walk(children[node["yes"]])
        below = np.nextafter(np.float32(node["split_condition"]), np.float32(-np.inf))
        grove.close(begun, int(node["split"].removeprefix("f")), float(below))
        walk(children[node["no"]])

    for text in booster.get_dump(dump_format="json", with_stats=True):
        walk(json.loads(text))
        grove.end()
    grove.leaf(_start(booster), 1.0)
    grove.end()
    return grove.trees(features)


def _start(booster: xgboost.Booster) -> float:
    """The margin that every row starts from."""
    told = json.loads(booster.save_config())["learner"]
    base = float(told["learner_model_param"]["base_score"].strip("[]"))
    if told["objective"]["name"] == "binary:logistic":
        return float(np.log(base / (1 - base)))
    return base
