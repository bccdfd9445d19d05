"""The as-of join of declared features against the bare DuckDB ASOF join of the same columns.

    python benchmarks/features.py --events 20000000

Ours makes 30 columns from the log, as of every request: counts, sums, means, rates and times of the
last event, over 1, 7 and 30 days, without a limit, and decayed. The peer is given a table that
has such columns after every event already, and looks the newest line before each request up: what
it costs to make them is not in its time, and what a window has lost since is not in its values.
Each side runs in a process of its own, which tells its peak memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
from _report import arguments, publish

from shortlist.config.features import FeatureSection
from shortlist.core.catalogue import Catalogue, Column
from shortlist.core.keys import kind_code
from shortlist.core.times import DAY
from shortlist.core.vocabulary import Vocabulary

KINDS = ("view", "like", "buy")
WEIGHTS = {"view": 1.0, "like": 3.0, "buy": 5.0}
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


def ours(events: int, share: int) -> dict[str, float]:
    """Thirty features of every request, from the log."""
    import ibis

    from shortlist.features import AsOf, FeatureSet
    from shortlist.features.declared import declare
    from shortlist.features.offline import catalogue_table

    table, items = log(events)
    catalogue = Catalogue(
        Vocabulary.of([str(i) for i in range(items)]),
        {"price": Column.number([1.0] * items)},
        np.ones(items, np.bool_),
        np.full(items, np.iinfo(np.int64).max),
    )
    requests = asked(events, items, share)
    tables = (
        table,
        requests.select(["request", "user", "time"]),
        requests.select(["request", "item"]),
        catalogue_table(catalogue, []),
    )
    features = FeatureSet(declare(sections(), WEIGHTS, {}))
    at = AsOf(*(ibis.memtable(table) for table in tables))
    held = _peak()
    started = time.perf_counter()
    joined = features.join(at).to_pyarrow()
    seconds = time.perf_counter() - started
    assert joined.num_rows == requests.num_rows
    return {"seconds": seconds, "held_mb": held, "peak_mb": _peak()}


def peer(events: int, share: int) -> dict[str, float]:
    """Thirty columns of every request, from a table that has them after every event."""
    import duckdb

    table, items = log(events)
    requests = asked(events, items, share)
    database = duckdb.connect()
    database.register("log", table)
    database.register("asked", requests)
    columns = ", ".join(f"(hash(time + {n}) % 1000)::FLOAT AS f{n}" for n in range(30))
    database.execute(f"CREATE TABLE values_after AS SELECT item, time, {columns} FROM log")
    held = _peak()
    names = ", ".join(f"f{n}" for n in range(30))
    started = time.perf_counter()
    joined = database.execute(
        f"SELECT request, asked.item, {names} FROM asked ASOF LEFT JOIN values_after AS v "
        "ON asked.item = v.item AND asked.time > v.time"
    ).to_arrow_table()
    seconds = time.perf_counter() - started
    assert joined.num_rows == requests.num_rows
    return {"seconds": seconds, "held_mb": held, "peak_mb": _peak()}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--share", type=int, default=4, help="events for each request")
    parser.add_argument("--side", choices=("ours", "peer"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    events = min(args.events, 200_000) if args.small else args.events
    if args.side:
        print(json.dumps({"ours": ours, "peer": peer}[args.side](events, args.share)))
        return
    figures: dict[str, object] = {"events": events, "requests": events // args.share}
    sides: dict[str, dict[str, float]] = {}
    for side in ("ours", "peer"):
        command = [sys.executable, __file__, "--events", str(events), "--share", str(args.share)]
        told = subprocess.run([*command, "--side", side], check=True, capture_output=True)
        sides[side] = json.loads(told.stdout)
    figures |= sides
    figures["ratio"] = sides["ours"]["seconds"] / sides["peer"]["seconds"]
    figures["rows_per_second"] = events // args.share / sides["ours"]["seconds"]
    publish("features", figures, args)


if __name__ == "__main__":
    main()
