"""`boosted`: gradient-boosted trees by LightGBM, handed on as plain arrays."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shortlist.config.schema import RankerSection
from shortlist.core.errors import DataError
from shortlist.core.progress import Progress
from shortlist.offline.ranking.rows import Rows
from shortlist.release.trees import Trees

if TYPE_CHECKING:
    import lightgbm

VALIDATION = 0.15
"""The newest part of the requests; the number of trees is chosen on it."""
PATIENCE = 60
"""Trees without an improvement before training stops."""
SMOOTH = 25
"""Trees that the validation metric is averaged over before its best place is taken: on a few
hundred requests a handful of early trees often leads by chance."""
MANY = 500_000
"""Rows from which on training uses every core."""
FEWEST = 20
"""Requests below which nothing is fitted."""


@dataclass(frozen=True)
class FitReport:
    """What training found out; plain values, for the manifest.

    Attributes:
        origin: where the requests came from, `impressions` or `replay`.
        requests, rows, positives: the size of the training set, validation included.
        trees: how many trees were kept.
        ndcg: nDCG@10 on the validation requests, among their rows.
        importance: share of the total gain per feature, largest first.
    """

    origin: str
    requests: int
    rows: int
    positives: int
    trees: int
    ndcg: float
    importance: dict[str, float]

    def __str__(self) -> str:
        """The report in two sentences."""
        most = ", ".join(list(self.importance)[:5])
        return (
            f"Ranker: {self.trees} trees from {self.requests:,} requests of {self.origin} "
            f"({self.rows:,} rows, {self.positives:,} interactions), nDCG@10 {self.ndcg:.3f} on "
            f"the newest of them. It goes most by {most}."
        )


def fit(
    rows: Rows, config: RankerSection, seed: int, progress: Progress
) -> tuple[Trees, FitReport]:
    """Fit trees; the same rows, configuration and seed give the same trees.

    `lambdarank` (Burges, MSR-TR-2010-82) or log loss, by `config.objective`; the number of trees
    is the one with the best nDCG@10 on the newest requests.

    Raises:
        DataError: fewer than `FEWEST` requests, or no interaction to learn from.
    """
    positives = int(rows.label.sum())
    if rows.requests < FEWEST or positives == 0:
        raise DataError(
            f"a ranker needs {FEWEST} requests with an interaction among their candidates; the "
            f"window has {rows.requests} (with {positives} interactions).",
            remedy='Widen `ranker.window`, or set `ranker.kind = "none"`.',
            where="ranker",
        )
    booster, ndcg = _train(rows, config, seed, progress)
    trees = to_trees(booster, rows.features)
    gain = booster.feature_importance("gain", iteration=booster.best_iteration)
    share = gain / max(float(gain.sum()), 1e-12)
    report = FitReport(
        origin=rows.origin,
        requests=rows.requests,
        rows=len(rows),
        positives=positives,
        trees=len(trees),
        ndcg=ndcg,
        importance={
            rows.features[i]: round(float(share[i]), 4) for i in np.argsort(-share, kind="stable")
        },
    )
    return trees, report


def _train(
    rows: Rows, config: RankerSection, seed: int, progress: Progress
) -> tuple[lightgbm.Booster, float]:
    import lightgbm

    cut = rows.requests - max(1, int(rows.requests * VALIDATION))
    border = int(rows.offsets[cut])
    parameters = {
        "objective": config.objective,
        "metric": "ndcg",
        "eval_at": [10],
        "num_leaves": config.leaves,
        "learning_rate": config.learning_rate,
        "min_data_in_leaf": int(np.clip(border // 500, 5, 200)),
        "lambda_l2": 10.0,
        "feature_fraction": 0.7,
        "use_missing": False,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        # Threads wait for each other at every split; on few rows, on a busy machine, for long.
        "num_threads": 1 if border < MANY else os.cpu_count() or 1,
        "verbosity": -1,
    }

    def dataset(lines: slice, groups: slice, like: lightgbm.Dataset | None) -> lightgbm.Dataset:
        return lightgbm.Dataset(
            np.ascontiguousarray(rows.x[:, lines].T),
            rows.label[lines],
            weight=rows.weight[lines],
            group=np.diff(rows.offsets)[groups],
            reference=like,
            params=parameters,
        )

    train = dataset(slice(0, border), slice(0, cut), None)
    newest = dataset(slice(border, None), slice(cut, None), train)
    progress.step("boosted trees", config.trees)
    history: dict[str, dict[str, list[float]]] = {}
    booster = lightgbm.train(
        parameters,
        train,
        num_boost_round=config.trees,
        valid_sets=[newest],
        valid_names=["newest"],
        keep_training_booster=True,  # else only the trees up to LightGBM's own best place stay
        callbacks=[
            lightgbm.early_stopping(PATIENCE, verbose=False),
            lightgbm.record_evaluation(history),
            lambda _: progress.advance(1),
        ],
    )
    measured = np.array(history["newest"]["ndcg@10"])
    booster.best_iteration = _best_place(measured)
    ndcg = float(measured[booster.best_iteration - 1])
    progress.note(f"{booster.best_iteration} trees, nDCG@10 {ndcg:.4f} on the newest requests")
    return booster, ndcg


def _best_place(measured: NDArray[np.float64]) -> int:
    """How many trees to keep: the middle of the best stretch of `SMOOTH` trees."""
    window = min(SMOOTH, len(measured))
    means = np.convolve(measured, np.full(window, 1 / window), mode="valid")
    return int(np.argmax(means)) + window // 2 + 1


def to_trees(booster: lightgbm.Booster, features: tuple[str, ...]) -> Trees:
    """A booster's best iterations as arrays that score the same float32 rows alike.

    LightGBM compares float64 thresholds; a float32 value is at most a threshold exactly when it
    is at most the threshold rounded down to float32.
    """
    nodes: list[tuple[int, float, int, int]] = []
    leaves: list[float] = []
    node_offsets, leaf_offsets = [0], [0]

    def walk(node: dict[str, Any]) -> None:
        if "leaf_value" in node:
            leaves.append(node["leaf_value"])
            return
        place = len(nodes)
        first = len(leaves) - leaf_offsets[-1]
        nodes.append((0, 0.0, 0, 0))
        walk(node["left_child"])
        stop = len(leaves) - leaf_offsets[-1]
        nodes[place] = (node["split_feature"], node["threshold"], first, stop)
        walk(node["right_child"])

    for tree in booster.dump_model(num_iteration=booster.best_iteration)["tree_info"]:
        walk(tree["tree_structure"])
        node_offsets.append(len(nodes))
        leaf_offsets.append(len(leaves))
    columns = list(zip(*nodes, strict=True)) or [(), (), (), ()]
    return Trees(
        features=features,
        node_offsets=np.array(node_offsets, np.int64),
        feature=np.array(columns[0], np.int32),
        threshold=_round_down(np.array(columns[1], np.float64)),
        left_start=np.array(columns[2], np.uint8),
        left_stop=np.array(columns[3], np.uint8),
        leaf_offsets=np.array(leaf_offsets, np.int64),
        leaf=np.array(leaves, np.float64),
    )


def _round_down(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest float32 that is not above each value."""
    with np.errstate(over="ignore"):
        near = values.astype(np.float32)
    below = np.nextafter(near, np.float32(-np.inf))
    return np.where(near.astype(np.float64) > values, below, near)
