"""A whole training with mixed effects: learned, served with reasons, started warm the next time."""

from pathlib import Path

import numpy as np

from shortlist.project import Project
from shortlist.release.publish import Releases
from shortlist.release.ranking.glmix import Glmix
from shortlist.release.ranking.models import Ranker
from shortlist.testing.marketplace import generate

SETTINGS = """
[project]
name = "test"
[data.events]
path = "{events}"
time = "timestamp"
[data.items]
path = "{items}"
category = "category"
attributes = ["category"]
[retrievers.popular]
[retrievers.transitions]
[ranker]
kind = "glmix"
calibration = "platt"
interactions = 5
leaves = 8
requests = 200
"""


def model_of(folder: Path) -> Glmix:
    path = Releases(folder / ".shortlist" / "releases").current_path()
    model = Ranker.load(path / "ranker").model
    assert isinstance(model, Glmix)
    return model


def test_a_training_starts_from_the_release_that_serves(tmp_path: Path) -> None:
    world = generate(tmp_path / "world", users=200, items=200, days=21)
    folder = tmp_path / "project"
    folder.mkdir()
    text = SETTINGS.format(events=world.events, items=world.items)
    (folder / "shortlist.toml").write_text(text)
    project = Project(folder)

    report = project.train()
    assert any(note.startswith("Ranker (glmix)") for note in report.notes)
    first = model_of(folder)
    assert first.coefficients > 100
    engine = project.open()
    try:
        answer = engine.recommend("u00001", 5, explain=True)
        assert ((answer.scores > 0) & (answer.scores < 1)).all()  # probabilities
        assert {"base", "others"} <= set(answer.explain[0]["contributions"])
        assert "fused" in answer.explain[0]["features"]
    finally:
        engine.close()

    project.train()
    second = model_of(folder)
    assert second.trained == first.trained
    np.testing.assert_array_equal(second.first.threshold, first.first.threshold)
