"""A logged policy of the generated marketplace, and what a new ranker would earn there.

A visitor is shown one of fifty listings, drawn by a Plackett-Luce policy as the marketplace's own:
the truth seen through noise, and popularity. The probability of the draw is logged. Rankers are
fitted on the older half of the log; the newer half says what they would earn, and the world says
what they truly earn: the mean over visits of Σ chance of a listing · chance that it is clicked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from shortlist.offline.evaluate.off_policy import (
    Logged,
    doubly_robust,
    inverse_propensity,
    self_normalised,
)
from shortlist.testing.marketplace import World, generate
from shortlist.testing.marketplace.sessions import VIEW, attraction

SHOWN = 50


def off_policy(folder: Path, small: bool) -> dict[str, Any]:
    """True values and estimates of two new rankers and of the logging policy."""
    world = generate(folder, users=600, items=800, days=21)
    visits = 4_000 if small else 20_000
    rng = np.random.default_rng(7)
    user = rng.integers(0, len(world.tastes), visits)
    items = np.stack([rng.choice(len(world.listings), SHOWN, replace=False) for _ in range(visits)])
    utility = np.stack(
        [
            world.tastes.utility(user[v : v + 1], world.listings, items[v], world.tastes.until)[0]
            for v in range(visits)
        ]
    )
    chance = attraction(utility)
    x = _features(world, user, items)
    popular = x[..., 0]
    logging = _softmax(0.6 * utility + 0.3 * popular)
    drawn = (rng.random(visits)[:, None] > np.cumsum(logging, axis=1)).sum(axis=1)
    drawn = np.minimum(drawn, SHOWN - 1)
    lines = np.arange(visits)
    reward = (rng.random(visits) < chance[lines, drawn]).astype(np.float64)

    half = visits // 2
    old, new = lines[:half], lines[half:]
    model = _fit(x[old, drawn[old]], reward[old], 1 / logging[old, drawn[old]])
    told = _predict(model, x)
    policies = {
        "logging policy": logging,
        "new ranker": _softmax(4 * np.log(told / (1 - told))),
        "popularity": _softmax(popular),
    }
    figures: dict[str, Any] = {"visits": half, "clicked": float(reward[new].mean())}
    for name, policy in policies.items():
        log = Logged(reward[new], logging[new, drawn[new]], policy[new, drawn[new]], user[new])
        expected = (policy[new] * told[new]).sum(axis=1)
        truth = float((policy[new] * chance[new]).sum(axis=1).mean())
        estimates = {
            "inverse propensity": inverse_propensity(log, 0),
            "self-normalised": self_normalised(log, 0),
            "doubly robust": doubly_robust(log, told[new, drawn[new]], expected, 0),
        }
        figures[name] = {"true": truth, "model alone": float(expected.mean())}
        figures[name]["effective visits"] = log.effective
        for estimator, estimate in estimates.items():
            held = estimate.low <= truth <= estimate.high
            figures[name][estimator] = {**estimate.to_dict(), "holds the truth": held}
    return figures


def _features(world: World, user: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[Any]:
    """Popularity, category, price, and the user's share of views in the category."""
    log, listings = world.log, world.listings
    viewed = log.kind == VIEW
    popular = np.log1p(np.bincount(log.item[viewed], minlength=len(listings)))
    categories = int(listings.category.max()) + 1
    taste = np.zeros((len(world.tastes), categories))
    np.add.at(taste, (log.user[viewed], listings.category[log.item[viewed]]), 1)
    taste = (taste + 0.1) / (taste.sum(axis=1, keepdims=True) + 0.1 * categories)
    category = listings.category[items]
    price = np.log1p(listings.price[items])
    same_place = listings.place[items] == world.tastes.place[user][:, None]
    same_language = listings.language[items] == world.tastes.language[user][:, None]
    return np.stack(
        [
            popular[items],
            category,
            price,
            taste[user[:, None], category],
            same_place,
            same_language,
        ],
        axis=-1,
    ).astype(np.float32)


def _fit(x: NDArray[Any], reward: NDArray[Any], weight: NDArray[Any]) -> lightgbm.Booster:
    settings = {
        "objective": "binary",
        "num_leaves": 15,
        "learning_rate": 0.05,
        "min_data_in_leaf": 50,
        "verbosity": -1,
        "num_threads": 1,
        "seed": 0,
    }
    table = lightgbm.Dataset(x, reward, weight=np.minimum(weight, 200))
    return lightgbm.train(settings, table, 100)


def _predict(model: lightgbm.Booster, x: NDArray[Any]) -> NDArray[np.float64]:
    told = np.asarray(model.predict(x.reshape(-1, x.shape[-1])), np.float64)
    return np.clip(told, 1e-3, 1 - 1e-3).reshape(x.shape[:2])


def _softmax(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    raised = np.exp(scores - scores.max(axis=1, keepdims=True)).astype(np.float64)
    return raised / raised.sum(axis=1, keepdims=True)
