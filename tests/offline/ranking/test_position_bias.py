"""Clicks that positions bias: what a ranker learns from them with and without knowing positions."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr

from shortlist.config.schema import RankerSection
from shortlist.core.progress import Silent
from shortlist.core.times import MINUTE
from shortlist.features import FeatureSet, default_features
from shortlist.offline.data.training import TrainingData
from shortlist.offline.ranking.boosted import fit_trees
from shortlist.offline.ranking.logged import clicked_impressions
from shortlist.offline.ranking.propensity import propensities
from shortlist.offline.ranking.rows import training_rows
from shortlist.release.ranking.batch import Batch
from shortlist.release.ranking.scorers import scorer_of
from shortlist.testing.ranking import (
    END,
    ITEMS,
    USERS,
    WINDOW,
    Everything,
    Line,
    tasteful_log,
    user_ids,
    write_impressions,
)

PAGES, SHOWN = 5_000, 10
EXAMINED = 1 / np.sqrt(1 + np.arange(SHOWN)) ** 1.5
"""How likely each position is looked at, relative to the first."""
EVERY = default_features(
    "kind", "price", {"kind": "keyword", "price": "number"}, ("popular", "row")
)
WHICH = FeatureSet([one for one in EVERY.features if one.name == "score:row"])
"""A ranker that knows nothing but which item it is."""


def planted(
    favoured: float = 1.0,
) -> tuple[TrainingData, list[Line], NDArray[np.float64]]:
    """A log of clicks, the pages that they were made on, and how attractive items truly are.

    The old ranker has the order wrong: it puts unattractive items on top, though not always. It
    shows every other item `favoured` times as often as the rest, whatever it is.
    """
    rng = np.random.default_rng(3)
    attractive = rng.permutation(np.linspace(0.05, 0.6, ITEMS))
    often = np.where(np.arange(ITEMS) % 2, favoured, 1.0)
    chance = None if favoured == 1 else often / often.sum()
    lines: list[Line] = []
    clicks: list[tuple[int, int, int]] = []
    step = (END - WINDOW) // (2 * PAGES)
    for page in range(PAGES):
        user, time = int(rng.integers(0, USERS)), WINDOW + page * step
        items = rng.choice(ITEMS, SHOWN, replace=False, p=chance)
        items = items[np.argsort(attractive[items] + rng.normal(0, 0.25, SHOWN))]
        clicked = rng.random(SHOWN) < EXAMINED * attractive[items]
        lines += [(user, int(item), time, k, f"page {page}") for k, item in enumerate(items)]
        clicks += [(user, time + 1, int(item)) for item in items[clicked]]
    user, time, item = (np.array(column) for column in zip(*sorted(clicks), strict=True))
    data = replace(
        tasteful_log(),
        user=user.astype(np.int32),
        item=item.astype(np.int32),
        time=time.astype(np.int64),
        weight=np.ones(len(user), np.float32),
        session=np.arange(len(user)),
    )
    return data, lines, attractive


@pytest.fixture(scope="module")
def world() -> tuple[TrainingData, list[Line], NDArray[np.float64]]:
    return planted()


def agreement(
    data: TrainingData,
    lines: list[Line],
    attractive: NDArray[np.float64],
    folder: Path,
    unshown: int = 30,
) -> float:
    """Rank correlation of what a ranker learns from pages with the truth."""
    path = write_impressions(folder / "impressions.parquet", lines)
    config = RankerSection(trees=60, leaves=16, requests=PAGES, unshown=unshown)
    rows = training_rows(
        Everything(data), data, path, WINDOW, config, WHICH, user_ids(), 1, Silent()
    )
    assert rows.origin == "impressions"
    trees, _ = fit_trees(rows, config, 0, Silent())
    items = np.arange(ITEMS, dtype=np.int32)
    none = [np.empty(0, np.int32)]
    offsets, users = np.array([0, ITEMS]), np.zeros(1, np.uint64)
    batch = Batch(-items[None].astype(np.float32), items, offsets, users, none)
    return float(spearmanr(scorer_of(trees)(batch), attractive).statistic)


def test_a_ranker_that_knows_positions_recovers_the_true_order(
    world: tuple[TrainingData, list[Line], NDArray[np.float64]], tmp_path: Path
) -> None:
    data, lines, attractive = world
    blind: list[Line] = [(user, item, time, None, page) for user, item, time, _, page in lines]
    knowing = agreement(data, lines, attractive, tmp_path)
    naive = agreement(data, blind, attractive, tmp_path)
    assert knowing > 0.65
    assert knowing > naive + 0.2


def test_with_few_unshown_rows_what_was_seldom_shown_is_not_taken_for_disliked(
    tmp_path: Path,
) -> None:
    data, lines, attractive = planted(favoured=8.0)
    few = agreement(data, lines, attractive, tmp_path, unshown=5)
    many = agreement(data, lines, attractive, tmp_path, unshown=30)
    assert few > 0.5
    assert few > many + 0.1


def test_how_likely_positions_are_looked_at_is_found(
    world: tuple[TrainingData, list[Line], NDArray[np.float64]], tmp_path: Path
) -> None:
    data, lines, _ = world
    shown = clicked_impressions(write_impressions(tmp_path / "i.parquet", lines), data, WINDOW)
    found = propensities(shown.item, shown.position, shown.clicked)
    np.testing.assert_allclose(found, EXAMINED, atol=0.06)
    assert (np.diff(shown.time) >= 0).all() and shown.time[0] // MINUTE >= WINDOW // MINUTE
