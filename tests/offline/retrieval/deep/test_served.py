"""Deep retrievers from files to a shortlist."""

from __future__ import annotations

import csv
from pathlib import Path

from shortlist.index.compare import stored_vectors
from shortlist.project import Project

SETTINGS = """
[project]
name = "ring"
[data.events]
path = "events.csv"
[retrievers.sequence]
dim = 16
epochs = 8
batch = 256
dropout = 0.1
learning_rate = 0.02
[retrievers.two_tower]
dim = 16
epochs = 8
batch = 256
dropout = 0.1
learning_rate = 0.02
[ranker]
kind = "none"
"""


def a_ring(folder: Path, users: int = 200, items: int = 24) -> None:
    """Everybody walks around a ring of items, a step an hour, for six steps."""
    folder.mkdir()
    (folder / "shortlist.toml").write_text(SETTINGS)
    with (folder / "events.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["user_id", "item_id", "timestamp"])
        for user in range(users):
            start = 1_700_000_000 + user * 3_600
            for step in range(6):
                rows.writerow([f"u{user}", f"i{(user * 5 + step) % items}", start + step * 600])


def test_encoders_are_trained_published_and_answer(tmp_path: Path) -> None:
    folder = tmp_path / "ring"
    a_ring(folder)
    project = Project(folder)
    assert project.train().published
    runs = folder / ".shortlist" / "runs"
    assert {run.name for run in runs.iterdir()} == {"sequence", "two_tower"}
    for name in ("sequence", "two_tower"):
        kept = stored_vectors(project.releases.current_path() / "indexes" / name)
        assert kept.queries is not None
        assert kept.queries.shape[1] == kept.vectors.shape[1]
    engine = project.open()
    answer = engine.recommend("u7", k=3, explain=True)
    # u7 went from i11 to i16: what comes next on the ring is i17.
    assert "i17" in answer.ids
    told = {source for line in answer.explain for source in line["sources"]}
    assert {"sequence.encoder", "two_tower.encoder"} <= told
    assert "i16" in engine.similar("i15", k=5).ids
