"""From places that a server drew by lot to an estimate: logged, collected and weighed."""

from pathlib import Path

import pyarrow.parquet as pq
from typer.testing import CliRunner

from shortlist.cli.app import app
from shortlist.core.event import Event
from shortlist.core.times import DAY, now
from shortlist.offline.data.prepared import Prepared
from shortlist.project import Project
from shortlist.testing.marketplace import generate

SETTINGS = """
[project]
name = "test"
[data.events]
path = "{events}"
time = "timestamp"
kind = "event"
weights = {{ view = 1 }}
[data.items]
path = "{items}"
[prepare]
holdout = "1d"
[retrievers.popular]
[ranker]
kind = "none"
[arrange.exploration]
positions = [1, 3]
epsilon = 0.5
among = 10
[experiments.order.variants.plain]
share = 0.5
[experiments.order.variants.other]
share = 0.5
"""


def test_a_project_estimates_what_a_release_would_have_earned(tmp_path: Path) -> None:
    today = now() // DAY * DAY
    world = generate(tmp_path / "world", users=80, items=120, days=14, until=today)
    folder = tmp_path / "project"
    folder.mkdir()
    text = SETTINGS.format(events=world.events, items=world.items)
    (folder / "shortlist.toml").write_text(text)
    project = Project(folder)
    project.train()
    engine = project.open()
    try:
        for number in range(60):
            user = f"u{number:05}"
            answer = engine.recommend(user, 5)
            engine.log_impressions(user, answer)
            engine.post([Event(user, answer.ids[number % 5], kind="view", request=answer.request)])
    finally:
        engine.close()
    project.train()

    shown = pq.read_table(Prepared.load(folder).impressions_path).to_pylist()
    mine = [line for line in shown if line["propensity"] is not None]
    assert len(mine) == 300
    assert {line["position"] for line in mine if line["propensity"] < 1} == {1, 3}
    assert {line["variants"] for line in mine} == {'{"order":"plain"}', '{"order":"other"}'}

    told = project.off_policy()
    assert told.requests == 60 and told.drawn == 120
    assert told.logged.value == 1.0
    assert set(told.policies) == {"release", "fused order"}
    assert set(told.variants["order"]) == {"plain", "other"}
    printed = CliRunner().invoke(app, ["evaluate", "--off-policy", str(folder)]).stdout
    assert "60 logged requests" in printed and "doubly robust" in printed
