"""`boosted`: gradient-boosted trees, handed on as plain arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist.config.schema import RankerSection
from shortlist.core.progress import Progress
from shortlist.offline.ranking import lightgbm_trees, xgboost_trees
from shortlist.offline.ranking.nodes import weighed
from shortlist.offline.ranking.rows import Rows
from shortlist.offline.ranking.sets import split
from shortlist.release.trees import Trees


def fit_trees(
    rows: Rows, config: RankerSection, seed: int, progress: Progress
) -> tuple[Trees, NDArray[np.float64]]:
    """Trees; the same rows, configuration and seed give the same trees.

    With the objective `multi` there is a model of log odds for every kind of event, and the score
    is their sum, each times its weight: one ensemble, as fast to score as any.

    Returns:
        the trees, and the share of each feature in the gain, `float64[f]`.
    """
    library = xgboost_trees if config.library == "xgboost" else lightgbm_trees
    if config.objective == "multi":
        labels = [met.astype(np.float32) for met in rows.met]
        weights = [config.weights[kind] for kind in rows.kinds]
    else:
        labels, weights = [rows.label], [1.0]
    progress.step("boosted trees", config.trees * len(labels))
    parts = []
    gain = np.zeros(len(rows.features))
    for weight, label in zip(weights, labels, strict=True):
        old, new = split(rows, label)
        ranking = config.objective == "lambdarank"
        if ranking:
            old, new = old.by_click(), new.by_click()
        trees, gains = library.train(old, new, rows.features, config, ranking, seed, progress)
        parts.append((weight, trees))
        gain += abs(weight) * gains / max(float(gains.sum()), 1e-12)
    trees = parts[0][1] if len(parts) == 1 and weights == [1.0] else weighed(parts)
    return trees, gain / max(float(gain.sum()), 1e-12)
