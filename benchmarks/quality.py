"""How good the recommendations are, by published protocols, through the path that serves.

    python benchmarks/quality.py --data Beauty.parquet --protocol leave-one-out --json out.json
    python benchmarks/quality.py --data FILE --protocol temporal --retriever transitions

The file is Parquet or CSV with a column of users, one of items and one of times (or `position`,
an order within each user). Retrievers are fitted with the defaults of their kind, written as a
release, and the release is opened by the pipeline that serves; it ranks the whole catalogue, never
a sample of negatives. Without `--retriever` the default recipe runs: the retrievers that
`shortlist train` would choose for the data, merged by a fusion that is learned on the protocol's
validation part only, with retrievers fitted on what is before it. Nothing is chosen on the test.

Protocols: `leave-one-out` (each user's last event), `temporal` (the newest tenth of the log),
`strong-generalisation` (users that training never saw show 80% of their items), `session` (the
next item at every step of held-out sessions). The output repeats the rules of the one that ran.

Figures are means over users and over seeds. With one seed the interval is a 95% bootstrap over
users; with several it is that of the mean over seeds (1.96 standard errors). An item with the same
score as a right answer counts as ranked above it. Peak memory is of the training process, from the
start of fitting to its end. Published numbers stand beside ours where the file is known by its
size. For sequences two counters without training are always there: first-order Markov, and the
decayed transitions of fixed settings.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

for threads in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(threads, str(len(os.sched_getaffinity(0))))

import numpy as np  # noqa: E402
from _protocols import PROTOCOLS, SEQUENTIAL, Exam, Histories, Stage, log_of, read_log  # noqa: E402
from _published import KNOWN, PUBLISHED, known_as  # noqa: E402
from _report import arguments, machine, write  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from shortlist.config.load import RETRIEVERS  # noqa: E402
from shortlist.config.schema import (  # noqa: E402
    Config,
    DataSection,
    EventsSection,
    ProjectSection,
    RankerSection,
    Retriever,
    ServeSection,
    TransitionsRetriever,
)
from shortlist.core.progress import Silent  # noqa: E402
from shortlist.core.request import Candidates, Request  # noqa: E402
from shortlist.core.times import DAY, MINUTE  # noqa: E402
from shortlist.offline.data.training import TrainingData  # noqa: E402
from shortlist.offline.evaluate import baselines, intervals, metrics  # noqa: E402
from shortlist.offline.evaluate.requests import Asked  # noqa: E402
from shortlist.offline.pipeline import Fits, Models, build  # noqa: E402
from shortlist.offline.retrieval.choose import choose_retrievers  # noqa: E402
from shortlist.offline.retrieval.fusion import learn  # noqa: E402
from shortlist.online.pipeline import RequestPipeline  # noqa: E402
from shortlist.online.snapshot import Snapshot  # noqa: E402
from shortlist.release.publish import Releases  # noqa: E402
from shortlist.stores.memory import MemoryAvailability  # noqa: E402

METRICS = ("recall@10", "ndcg@10", "recall@20", "recall@50", "ndcg@100", "coverage@10")
LENGTH = 200
"""Places that are looked at: more than any metric's, so that ties at its end are seen."""
SOURCES = 500
BATCH = 64
COUNTER = TransitionsRetriever(
    reach=5,
    distance=1.0,
    back=0.5,
    power=0.5,
    target_power=0.0,
    damping=1.0,
    decay=0.4,
    history=20,
    within="history",
    half_life="none",
    neighbours=2_000,
)
"""The counter of fixed settings that every sequence model has to be past."""


