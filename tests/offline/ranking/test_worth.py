"""A ranker that is worse than none: what is said, and what is published."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from shortlist.config.schema import RankerSection
from shortlist.core.progress import Silent
from shortlist.offline.evaluate.intervals import Estimate
from shortlist.offline.pipeline import TrainReport
from shortlist.offline.ranking.fit import FitReport, fit
from shortlist.offline.ranking.worth import Worth
from shortlist.project import Project
from shortlist.release.publish import Releases
from shortlist.testing.marketplace import World, generate
from shortlist.testing.rankers import rows_of

SETTINGS = """
[project]
name = "test"
[data.events]
path = "{events}"
time = "timestamp"
[data.items]
path = "{items}"
[retrievers.popular]
[retrievers.transitions]
[ranker]
trees = 1
leaves = 2
requests = 100
when_worse = "{when}"
"""
# A tree of two leaves knows two scores, which cannot order a list.


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return generate(tmp_path_factory.mktemp("world"), users=150, items=150, days=14)


def trained(world: World, folder: Path, when: str) -> tuple[Project, TrainReport]:
    folder.mkdir()
    text = SETTINGS.format(events=world.events, items=world.items, when=when)
    (folder / "shortlist.toml").write_text(text)
    project = Project(folder)
    return project, project.train()


def manifest(path: Path) -> dict[str, object]:
    told: dict[str, object] = json.loads((path / "manifest.json").read_text())
    return told


def test_a_warning_says_so_and_the_ranker_is_published(world: World, tmp_path: Path) -> None:
    project, report = trained(world, tmp_path / "project", "warn")
    assert report.published
    assert any(note.startswith("The ranker is worse than none") for note in report.notes)
    told = manifest(project.releases.current_path())["ranker"]
    assert isinstance(told, dict)
    assert told["ndcg@10"] < told["fused ndcg@10"]
    assert told["lift"]["value"] < 0
    assert report.evaluation is not None
    assert report.evaluation.everyone.baselines["fused"]["ndcg@10"].value == told["fused ndcg@10"]


def test_a_ranker_that_is_skipped_is_neither_published_nor_evaluated(
    world: World, tmp_path: Path
) -> None:
    project, report = trained(world, tmp_path / "project", "skip")
    assert report.published
    assert any(note.endswith("It is left out.") for note in report.notes)
    for path in (
        project.releases.current_path(),
        Releases(project.folder / ".shortlist" / "holdout").current_path(),
    ):
        assert manifest(path)["ranker"] is None
        assert not (path / "ranker").exists()
    assert report.evaluation is not None
    assert "fused" not in report.evaluation.everyone.baselines
    engine = project.open()
    assert len(engine.recommend("u00001", 5)) == 5
    engine.close()


def test_a_stop_leaves_what_serves_in_place(world: World, tmp_path: Path) -> None:
    project, report = trained(world, tmp_path / "project", "stop")
    assert not report.published
    assert "ranker.when_worse" in report.reason
    assert project.releases.current() is None
    assert project.releases.ids() == [report.release]


def test_without_a_holdout_the_newest_training_requests_decide() -> None:
    report = FitReport("attention", "replay", 100, 1_000, 50, 0.28, 0.30, "a network", {})
    worth = Worth.of(report, None)
    assert worth.is_worse
    assert "the newest training requests" in str(worth)


def test_the_fused_order_is_measured_where_no_feature_tells_it() -> None:
    rows = rows_of(60)
    told = fit(rows, RankerSection(trees=3), 0, Silent())[1].fused
    blind = replace(rows, features=("a", "b", "c", "d"))
    assert fit(blind, RankerSection(trees=3), 0, Silent())[1].fused == told > 0


def test_a_difference_that_may_be_chance_is_told_as_such() -> None:
    unsure = Worth("glmix", 0.29, 0.30, Estimate(-0.01, -0.03, 0.01))
    assert unsure.is_worse and "may be chance" in str(unsure)
    sure = Worth("glmix", 0.25, 0.30, Estimate(-0.05, -0.07, -0.03))
    assert "may be chance" not in str(sure)
