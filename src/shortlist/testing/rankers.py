"""What every kind of ranker promises: subclass `RankerContract`, and say which kind in `config`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from msgspec import structs

from shortlist.config.schema import RankerSection
from shortlist.core.progress import Silent
from shortlist.core.request import Request
from shortlist.core.times import DAY, MINUTE
from shortlist.features import FeatureSet, default_features
from shortlist.offline.data.training import TrainingData
from shortlist.offline.learning import link_release
from shortlist.offline.ranking.columns import Columns
from shortlist.offline.ranking.fit import FitReport, fit
from shortlist.offline.ranking.graph import graph_of
from shortlist.offline.ranking.rows import Rows, training_rows
from shortlist.offline.replay import Replay
from shortlist.online.pipeline import RequestPipeline
from shortlist.online.snapshot import Snapshot
from shortlist.release.publish import Releases
from shortlist.release.ranking.models import Ranker
from shortlist.release.ranking.neural import Graph
from shortlist.release.ranking.scorers import scorer_of
from shortlist.stores.memory import MemoryAvailability
from shortlist.testing import shop
from shortlist.testing.ranking import write_impressions

USERS = 40
UNTIL = 100 * DAY
"""The shop's releases know everything before."""
FEATURES = ("liked", "noise", "user", "fused")


def rows_of(requests: int, seed: int = 0) -> Rows:
    """Twenty candidates a request; the first of four columns says what is liked.

    The last is the fused score, which knows a little of it. There are 60 items, and 40 users who
    each had three events before.
    """
    rng = np.random.default_rng(seed)
    n = requests * 20
    user = np.arange(requests, dtype=np.int32) % USERS
    x = rng.normal(size=(4, n)).astype(np.float32)
    x[2] = np.repeat(user, 20)
    label = (rng.random(n) < 1 / (1 + np.exp(3 - 2 * x[0]))).astype(np.float32)
    x[3] += label / 4
    item = np.concatenate([rng.permutation(shop.ITEMS)[:20] for _ in range(requests)])
    request = np.repeat(np.arange(requests), 20)
    time = np.arange(requests, dtype=np.int64) * MINUTE
    log = rng.integers(0, shop.ITEMS, 3 * USERS).astype(np.int32)
    return Rows(
        features=FEATURES,
        columns=Columns.of(x, request, item.astype(np.int32), time[request]),
        label=label,
        weight=np.ones(n, np.float32),
        position=np.full(n, -1, np.int32),
        offsets=np.arange(requests + 1, dtype=np.int64) * 20,
        time=time,
        origin="replay",
        user=user,
        key=(user + 1).astype(np.uint64),
        item=item.astype(np.int32),
        stands=np.where(label > 0, 1, 4).astype(np.float32),
        fused=x[3],
        log=log,
        history=np.stack([3 * user, 3 * user + 3], axis=1).astype(np.int64),
        kinds=(),
        met=np.empty((0, n), np.bool_),
    )


def shop_graph() -> Graph:
    """Items of one category have a maker in common with every fifth of them."""
    triples = pa.table(
        {
            "head": [f"item:{id}" for id in shop.IDS],
            "relation": ["maker"] * shop.ITEMS,
            "tail": [f"maker {row // 20}-{row % 5}" for row in range(shop.ITEMS)],
            "weight": [1.0] * shop.ITEMS,
        }
    )
    return graph_of(triples, "item:", shop.catalogue().vocabulary)


