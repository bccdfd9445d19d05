"""Collecting through `kill -9`: nothing is lost, nothing is doubled."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from typing import Any

from shortlist.offline.data.lake import Lake

RUN = """
import sys
from pathlib import Path
from shortlist.config.schema import Config, DataSection, EventsSection, ProjectSection
from shortlist.core.progress import Silent
from shortlist.offline.data import collect, unread

collect.PART_ROWS, unread.PART_BYTES = 200, 8_000  # a commit for every file
section = EventsSection(path="log/*.csv", user="user", item="item", time="time", lateness="1d")
config = Config(project=ProjectSection(name="test"), data=DataSection(events=section))
collect.collect(config, Path(sys.argv[1]), Silent())
"""


def run(world: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", RUN, str(world.folder)])


def test_a_killed_run_is_finished_by_the_next_and_the_lake_equals_the_log(world: Any) -> None:
    rng = random.Random(3)
    expected: Counter[tuple[str, str, int]] = Counter()
    for number in range(30):
        # Older files come last: the killed run must not make them too late for the next one.
        rows = [
            (f"u{rng.randrange(50)}", f"i{rng.randrange(50)}", 1_700_000_000 - number * 86_400 + n)
            for n in range(200)
        ]
        (world.folder / "log").mkdir(exist_ok=True)
        world.csv(f"log/{number:02}.csv", rows + rows[:20])
        expected.update(set(rows))

    lake = Lake(world.folder)
    for _ in range(3):
        before = lake.manifest().commits
        child = run(world)
        while lake.manifest().commits == before:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.05))
        child.kill()
        assert child.wait() == -signal.SIGKILL, "the run had ended before it was killed"
    assert 0 < sum(world.lake().values()) < len(expected)
    assert run(world).wait() == 0
    found = world.lake("user", "item", "time")
    assert found == Counter({(u, i, t * 1_000_000): 1 for u, i, t in expected})
    committed = set(lake.paths())
    assert set(lake.events.rglob("*.parquet")) == committed
