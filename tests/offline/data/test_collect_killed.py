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

collect.PART_ROWS, unread.PART_BYTES = 500, 8_000  # a commit every few files
section = EventsSection(path="log/*.csv", user="user", item="item", time="time", lateness="1d")
config = Config(project=ProjectSection(name="test"), data=DataSection(events=section))
print("ready", flush=True)
collect.collect(config, Path(sys.argv[1]), Silent())
"""


def test_a_killed_run_is_finished_by_the_next_and_the_lake_equals_the_log(world: Any) -> None:
    rng = random.Random(3)
    expected = Counter()
    for number in range(24):
        # Older files come last: the killed run must not make them too late for the next one.
        rows = [
            (f"u{rng.randrange(50)}", f"i{rng.randrange(50)}", 1_700_000_000 - number * 86_400 + n)
            for n in range(300)
        ]
        world.write(f"log/{number:02}.csv", "")
        world.csv(f"log/{number:02}.csv", rows + rows[:20])
        expected.update(set(rows))

    commits = set()
    for attempt in range(12):
        child = subprocess.Popen(
            [sys.executable, "-c", RUN, str(world.folder)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        child.stdout.readline()
        if attempt < 6:
            time.sleep(rng.uniform(0.02, 0.3))
            child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        commits.add(Lake(world.folder).manifest().commits)
        if child.returncode == 0:
            break
    assert child.returncode == 0
    assert len(commits) > 2, "no run was killed half-way"
    found = world.lake("user", "item", "time")
    assert found == Counter({(u, i, t * 1_000_000): 1 for u, i, t in expected})
    committed = set(Lake(world.folder).paths())
    assert set(Lake(world.folder).events.rglob("*.parquet")) == committed