class RankerContract:
    """The tests."""

    config: RankerSection
    requests = 160
    """How many requests it is fitted on."""

    @pytest.fixture(scope="class")
    @classmethod
    def rows(cls) -> Rows:
        return rows_of(cls.requests)

    @pytest.fixture(scope="class")
    @classmethod
    def fitted(cls, rows: Rows) -> tuple[Ranker, FitReport]:
        return fit(rows, cls.config, 0, Silent(), None, shop_graph)

    @pytest.fixture(scope="class")
    @classmethod
    def ranker(cls, fitted: tuple[Ranker, FitReport]) -> Ranker:
        return fitted[0]

    def test_it_learns_what_is_liked(self, fitted: tuple[Ranker, FitReport]) -> None:
        _, report = fitted
        assert report.ndcg > report.fused + 0.1
        assert report.ndcg > 0.45
        assert next(iter(report.importance)) == "liked"
        assert self.config.kind in str(report)

    def test_what_a_release_holds_scores_the_same(
        self, ranker: Ranker, rows: Rows, tmp_path: Path
    ) -> None:
        ranker.save(tmp_path / "ranker")
        opened = Ranker.load(tmp_path / "ranker")
        batch = rows.batch()
        np.testing.assert_array_equal(
            scorer_of(opened.model)(batch), scorer_of(ranker.model)(batch)
        )
        assert opened.calibration == ranker.calibration

    def test_the_same_rows_and_seed_give_the_same_files(
        self, ranker: Ranker, rows: Rows, tmp_path: Path
    ) -> None:
        again, _ = fit(rows, self.config, 0, Silent(), None, shop_graph)
        ranker.save(tmp_path / "one")
        again.save(tmp_path / "other")
        files = sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*.*"))
        assert files
        for file in files:
            assert (tmp_path / "one" / file).read_bytes() == (
                tmp_path / "other" / file
            ).read_bytes(), file

    def test_a_batch_equals_its_singles(self, ranker: Ranker, rows: Rows) -> None:
        scorer = scorer_of(ranker.model)
        together = scorer(rows.part(0, 5).batch())
        alone = [scorer(rows.part(g, g + 1).batch()) for g in range(5)]
        np.testing.assert_allclose(together, np.concatenate(alone), rtol=1e-5, atol=1e-5)

    def test_contributions_add_up_to_the_score(self, ranker: Ranker, rows: Rows) -> None:
        scorer = scorer_of(ranker.model)
        batch = rows.part(3, 4).batch()
        chosen = np.array([7, 0, 19])
        why = scorer.explain(batch, chosen)
        assert len(why.names) == len(why.terms)
        told = why.base + why.terms.sum(axis=0)
        np.testing.assert_allclose(told, scorer(batch)[chosen], rtol=1e-4, atol=1e-4)

    def test_strangers_and_new_items_are_scored(self, ranker: Ranker, rows: Rows) -> None:
        batch = rows.part(0, 1).batch()
        stranger = replace(
            batch,
            rows=batch.rows + 10_000,
            users=np.zeros(1, np.uint64),
            histories=[np.empty(0, np.int32)],
        )
        assert np.isfinite(scorer_of(ranker.model)(stranger)).all()
        nothing = batch.only(np.empty(0, np.int64))
        assert len(scorer_of(ranker.model)(nothing)) == 0

    def test_probabilities_are_as_frequent_as_they_say(self, ranker: Ranker) -> None:
        assert ranker.calibration is not None
        unseen = rows_of(400, seed=1)
        told = ranker.calibration(scorer_of(ranker.model)(unseen.batch()))
        assert (told >= 0).all() and (told <= 1).all()
        average = float(np.average(told, weights=unseen.stands))
        happened = float(np.average(unseen.label, weights=unseen.stands))
        assert abs(average - happened) < 0.05

    def test_the_release_serves_what_was_trained(self, tmp_path: Path) -> None:
        """Online, on the request path, candidates get the scores that training rows get."""
        data = shop_log()
        users = [f"user {row}" for row in range(USERS)]
        release = shop.publish(tmp_path)
        settings = shop.config("[arrange]\nseen = true")
        place = tmp_path / ".shortlist" / "releases"

        def opened(id: str) -> RequestPipeline:
            replay = Replay(data, users, 500)
            return RequestPipeline(
                Snapshot.open(place / id), settings, replay, MemoryAvailability()
            )

        pipeline = opened(release)
        features = shop_features(pipeline)
        impressions = write_impressions(tmp_path / "impressions.parquet", [])
        section = structs.replace(self.config, requests=60)
        rows = training_rows(
            pipeline, data, impressions, UNTIL - 20 * DAY, section, features, users, 0, Silent()
        )
        ranker, _ = fit(rows, section, 0, Silent(), None, shop_graph)
        with Releases(place).draft() as draft:
            link_release(place / release, draft)
            ranker.save(draft.path / "ranker")
            before = pipeline.snapshot.manifest
            made = draft.commit(
                {
                    "config": before.config,
                    "watermark": before.watermark,
                    "items": before.items,
                    "artefacts": before.artefacts,
                    "indexes": before.indexes,
                    "ranker": {"kind": section.kind},
                    "features": list(features.names),
                }
            )
        serving = opened(made.id)
        offline = scorer_of(ranker.model)(rows.batch())
        assert ranker.calibration is not None
        for g in range(0, rows.requests, 7):
            lines = slice(int(rows.offsets[g]), int(rows.offsets[g + 1]))
            request = Request(
                user=users[rows.user[g]], k=shop.ITEMS, now=int(rows.time[g]), explain=g == 0
            )
            answer = serving.recommend([request])[0]
            expected = dict(
                zip(
                    rows.item[lines].tolist(),
                    ranker.calibration(offline[lines]).tolist(),
                    strict=True,
                )
            )
            found = dict(zip(answer.rows.tolist(), answer.scores.tolist(), strict=True))
            assert set(expected) <= set(found)
            for row, value in expected.items():
                assert found[row] == pytest.approx(value, rel=1e-3, abs=1e-4)
            if request.explain:
                assert {"sources", "features", "contributions"} <= set(answer.explain[0])


def shop_log() -> TrainingData:
    """Forty users of the shop, each of whom likes one category, until the shop's watermark."""
    rng = np.random.default_rng(4)
    n = 1_600
    user = np.sort(rng.integers(0, USERS, n)).astype(np.int32)
    liked = rng.random(n) < 0.8
    item = np.where(
        liked, user % 3 * 20 + rng.integers(0, 20, n), rng.integers(0, shop.ITEMS, n)
    ).astype(np.int32)
    time = UNTIL - 40 * DAY + rng.integers(0, 40 * DAY // MINUTE, n) * MINUTE
    order = np.lexsort((item, time, user))
    return TrainingData(
        catalogue=shop.catalogue(),
        users=USERS,
        user=user[order],
        item=item[order],
        time=time[order].astype(np.int64),
        weight=np.ones(n, np.float32),
        session=np.arange(n),
        until=UNTIL,
    )


def shop_features(pipeline: RequestPipeline) -> FeatureSet:
    """Every feature that the shop allows, without counts of items, which its release lacks."""
    sources = pipeline.retrieve([Request(k=1, now=UNTIL)])[0].sources
    kinds = {name: column.kind for name, column in shop.catalogue().columns.items()}
    every = default_features("category", "price", kinds, sources)
    return FeatureSet([f for f in every.features if not f.name.startswith("item_")])
