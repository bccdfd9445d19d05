"""How fast retrievers train, each beside the library that is known for it, in the same run.

    python benchmarks/training.py --data ml-1m/interactions.parquet --json out.json
    python benchmarks/training.py --part ALS --part EASE
    python benchmarks/training.py --small

Skip-gram beside gensim, ALS beside `implicit`, EASE beside the bare BLAS solve, and an epoch of
SASRec beside a plain PyTorch loop over the same model: the same data, sizes and number of threads,
in turns. Ratios are the peer's median seconds over ours, so above 1 ours is faster; beside them
stands what either found, so that speed is not bought with quality. recall@20 is of each user's last
item, learned from what is before it. A peer that is not installed is named as absent.

The file is Parquet or CSV as `quality.py` reads it; without one a log is generated. One thread by
default, on one processor; `OMP_NUM_THREADS=2` gives both sides two. Processor time is what to
compare on a machine that others use.
"""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

THREADS = int(os.environ.setdefault("OMP_NUM_THREADS", "1"))
for name in ("MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = str(THREADS)
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])

import numpy as np  # noqa: E402
from _contest import Absent, Contest, hold  # noqa: E402
from _contest_counts import als, ease, skip_gram  # noqa: E402
from _contest_sequence import sasrec  # noqa: E402
from _protocols import Stage, leave_one_out, log_of, read_log  # noqa: E402
from _report import arguments, machine, write  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from shortlist.core.times import DAY, MINUTE  # noqa: E402
from shortlist.offline.data.training import TrainingData  # noqa: E402

Part = Callable[[Stage, Namespace], Contest | Absent]
PARTS: dict[str, Part] = {
    "skip-gram": lambda stage, args: skip_gram(stage, THREADS, args.seed),
    "ALS": lambda stage, args: als(stage, THREADS, args.seed, 3 if args.small else 10),
    "EASE": lambda stage, args: ease(stage, args.seed),
    "SASRec": lambda stage, args: sasrec(stage, THREADS, args.seed, _examples(args), False),
    "SASRec, bfloat16": lambda stage, args: sasrec(
        stage, THREADS, args.seed, _examples(args), True
    ),
}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, metavar="FILE", help="interactions; else generated")
    parser.add_argument("--part", action="append", choices=PARTS, help="may be given several times")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="turns of each side")
    parser.add_argument("--seed", type=int, default=0)
    run(parser.parse_args())


def run(args: Namespace) -> None:
    sizes = (300, 150) if args.small else (5_000, 3_000)
    data, clock = read_log(args.data) if args.data else (generated(*sizes, args.seed), True)
    stage = leave_one_out(data, clock, args.seed).test
    figures: dict[str, Any] = {}
    console = Console(soft_wrap=True, highlight=False)
    console.width = max(console.width, 150)
    for name in args.part or PARTS:
        contest = PARTS[name](stage, args)
        if isinstance(contest, Absent):
            figures[name] = {"absent": contest.why}
            console.print(f"{name}: left out, {contest.why}.")
        else:
            figures[name] = hold(contest, 1 if args.small else args.repeats)
            console.print(f"{name}: {contest.words}", style="dim")
    source = args.data.name if args.data else "a generated log"
    about = machine()
    show(console, f"Training on {source}, {THREADS} thread{'s' * (THREADS > 1)}", figures)
    console.print(f"{about['cpu']}, Python {about['python']}", style="dim")
    if args.json is not None:
        counts = {"events": len(data), "users": data.users, "items": data.items}
        content = {"benchmark": "training", "small": args.small, "machine": about}
        write(args.json, {**content, "threads": THREADS, "data": counts, "parts": figures})


def show(console: Console, title: str, figures: dict[str, Any]) -> None:
    table = Table(title=title, title_justify="left")
    for heading in ("", "peer", "ours cpu s", "peer cpu s", "ours / s", "peer / s"):
        table.add_column(heading, justify="left" if heading in ("", "peer") else "right")
    for heading in ("ratio, cpu", "ratio, wall", "ours found", "peer found"):
        table.add_column(heading, justify="right")
    for name, part in figures.items():
        if "absent" in part:
            continue
        ours, theirs, ratio = part["shortlist"], part[part["peer"]], part["ratio"]
        found = next(key for key in ours if key in ("recall@20", "loss"))
        table.add_row(
            name,
            part["peer"],
            f"{ours['cpu_s']:.2f}",
            f"{theirs['cpu_s']:.2f}",
            f"{ours['per_cpu_s']:,.3g} {part['unit']}",
            f"{theirs['per_cpu_s']:,.3g}",
            f"{ratio['cpu']:.2f}",
            f"{ratio['wall']:.2f}",
            f"{found} {ours[found]:.4f}",
            f"{theirs[found]:.4f}",
        )
    console.print(table)


def generated(users: int, items: int, seed: int) -> TrainingData:
    """People with a taste for a few groups of items, who step on to the next item of a group."""
    rng = np.random.default_rng([seed, 0x7AA1])
    lengths = rng.geometric(1 / 20, users).clip(5, 100)
    user = np.repeat(np.arange(users), lengths)
    step = np.arange(len(user)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    groups = items // 15
    tastes = (groups * rng.random((users, 3)) ** 2).astype(np.int64)
    group = tastes[user, (step // 5 + (rng.random(len(user)) < 0.1)) % 3]
    place = (user * 7 + step + rng.integers(0, 3, len(user))) % 15
    time = 1_000 * DAY + rng.integers(0, 90, users)[user] * DAY + step * MINUTE
    return log_of(user, group * 15 + place, time, [f"i{n}" for n in range(items)])


def _examples(args: Namespace) -> int:
    return 2_000 if args.small else 40_000


if __name__ == "__main__":
    main()
