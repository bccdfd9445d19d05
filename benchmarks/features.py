"""The as-of join of declared features against the bare DuckDB ASOF join of the same columns.

    python benchmarks/features.py --events 20000000

Ours makes 30 columns from the log, as of every request: counts, sums, means, rates and times of the
last event, over 1, 7 and 30 days, without a limit, and decayed. The peer is given a table that
has such columns after every event already, and looks the newest line before each request up: what
it costs to make them is not in its time, and what a window has lost since is not in its values.

Each side runs in a process of its own, which tells its peak memory; both have the same number of
threads and the same limit on DuckDB's memory. `cpu_seconds` are what the process used: on a machine
that others use too, their ratio says more than that of `seconds`. Feast's rate is not measured
here: it is what another run on a machine of this kind gave (Feast 0.67, local provider), 75,000
rows a second.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import duckdb
import ibis
import numpy as np
import pyarrow as pa
from _report import arguments, publish

from shortlist.config.features import FeatureSection
from shortlist.core.keys import kind_code
from shortlist.core.times import DAY
from shortlist.features import AsOf, FeatureSet
from shortlist.features.declared import declare

KINDS = ("view", "like", "buy")
WEIGHTS = {"view": 1.0, "like": 3.0, "buy": 5.0}
FEAST = 75_000
"""Rows a second, given: see above."""
SPAN = 90 * DAY
START = 1_700_000_000_000_000


def sections() -> dict[str, FeatureSection]:
    """Thirty features by item."""
    spans = {"all": {}, "1d": {"window": "1d"}, "7d": {"window": "7d"}, "30d": {"window": "30d"}}
    made = {}
    for name, span in spans.items():
        made[f"count_{name}"] = FeatureSection(**span)
        for kind in KINDS:
            made[f"{kind}_{name}"] = FeatureSection(kinds=[kind], **span)
        made[f"weight_{name}"] = FeatureSection(value="sum", of="weight", **span)
        made[f"mean_{name}"] = FeatureSection(value="mean", of="weight", **span)
        made[f"rate_{name}"] = FeatureSection(
            value="rate", kinds=["buy"], among=["view", "like"], **span
        )
    made["last"] = FeatureSection(value="last", default=999.0)
    made["decayed"] = FeatureSection(half_life="3d")
    assert len(made) == 30
    return made


def log(events: int) -> tuple[pa.Table, int]:
    """A log whose items are as popular as items are."""
    rng = np.random.default_rng(0)
    items = max(events // 100, 100)
    kinds = np.array([kind_code(kind) for kind in KINDS], np.int64)
    weights = np.array([WEIGHTS[kind] for kind in KINDS])
    kind = rng.choice(3, events, p=[0.8, 0.15, 0.05])
    return pa.table(
        {
            "user": rng.integers(0, max(events // 50, 10), events).astype(np.int32),
            "item": (items * rng.random(events) ** 2.5).astype(np.int32),
            "time": START + rng.integers(0, SPAN, events),
            "kind": kinds[kind],
            "weight": weights[kind],
        }
    ), items


def asked(events: int, items: int, share: int) -> pa.Table:
    """A request for every `share` events, with one candidate."""
    rng = np.random.default_rng(1)
    n = events // share
    return pa.table(
        {
            "request": np.arange(n),
            "user": rng.integers(0, 10, n).astype(np.int32),
            "item": (items * rng.random(n) ** 2.5).astype(np.int32),
            "time": START + SPAN // 3 + rng.integers(0, SPAN // 3 * 2, n),
        }
    )


def database(threads: int, memory: str, tables: dict[str, pa.Table]) -> duckdb.DuckDBPyConnection:
    """DuckDB with tables of its own; what does not fit its memory goes to a file."""
    made = duckdb.connect(config={"threads": threads, "memory_limit": memory})
    for name, table in tables.items():
        made.register("given", table)
        made.execute(f"CREATE TABLE {name} AS SELECT * FROM given")
        made.unregister("given")
    return made


def ours(args: argparse.Namespace) -> dict[str, float]:
    """Thirty features of every request, from the log."""
    table, items = log(args.events)
    requests = asked(args.events, items, args.share)
    tables = {
        "log": table,
        "requests": requests.select(["request", "user", "time"]),
        "candidates": requests.select(["request", "item"]),
        "catalogue": pa.table({"item": np.arange(items, dtype=np.int32)}),
    }
    made = database(args.threads, args.memory, tables)
    con = ibis.duckdb.from_connection(made)
    at = AsOf(*(con.table(name) for name in tables))
    del table, requests, tables
    query = ibis.to_sql(FeatureSet(declare(sections(), WEIGHTS, {})).join(at), dialect="duckdb")
    return measured(made, query, args)


def peer(args: argparse.Namespace) -> dict[str, float]:
    """Thirty columns of every request, from a table that has them after every event."""
    table, items = log(args.events)
    tables = {"log": table, "asked": asked(args.events, items, args.share)}
    made = database(args.threads, args.memory, tables)
    del table, tables
    columns = ", ".join(f"(hash(time + {n}) % 1000)::FLOAT AS f{n}" for n in range(30))
    made.execute(f"CREATE TABLE values_after AS SELECT item, time, {columns} FROM log")
    made.execute("DROP TABLE log")
    names = ", ".join(f"f{n}" for n in range(30))
    query = (
        f"SELECT request, asked.item, {names} FROM asked ASOF LEFT JOIN values_after AS v "
        "ON asked.item = v.item AND asked.time > v.time"
    )
    return measured(made, query, args)


def measured(
    made: duckdb.DuckDBPyConnection, query: str, args: argparse.Namespace
) -> dict[str, float]:
    """The time and memory that a query takes, its result in memory."""
    held = _peak()
    started, used = time.perf_counter(), time.process_time()
    joined = made.sql(query).to_arrow_table()
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - used
    rows = args.events // args.share
    assert (joined.num_rows, joined.num_columns) == (rows, 32)
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "held_mb": held,
        "peak_mb": _peak(),
        "rows_per_second": rows / seconds,
        "rows_per_cpu_second": rows / cpu_seconds,
    }


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--share", type=int, default=4, help="events for each request")
    parser.add_argument("--threads", type=int, default=1, help="of DuckDB, on both sides")
    parser.add_argument("--memory", default="12GB", help="DuckDB's limit, on both sides")
    parser.add_argument("--side", choices=("ours", "peer"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        print(json.dumps({"ours": ours, "peer": peer}[args.side](args)))
        return
    if args.small:
        args.events = min(args.events, 200_000)
    figures: dict[str, object] = {
        "events": args.events,
        "requests": args.events // args.share,
        "threads": args.threads,
        "memory_limit": args.memory,
    }
    sides: dict[str, dict[str, float]] = {}
    for side in ("ours", "peer"):
        command = [sys.executable, __file__, "--side", side]
        for name in ("events", "share", "threads", "memory"):
            command += [f"--{name}", str(getattr(args, name))]
        told = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        sides[side] = json.loads(told.stdout)
    figures |= sides
    for name in ("seconds", "cpu_seconds", "peak_mb"):
        figures[f"ratio_{name}"] = sides["ours"][name] / sides["peer"][name]
    figures["feast_rows_per_second_given"] = FEAST
    figures["times_feast_given"] = sides["ours"]["rows_per_second"] / FEAST
    publish("features", figures, args)


if __name__ == "__main__":
    main()
