"""Trees by LightGBM (Ke et al., NIPS 2017)."""

from __future__ import annotations

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
    import lightgbm


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

    Args:
        old, new: the two.
        features: names of the columns.
        config: of the ranker.
        ranking: `lambdarank` (Burges, MSR-TR-2010-82), else log loss.
        seed: of the columns that each tree may use.
        progress: told of each tree.

    Returns:
        the trees, and the gain of each feature, `float64[f]`.
    """
    import lightgbm

    parameters = {
        "objective": "lambdarank" if ranking else "binary",
        "metric": "ndcg",
        "eval_at": [10],
        "num_leaves": config.leaves,
        "learning_rate": config.learning_rate,
        "min_data_in_leaf": int(np.clip(len(old.label) // 500, 5, 200)),
        "lambda_l2": 10.0,
        "feature_fraction": 0.7,
        "use_missing": False,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        # Threads wait for each other at every split; on few rows, on a busy machine, for long.
        "num_threads": 1 if len(old.label) < MANY else os.cpu_count() or 1,
        "verbosity": -1,
    }

    def dataset(part: Set, like: lightgbm.Dataset | None) -> lightgbm.Dataset:
        return lightgbm.Dataset(
            np.ascontiguousarray(part.x.T),
            part.label,
            weight=part.weight,
            group=part.sizes,
            reference=like,
            params=parameters,
        )

    trained = dataset(old, None)
    history: dict[str, dict[str, list[float]]] = {}
    booster = lightgbm.train(
        parameters,
        trained,
        num_boost_round=config.trees,
        valid_sets=[dataset(new, trained)],
        valid_names=["newest"],
        keep_training_booster=True,  # else only the trees up to LightGBM's own best place stay
        callbacks=[
            lightgbm.early_stopping(PATIENCE, verbose=False),
            lightgbm.record_evaluation(history),
            lambda _: progress.advance(1),
        ],
    )
    booster.best_iteration = best_place(np.array(history["newest"]["ndcg@10"]))
    gain = booster.feature_importance("gain", iteration=booster.best_iteration)
    return to_trees(booster, features), np.asarray(gain, np.float64)


def to_trees(booster: lightgbm.Booster, features: tuple[str, ...]) -> Trees:
    """A booster's best iterations as arrays that score the same float32 rows alike."""
    grove = Grove()

    def walk(node: dict[str, Any]) -> None:
        if "leaf_value" in node:
            grove.leaf(node["leaf_value"], node.get("leaf_count", 1))
            return
        begun = grove.split()
        walk(node["left_child"])
        grove.close(begun, node["split_feature"], node["threshold"])
        walk(node["right_child"])

    for tree in booster.dump_model(num_iteration=booster.best_iteration)["tree_info"]:
        walk(tree["tree_structure"])
        grove.end()
    return grove.trees(features)
