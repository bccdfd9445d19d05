"""Collect and prepare, next to bare DuckDB reading, sorting and writing the same log.

The log is generated: items by Zipf's law, events per user log-normal, four kinds, two years.
Every job runs in a process of its own; peak memory is that process's largest resident set.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _report import arguments, publish

SMALL = 1_000_000


def generate(path: Path, events: int) -> None:
    """Write an event log, in the order of time, as Parquet."""
    import duckdb

    users, items = max(events // 50, 100), max(events // 200, 100)
    con = duckdb.connect(config={"memory_limit": "4GB", "temp_directory": str(path.parent)})
    con.sql(f"""
        COPY (
          WITH drawn AS (
            SELECT range AS n, hash(range, 1) / 18446744073709551616.0 AS a,
                   hash(range, 2) / 18446744073709551616.0 AS b,
                   hash(range, 3) / 18446744073709551616.0 AS c,
                   hash(range, 4) / 18446744073709551616.0 AS d
            FROM range({events})),
          shaped AS (
            SELECT n, d,
              -- A log-normal share for each user, by the inverse of a power of the uniform.
              least({users} - 1, floor({users} * exp(1.2 * sqrt(-2 * ln(a + 1e-12)) *
                cos(6.283185307 * b)) / 20)::BIGINT) AS u,
              least({items} - 1, floor(exp(c * ln({items})))::BIGINT - 1) AS i
            FROM drawn)
          SELECT 'user-' || u AS user_id, 'item-' || i AS item_id,
            make_timestamp((1700000000000000 + n * (63072000000000 // {events}))::BIGINT)
              AS timestamp,
            CASE WHEN d < 0.7 THEN 'view' WHEN d < 0.9 THEN 'like'
              WHEN d < 0.95 THEN 'purchase' ELSE 'share' END AS event
          FROM shaped ORDER BY n
        ) TO '{path}' (FORMAT parquet)""")


def bare(folder: Path) -> None:
    """Read the log, sort it by user and time, write it."""
    import duckdb

    con = duckdb.connect(config={"memory_limit": "4GB", "temp_directory": str(folder / "spill")})
    con.sql(f"""COPY (FROM '{folder}/events.parquet' ORDER BY user_id, timestamp)
        TO '{folder}/sorted.parquet' (FORMAT parquet)""")


def _config(folder: Path):
    from shortlist.config.schema import Config, DataSection, EventsSection, ProjectSection

    events = EventsSection(
        path=str(folder / "events.parquet"),
        kind="event",
        weights={"view": 1, "like": 3, "purchase": 5},
    )
    return Config(project=ProjectSection(name="benchmark"), data=DataSection(events=events))


def collect_log(folder: Path) -> None:
    """Collect the log."""
    from shortlist.core.progress import Silent
    from shortlist.offline.data.collect import collect

    collect(_config(folder), folder, Silent())


def prepare_log(folder: Path) -> None:
    """Prepare the log."""
    from shortlist.core.progress import Silent
    from shortlist.offline.data.prepare import prepare

    prepare(_config(folder), folder, Silent())


JOBS = {"bare": bare, "collect": collect_log, "prepare": prepare_log}


def measured(job: str, folder: Path) -> dict[str, float]:
    """Run a job in a process of its own: seconds (imports left out) and peak memory."""
    command = [sys.executable, __file__, "--job", job, "--folder", str(folder)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    seconds = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"the job {job} failed")
    return {"seconds": float(seconds), "peak_gib": usage.ru_maxrss / 2**20}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument(
        "--job", choices=JOBS, help="run one job only, as the benchmark itself does"
    )
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    if args.job:
        import duckdb  # noqa: F401  (importing is no part of the job)

        import shortlist.offline.data.prepare  # noqa: F401

        started = time.perf_counter()
        JOBS[args.job](args.folder)
        print(time.perf_counter() - started)
        return
    events = min(args.events, SMALL) if args.small else args.events
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generate(folder / "events.parquet", events)
        figures = {job: measured(job, folder) for job in ("bare", "collect", "prepare")}
        again = measured("collect", folder)
        size = (folder / "events.parquet").stat().st_size
    bare_seconds = figures["bare"]["seconds"]
    publish(
        "prepare",
        {
            "events": events,
            "log_mib": size / 2**20,
            **figures,
            "collect_nothing_new": again,
            "collect_ratio": figures["collect"]["seconds"] / bare_seconds,
            "prepare_ratio": figures["prepare"]["seconds"] / bare_seconds,
        },
        args,
    )


if __name__ == "__main__":
    main()
