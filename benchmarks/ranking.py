"""Rankers beside their peers: how well they order, what two stages bring, how fast they score.

    python benchmarks/ranking.py --data FOLDER --json out.json
    python benchmarks/ranking.py --world --json out.json
    python benchmarks/ranking.py --speed --off-policy --mixed

FOLDER holds `events.parquet` (user_id, item_id, timestamp), `items.parquet` (item_id, title,
genres, release_year) and, for the relational ranker, `knowledge.parquet` (head, relation, tail).
`--world` generates a marketplace instead, whose log has impressions with positions.

The split is by time. Retrievers are fitted on what is before the holdout; rankers on requests of
the newest part before it, with retrievers that know nothing of that part. Every ranker and every
peer is fitted on the same rows and measured on the same rows of the holdout (AUC over all rows,
gAUC and nDCG@10 per request); rankers are then put into a release, and the release is asked, beside
its own fused order and every retriever alone, as `shortlist evaluate` would ask it: nDCG@10 over
the whole catalogue, means over users with 95% bootstrap intervals.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

for threads in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(threads, "1")

import numpy as np  # noqa: E402
from _baselines import (  # noqa: E402
    factorization_machine,
    logistic_regression,
    request_of,
    trees_on_ids,
)
from _mixed_size import mixed_size  # noqa: E402
from _off_policy import off_policy  # noqa: E402
from _ranking_speed import speed  # noqa: E402
from _report import arguments, publish  # noqa: E402
from msgspec import structs  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from rich.console import Console  # noqa: E402

from shortlist.config.schema import Config, RankerSection  # noqa: E402
from shortlist.core.progress import Silent  # noqa: E402
from shortlist.core.request import Pipeline, Request  # noqa: E402
from shortlist.offline.data.collect import collect  # noqa: E402
from shortlist.offline.data.prepare import prepare  # noqa: E402
from shortlist.offline.data.split import newest_part  # noqa: E402
from shortlist.offline.evaluate import intervals, metrics  # noqa: E402
from shortlist.offline.evaluate.requests import Asked, ask  # noqa: E402
from shortlist.offline.learning import Learner, Models, link_release  # noqa: E402
from shortlist.offline.pipeline import build  # noqa: E402
from shortlist.offline.ranking.calibrate import calibrate, error  # noqa: E402
from shortlist.offline.ranking.fit import fit  # noqa: E402
from shortlist.offline.ranking.rows import Rows, training_rows  # noqa: E402
from shortlist.offline.ranking.sets import per_request  # noqa: E402
from shortlist.offline.replay import Replay  # noqa: E402
from shortlist.offline.retrieval.choose import choose_retrievers  # noqa: E402
from shortlist.offline.retrieval.memory import Fits  # noqa: E402
from shortlist.online.pipeline import RequestPipeline  # noqa: E402
from shortlist.online.snapshot import Snapshot  # noqa: E402
from shortlist.project import Project  # noqa: E402
from shortlist.release.manifest import read_manifest  # noqa: E402
from shortlist.release.publish import Releases  # noqa: E402
from shortlist.release.ranking.models import Ranker  # noqa: E402
from shortlist.release.ranking.scorers import scorer_of  # noqa: E402
from shortlist.stores.memory import MemoryAvailability  # noqa: E402
from shortlist.testing.marketplace import generate  # noqa: E402

RANKERS: dict[str, dict[str, Any]] = {
    "boosted": {},
    "boosted xgboost": {"library": "xgboost"},
    "boosted binary": {"objective": "binary"},
    "glmix": {"kind": "glmix"},
    "cascade glmix": {"kind": "cascade", "second": "glmix"},
    "cascade boosted": {"kind": "cascade", "second": "boosted"},
    "attention": {"kind": "attention"},
    "relational": {"kind": "relational"},
}
PEERS = {
    "logistic regression": logistic_regression,
    "LightGBM on raw ids": trees_on_ids,
    "factorization machine": factorization_machine,
}
console = Console()


def main() -> None:
    """Run what was asked for."""
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, help="a folder with events, items and knowledge")
    parser.add_argument("--world", action="store_true", help="on a generated marketplace")
    parser.add_argument("--speed", action="store_true", help="scoring speed")
    parser.add_argument("--off-policy", action="store_true", help="estimates from a logged policy")
    parser.add_argument("--mixed", action="store_true", help="mixed effects of a million users")
    parser.add_argument("--skip-peers", action="store_true", help="rankers alone")
    parser.add_argument("--ranker", action="append", choices=RANKERS, help="only these")
    args = parser.parse_args()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="shortlist-") as scratch:
        if args.data:
            figures["data"] = on_project(_project(Path(scratch) / "data", args.data), args)
        if args.world:
            figures["world"] = on_project(_world(Path(scratch) / "world", args.small), args)
        if args.off_policy:
            figures["off_policy"] = off_policy(Path(scratch) / "logged", args.small)
    if args.speed:
        figures["speed"] = speed(args.small)
    if args.mixed:
        figures["mixed"] = mixed_size(args.small)
    publish("ranking", figures, args)


def _project(folder: Path, data: Path) -> Project:
    folder.mkdir()
    known = (data / "knowledge.parquet").exists()
    knowledge = f'[data.knowledge]\npath = "{data / "knowledge.parquet"}"\n' if known else ""
    (folder / "shortlist.toml").write_text(
        f'[project]\nname = "data"\n[data.events]\npath = "{data / "events.parquet"}"\n'
        f'[data.items]\npath = "{data / "items.parquet"}"\ntext = ["title"]\n'
        f'attributes = ["genres", "release_year"]\ncategory = "genres"\n{knowledge}'
    )
    return Project(folder)


def _world(folder: Path, small: bool) -> Project:
    size = {"users": 600, "items": 800, "days": 21} if small else {"users": 3_000, "items": 5_000}
    world = generate(folder / "files", **size)
    Project.init(folder / "project", str(world.events), str(world.items))
    return Project(folder / "project")


def on_project(project: Project, args: argparse.Namespace) -> dict[str, Any]:
    """Everything about one data set."""
    config, folder = project.config, project.folder
    progress = Silent()
    collect(config, folder, progress)
    prepared = prepare(config, folder, progress)
    everything, users = prepared.training(), prepared.user_ids()
    known = everything.before(prepared.split)
    if not config.retrievers:
        config = structs.replace(config, retrievers=choose_retrievers(known).retrievers)

    def opened(path: Path, history: Replay, settings: Config = config) -> RequestPipeline:
        return RequestPipeline(Snapshot.open(path), settings, history, MemoryAvailability())

    fits = Fits(folder / "runs")
    learner = Learner(config, folder, prepared, known, opened, build, fits, progress)
    start = newest_part(known.time, config.ranker.window)
    with learner.fused(known.before(start)) as (fusion, pipeline):
        features, rows = learner.rows(pipeline, start)
    console.print(f"{len(rows):,} rows of {rows.requests:,} requests ({rows.origin})")
    held = Releases(folder / ".shortlist" / "held")
    with held.draft() as draft:
        id = build(config, known, draft, progress, Models(fusion), fits=fits)
    replay = Replay(everything, users, config.serve.history_size)
    plain = opened(held.folder / id, replay)
    settings = structs.replace(config.ranker, requests=3_000)
    test = training_rows(
        plain, everything, prepared.impressions_path, prepared.split, settings, features, users, 1,
        progress,
    )  # fmt: skip
    asked = ask(everything, prepared.split, config.evaluate, 0, config.arrange.seen)
    lists = _alone(plain, asked, users)
    lists["fused"] = _answers(plain, asked, users)
    figures: dict[str, Any] = {
        "training": {
            "origin": rows.origin,
            "requests": rows.requests,
            "rows": len(rows),
            "mb": rows.columns.bytes / 1e6,
            "flat_mb": rows.columns.flat_bytes / 1e6,
        },
        "test": {"origin": test.origin, "requests": test.requests, "rows": len(test)},
        "fusion": fusion.fusion.method,
        "rows": {},
        "calibration": {},
    }
    fused = test.x[test.features.index("fused")].astype(np.float64)
    figures["rows"]["fused order"] = _ordering(fused, test)
    for name, peer in ({} if args.skip_peers else PEERS).items():
        began = time.perf_counter()
        scored = peer(rows, 0)(test)
        took = time.perf_counter() - began
        figures["rows"][name] = {**_ordering(scored, test), "seconds": took}
        console.print(name, figures["rows"][name])
    for name in args.ranker or RANKERS:
        asks = RANKERS[name]
        if asks.get("kind") == "relational" and config.data.knowledge is None:
            continue
        section = structs.replace(config.ranker, **asks)
        began = time.perf_counter()
        ranker, report = fit(rows, section, 0, progress, None, learner.graph)
        took = time.perf_counter() - began
        scored = scorer_of(ranker.model)(test.batch()).astype(np.float64)
        figures["rows"][name] = {**_ordering(scored, test), "seconds": took, "model": report.size}
        served = _released(held, id, ranker, section, features.names)
        whole = structs.replace(config, ranker=section)
        lists[name] = _answers(opened(held.folder / served, replay, whole), asked, users)
        console.print(name, figures["rows"][name])
        if name == "boosted":
            figures["calibration"] = _calibrated(rows, test, section)
    figures["end_to_end"] = _end_to_end(lists, asked, everything.items)
    return figures


def _ordering(scores: NDArray[np.float64], rows: Rows) -> dict[str, float]:
    """AUC over all rows, its mean over requests weighed by rows (Zhou et al. 2018), nDCG@10."""
    sizes = np.diff(rows.offsets)
    told, weights = [], []
    for start, stop in zip(rows.offsets[:-1], rows.offsets[1:], strict=True):
        label = rows.label[start:stop]
        if 0 < label.sum() < len(label):
            told.append(_auc(scores[start:stop], label))
            weights.append(stop - start)
    ndcg = per_request(scores, rows.label, rows.offsets)
    user = rows.user[np.bincount(request_of(rows), rows.label, len(sizes)) > 0]
    estimate = intervals.mean(_per_user(user, ndcg), 0)
    return {
        "auc": _auc(scores, rows.label),
        "gauc": float(np.average(told, weights=weights)),
        "ndcg@10": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
    }


def _auc(scores: NDArray[np.float64], label: NDArray[np.float32]) -> float:
    """Ties count a half."""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    many, few = label.sum(), (1 - label).sum()
    return float((ranks[label > 0].sum() - many * (many + 1) / 2) / max(many * few, 1))


def _calibrated(rows: Rows, test: Rows, section: RankerSection) -> dict[str, float]:
    """Expected calibration error on the holdout of each method, and of the raw logits."""
    told = {}
    binary = structs.replace(section, objective="binary")
    ranker, _ = fit(rows, binary, 0, Silent())
    scorer = scorer_of(ranker.model)
    newest = rows.part(int(rows.requests * 0.85), rows.requests)
    raw = scorer(test.batch())
    told["raw"] = error(1 / (1 + np.exp(-raw)), test.label, test.stands)
    for method in ("platt", "isotonic"):
        made = calibrate(method, scorer(newest.batch()), newest.label, newest.stands)
        told[method] = error(made(raw), test.label, test.stands)
    return told


def _released(
    held: Releases, id: str, ranker: Ranker, section: RankerSection, features: tuple[str, ...]
) -> str:
    """The release with a ranker; its id."""
    before = read_manifest(held.folder / id)
    with held.draft() as draft:
        link_release(held.folder / id, draft)
        ranker.save(draft.path / "ranker")
        carried = ("config", "watermark", "items", "artefacts", "indexes", "fusion")
        kept = {name: getattr(before, name) for name in carried}
        made = draft.commit({**kept, "ranker": {"kind": section.kind}, "features": list(features)})
    return made.id


Lists = NDArray[np.int32]


def _requests(asked: Asked, users: list[str]) -> list[Request]:
    return [
        Request(user=users[user], k=10, now=now, seen=False)
        for user, now in zip(asked.user.tolist(), asked.now.tolist(), strict=True)
    ]


def _answers(pipeline: Pipeline, asked: Asked, users: list[str]) -> Lists:
    """The first ten of every answer, `int32[q, 10]`."""
    rows = np.full((len(asked), 10), -1, np.int32)
    requests = _requests(asked, users)
    for start in range(0, len(requests), 64):
        for i, answer in enumerate(pipeline.recommend(requests[start : start + 64]), start):
            rows[i, : len(answer)] = answer.rows
    return rows


def _alone(pipeline: Pipeline, asked: Asked, users: list[str]) -> dict[str, Lists]:
    """The first ten of every source's own list."""
    lists: dict[str, Lists] = {}
    requests = _requests(asked, users)
    for start in range(0, len(requests), 64):
        for i, found in enumerate(pipeline.retrieve(requests[start : start + 64]), start):
            for source, ranks in zip(found.sources, found.ranks, strict=True):
                own = lists.setdefault(f"alone: {source}", np.full((len(asked), 10), -1, np.int32))
                best = np.argsort(-ranks, kind="stable")[:10]
                best = best[ranks[best] > 0]
                own[i, : len(best)] = found.rows[best]
    return lists


def _end_to_end(lists: dict[str, Lists], asked: Asked, items: int) -> dict[str, Any]:
    """nDCG@10 of each list, and how far above the best source and the fused order it is."""
    values = {
        name: _per_user(
            asked.user,
            metrics.ndcg(metrics.hits(rows, asked.relevant, items), asked.relevant.lengths, 10),
        )
        for name, rows in lists.items()
    }
    best = max((n for n in values if n.startswith("alone")), key=lambda n: values[n].mean())
    told: dict[str, Any] = {"best alone": best, "users": len(values[best])}
    for name, value in values.items():
        if name.startswith("alone") and name != best:
            continue
        estimate = intervals.mean(value, 0)
        told[name] = estimate.to_dict()
        if name != best:
            told[name]["above best alone"] = list(
                intervals.mean(value - values[best], 0).to_dict().values()
            )
        if name not in (best, "fused"):
            told[name]["above fused"] = list(
                intervals.mean(value - values["fused"], 0).to_dict().values()
            )
    return told


def _per_user(user: NDArray[np.integer], values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, who, counts = np.unique(user, return_inverse=True, return_counts=True)
    return np.bincount(who, values) / counts


if __name__ == "__main__":
    main()