@dataclass
class Cost:
    """What a fit took."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_gib: float = 0.0


@dataclass
class Line:
    """One model's figures: per seed, and per user of the first seed."""

    name: str
    seeds: list[dict[str, float]] = field(default_factory=list)
    users: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    cost: Cost = field(default_factory=Cost)

    def figures(self) -> dict[str, dict[str, float]]:
        out = {}
        for name in METRICS:
            values = np.array([seed[name] for seed in self.seeds])
            mean = float(values.mean())
            if len(values) > 1:
                half = 1.96 * float(values.std(ddof=1)) / len(values) ** 0.5
                low, high = mean - half, mean + half
            elif name in self.users:
                estimate = intervals.mean(self.users[name], 0)
                low, high = estimate.low, estimate.high
            else:
                low = high = mean
            out[name] = {"mean": mean, "low": low, "high": high}
        return out


def config_of(retrievers: dict[str, Retriever], seed: int) -> Config:
    return Config(
        project=ProjectSection(name="quality", seed=seed),
        data=DataSection(events=EventsSection(path="-")),
        retrievers=retrievers,
        ranker=RankerSection(kind="none", candidates=10 * SOURCES),
        serve=ServeSection(sources=SOURCES),
    )


class Meter:
    """Wall and processor time and the peak of resident memory of a block."""

    def __enter__(self) -> Meter:
        self.cost = Cost()
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
        self._wall, self._cpu = time.monotonic(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.cost.wall_s = time.monotonic() - self._wall
        self.cost.cpu_s = time.process_time() - self._cpu
        self.cost.peak_gib = _peak()


def _peak() -> float:
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def release_of(
    config: Config,
    data: TrainingData,
    folder: Path,
    models: Models | None = None,
    fits: Fits | None = None,
) -> Path:
    with Releases(folder).draft() as draft:
        id = build(config, data, draft, Silent(), models, fits=fits)
    return folder / id


def open_release(config: Config, release: Path, stage: Stage) -> RequestPipeline:
    return RequestPipeline(Snapshot.open(release), config, Histories(stage), MemoryAvailability())


def requests_of(stage: Stage) -> list[Request]:
    return [
        Request(user=str(q), k=LENGTH, now=int(now), seen=stage.seen)
        for q, now in enumerate(stage.now.tolist())
    ]


Answers = tuple[NDArray[np.int32], NDArray[np.float64]]


def ask(pipeline: RequestPipeline, stage: Stage) -> dict[str, Answers]:
    """The first `LENGTH` rows and scores of each source, and merged."""
    requests = requests_of(stage)
    lists: dict[str, Answers] = {}

    def place(name: str, q: int, rows: NDArray[np.int32], scores: NDArray[np.floating]) -> None:
        if name not in lists:
            lists[name] = (
                np.full((len(stage), LENGTH), -1, np.int32),
                np.full((len(stage), LENGTH), -np.inf),
            )
        n = min(LENGTH, len(rows))
        lists[name][0][q, :n], lists[name][1][q, :n] = rows[:n], scores[:n]

    for start in range(0, len(requests), BATCH):
        batch = requests[start : start + BATCH]
        for q, (found, fused) in enumerate(pipeline.fused(batch), start):
            place("merged", q, found.rows, fused)
            for name, rows, scores in _by_source(found):
                place(name, q, rows, scores)
    return lists


def _by_source(found: Candidates) -> list[tuple[str, NDArray[np.int32], NDArray[np.float32]]]:
    out = []
    for name, scores, ranks in zip(found.sources, found.scores, found.ranks, strict=True):
        order = np.argsort(-ranks, kind="stable")[: int((ranks > 0).sum())]
        out.append((name, found.rows[order], scores[order]))
    return out


def measure(line: Line, answers: Answers, stage: Stage, protocol: str) -> None:
    """Add one seed's figures to a line."""
    rows, scores = answers
    items = stage.known.items
    hit = metrics.conservative(metrics.hits(rows, stage.relevant, items), scores)
    wanted = stage.relevant.lengths
    per_user = {}
    for name in METRICS:
        kind, _, at = name.partition("@")
        k = int(at)
        if kind == "ndcg":
            values = metrics.ndcg(hit, wanted, k)
        elif kind == "recall":
            most = np.minimum(wanted, k) if protocol == "strong-generalisation" else wanted
            values = metrics.recall(hit, most, k)
        else:
            continue
        _, who, counts = np.unique(stage.user, return_inverse=True, return_counts=True)
        per_user[name] = np.bincount(who, values) / counts
    seed = {name: float(values.mean()) for name, values in per_user.items()}
    seed["coverage@10"] = metrics.coverage(rows, np.ones(items, np.bool_), 10)
    line.seeds.append(seed)
    line.users = line.users or per_user


def default_recipe(exam: Exam, seed: int) -> tuple[dict[str, Answers], Cost, dict[str, Any]]:
    """Choose retrievers, learn to merge them on validation, fit them again for the test."""
    choice = choose_retrievers(exam.test.known)
    config = config_of(choice.retrievers, seed)
    fits = Fits()
    parts: dict[str, float] = {}

    def done(name: str, since: float) -> float:
        parts[name] = time.process_time() - since
        print(f"seed {seed}: {name}, {parts[name]:.0f} s of processor time", file=sys.stderr)
        return time.process_time()

    with tempfile.TemporaryDirectory(prefix="quality-") as scratch:
        with Meter() as meter:
            stage = exam.validation
            at = time.process_time()
            early = release_of(config, stage.known, Path(scratch) / "early", fits=fits)
            at = done("retrievers for validation", at)
            pipeline = open_release(config, early, stage)
            learned = learn(
                pipeline, requests_of(stage), stage.relevant, stage.user, seed, Silent()
            )
            at = done("fusion", at)
            models = Models(fusion=learned)
            release = release_of(config, exam.test.known, Path(scratch) / "final", models, fits)
            at = done("retrievers for the test", at)
        lists = ask(open_release(config, release, exam.test), exam.test)
        done("questions", at)
    fusion = learned.fusion
    about = {
        "chosen": choice.reasons,
        "fusion": fusion.reason,
        "validation": fusion.validation,
        "weights": fusion.weights,
        "cpu_s": parts,
    }
    return lists, meter.cost, about


def single(kind: str, retriever: Retriever, exam: Exam, seed: int) -> tuple[Answers, Cost]:
    """One retriever alone; several sources of one family are merged by reciprocal rank."""
    config = config_of({kind: retriever}, seed)
    with tempfile.TemporaryDirectory(prefix="quality-") as scratch:
        with Meter() as meter:
            release = release_of(config, exam.test.known, Path(scratch))
        lists = ask(open_release(config, release, exam.test), exam.test)
    return lists["merged"], meter.cost


def markov(stage: Stage) -> Answers:
    users = stage.user.astype(np.int32)
    asked = Asked(users, stage.now, stage.history, stage.relevant, [{}] * len(users))
    lists = baselines.markov(stage.known, asked, LENGTH, stage.seen)
    return lists.rows, lists.scores


def generated(users: int = 600, items: int = 200) -> TrainingData:
    """People walk around rings of ten items, now and then stepping over one or changing rings."""
    rng = np.random.default_rng(7)
    user = np.repeat(np.arange(users), rng.integers(5, 15, users))
    step = np.arange(len(user)) - np.searchsorted(user, user)
    ring = (user * 7 + (rng.random(len(user)) < 0.1)) % (items // 10)
    item = ring * 10 + (user + step + (rng.random(len(user)) < 0.2)) % 10
    time = 1_000 * DAY + rng.integers(0, 30, users)[user] * DAY + step * MINUTE
    return log_of(user, item, time, [f"i{n}" for n in range(items)])


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, metavar="FILE", help="interactions; else generated")
    parser.add_argument("--protocol", choices=PROTOCOLS, default="leave-one-out")
    parser.add_argument(
        "--retriever",
        action="append",
        default=[],
        choices=sorted(RETRIEVERS),
        help="a kind, alone and with its defaults; may be given several times",
    )
    parser.add_argument("--seeds", type=int, default=1, metavar="N")
    args = parser.parse_args()
    if args.data is None and not args.small:
        parser.error("--data FILE is needed (or --small, which generates a log)")
    run(args)


def run(args: argparse.Namespace) -> None:
    data, clock = read_log(args.data) if args.data else (generated(), True)
    known = known_as(len(np.unique(data.user)), data.items, args.protocol)
    console = Console(soft_wrap=True, highlight=False)
    console.width = max(console.width, 165)
    lines: dict[str, Line] = {}
    about: dict[str, Any] = {}
    words = ""
    for seed in range(args.seeds):
        exam = PROTOCOLS[args.protocol](data, clock, seed)
        words = exam.words
        test = exam.test

        def add(name: str, answers: Answers, cost: Cost, test: Stage = test) -> None:
            line = lines.setdefault(name, Line(name))
            line.cost = cost if not line.seeds else line.cost
            measure(line, answers, test, args.protocol)

        if args.protocol in SEQUENTIAL:
            add("(Markov counter)", markov(test), Cost())
            answers, cost = single("counter", COUNTER, exam, seed)
            add("(decayed transitions, fixed)", answers, cost)
        for kind in args.retriever:
            answers, cost = single(kind, cast(Retriever, RETRIEVERS[kind]()), exam, seed)
            add(kind, answers, cost)
        if not args.retriever:
            lists, cost, about = default_recipe(exam, seed)
            for name, answers in lists.items():
                if name != "merged":
                    add(f"  {name}", answers, Cost())
            add("default recipe", lists["merged"], cost)
    title = f"{args.data.name if args.data else 'generated'}, {args.protocol}"
    _print(console, title, known, lines, about, words, args.seeds)
    if args.json is not None:
        content = {
            "benchmark": "quality",
            "small": args.small,
            "machine": machine(),
            "data": {"events": len(data), "users": data.users, "items": data.items},
            "protocol": {"name": args.protocol, "words": words, "seeds": args.seeds},
            "models": {
                name.strip(): {"metrics": line.figures(), "training": vars(line.cost)}
                for name, line in lines.items()
            },
            "published": {
                name: {"source": source, "metrics": values}
                for name, source, values in PUBLISHED.get(known, [])
            },
            **about,
        }
        write(args.json, content)


def _print(
    console: Console,
    title: str,
    known: str,
    lines: dict[str, Line],
    about: dict[str, Any],
    words: str,
    seeds: int,
) -> None:
    table = Table(title=title, title_justify="left")
    table.add_column("model", no_wrap=True)
    for name in METRICS:
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("wall s", "cpu s", "GiB"):
        table.add_column(name, justify="right")
    for model, source, values in PUBLISHED.get(known, []):
        cells = [f"{values[name]:.4f}" if name in values else "" for name in METRICS]
        table.add_row(f"{model} [dim]({source})[/]", *cells, "", "", "", style="dim")
    if known in PUBLISHED:
        table.add_section()
    for line in lines.values():
        figures = line.figures()
        cells = []
        for name in METRICS:
            one = figures[name]
            half = (one["high"] - one["low"]) / 2
            cells.append(f"{one['mean']:.4f}" + (f" ±{half:.4f}" if name == "ndcg@10" else ""))
        cost = line.cost
        spent = [f"{cost.wall_s:.1f}", f"{cost.cpu_s:.1f}", f"{cost.peak_gib:.2f}"]
        table.add_row(line.name, *cells, *(spent if cost.wall_s else ["", "", ""]))
    console.print(table)
    if known in KNOWN:
        console.print(f"Aim of the default recipe for {known}: ndcg@10 {KNOWN[known][2]:.3f}.")
    for name, why in about.get("chosen", {}).items():
        console.print(f"Chose {name}: {why}")
    if "fusion" in about:
        console.print(f"Fusion: {about['fusion']}")
    console.print(
        f"{words} The whole catalogue is ranked; ties count against the model. "
        f"{seeds} seed{'s' if seeds > 1 else ''}.",
        style="dim",
    )


if __name__ == "__main__":
    main()
