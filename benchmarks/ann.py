"""Nearest neighbours: recall against queries a second, ours beside the libraries, in one run.

Three sets: (a) clustered vectors of 384 numbers and low intrinsic dimension, (b) harder ones of
100, (c) those of a trained model (`--vectors`, a `.npy` or an index folder of a release). Every
engine is built on all cores and searched at many settings: single queries and batches, on one
thread and on two. For recalls from 0.95 on, the table says how many queries a second the best
setting of ours answers, and of the peers: above 1 means that ours is on the upper envelope. Then
the same settings of the same structure are compared, ours over the library's own search: the
overhead. At last, filters. One thread is timed by the processor's clock, so that other work on the
machine counts little; two threads by the clock on the wall.

Full size needs about 12 GB of memory and two hours on two cores; `--n` scales all sets.
"""

from __future__ import annotations

import ctypes
import gc
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from _ann_data import Data, clustered, hard, recall, trained
from _ann_engines import ENGINES, Engine, Search, missing
from _ann_filters import measure
from _report import arguments, machine, publish, write
from rich.console import Console
from rich.table import Table

RECALLS = (0.95, 0.97, 0.99)
MODES = ("single, 1 thread", "batch, 1 thread", "single, 2 threads", "batch, 2 threads")
CONSOLE = Console(soft_wrap=True)
Figures = dict[str, Any]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--n", type=int, help="vectors of each set (1.5 million, 1 million, all)")
    parser.add_argument("--vectors", type=Path, help="a .npy file, or a release's index folder")
    parser.add_argument("--sets", default="ab", help="which generated sets: a, b, ab or none")
    parser.add_argument("--engines", nargs="+", help="only those whose names hold one of these")
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--ks", type=int, nargs="+", default=[10, 100])
    parser.add_argument("--threads", type=int, choices=(1, 2), default=2, help="at most")
    parser.add_argument("--repeat", type=int, default=2, help="the fastest of so many runs counts")
    parser.add_argument("--filters", type=int, default=100_000, help="vectors filtered; 0: none")
    parser.add_argument("--seconds", type=float, default=3, help="per filtered setting")
    args = parser.parse_args()
    if args.small:
        args.n, args.queries, args.filters, args.repeat = args.n or 5_000, 100, 2_000, 1
        args.ks, args.sets, args.seconds = [10], "a", 0.5
    wanted = [word.lower() for word in args.engines or [""]]
    engines = [one for one in ENGINES if any(word in one.name.lower() for word in wanted)]
    figures: Figures = {"sets": [], "filters": [], "absent": []}
    for engine in engines:
        if reason := missing(engine):
            figures["absent"].append(f"{engine.name}: {reason}")
    running = [engine for engine in engines if not missing(engine)]
    for data in _sets(args):
        figures["sets"].append({})
        for told in _compare(data, running, args):
            figures["sets"][-1] = told
            _keep(figures, args)
    if args.filters:
        data = clustered(min(args.filters, args.n or args.filters), args.queries)
        figures["filters"], absent = measure(data, args.seconds, _log)
        figures["absent"] += absent
        _print_filters(data.name, figures["filters"])
    for line in figures["absent"]:
        CONSOLE.print(f"not run: {line}", markup=False)
    summary = {one["name"]: one["summary"] for one in figures["sets"]}
    _keep(figures, args)
    args.json = None
    publish("ann", summary, args)


def _keep(figures: Figures, args: Any) -> None:
    """Write what is known so far: a run takes hours."""
    if args.json is not None:
        told = {"benchmark": "ann", "small": args.small, "machine": machine()}
        write(args.json, {**told, "figures": figures})


def _sets(args: Any) -> Any:
    if "a" in args.sets:
        yield clustered(args.n or 1_500_000, args.queries)
    if "b" in args.sets:
        yield hard(args.n or 1_000_000, args.queries)
    if args.vectors is not None:
        yield trained(args.vectors, args.n, args.queries)


def _compare(data: Data, engines: list[type[Engine]], args: Any) -> Iterator[Figures]:
    """What is known of a set after each engine."""
    built: list[Figures] = []
    points: list[Figures] = []
    modes = MODES[: 2 * args.threads]
    for engine_type in engines:
        _log(f"{data.name}: {engine_type.name}")
        before, engine, start = _memory(), engine_type(), time.perf_counter()
        engine.build(data.vectors)
        seconds = time.perf_counter() - start
        gib = (_memory() - before) / 2**30
        built.append({"engine": engine.name, "build_seconds": seconds, "memory_gib": gib})
        for k in args.ks:
            points += _curve(engine, data, k, args.repeat, modes)
        del engine
        summary = {
            "against_envelope": _envelope(points, args.ks, modes),
            "overhead": _overhead(points, engines, modes),
        }
        yield {"name": data.name, "built": built, "points": points, "summary": summary}
    _print_built(data.name, built)
    _print_envelope(data.name, points, args.ks, modes)
    _print_overhead(data.name, _overhead(points, engines, modes))


def _curve(
    engine: Engine, data: Data, k: int, repeat: int, modes: tuple[str, ...]
) -> list[Figures]:
    """Every setting of an engine that is worth a measurement, and what was measured."""
    points = []
    done = set()
    for setting, search in engine.settings(k):
        group = setting.partition(", ")[2]
        if group in done:
            continue
        found = np.concatenate([search(query[None], k, 1) for query in data.queries])
        share = recall(found, data.truth, k)
        if share >= 0.999:  # more effort finds no more
            done.add(group)
        if share < 0.85:  # far below what anybody would run
            continue
        point = {"engine": engine.name, "k": k, "setting": setting, "recall": share}
        for mode, run in list(_modes(search, data, k).items())[: len(modes)]:
            clock = time.process_time if mode.endswith("1 thread") else time.perf_counter
            spent = min(_timed(run, clock) for _ in range(repeat))
            point[mode] = len(data.queries) / spent
        points.append(point)
    return points


def _modes(search: Search, data: Data, k: int) -> dict[str, Callable[[], object]]:
    singles = [query[None] for query in data.queries]

    def single(queries: list[Any]) -> None:
        for query in queries:
            search(query, k, 1)

    def single_on_two() -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(single, [singles[::2], singles[1::2]]))

    return dict(
        zip(
            MODES,
            (
                lambda: single(singles),
                lambda: search(data.queries, k, 1),
                single_on_two,
                lambda: search(data.queries, k, 2),
            ),
            strict=True,
        )
    )


def _timed(run: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    run()
    return clock() - start


def best(points: list[Figures], k: int, mode: str, least: float, ours: bool) -> Figures | None:
    """The fastest point at a recall, of ours or of the peers."""
    kept = [
        point
        for point in points
        if point["k"] == k
        and point["recall"] >= least
        and point["engine"].startswith("shortlist") == ours
    ]
    return max(kept, key=lambda point: point[mode]) if kept else None


def _envelope(points: list[Figures], ks: list[int], modes: tuple[str, ...]) -> Figures:
    """Queries a second of ours over the best peer's, by k, mode and recall."""
    ratios: Figures = {}
    for k in ks:
        for mode in modes:
            for least in RECALLS:
                our, peer = (best(points, k, mode, least, whose) for whose in (True, False))
                if our and peer:
                    ratios[f"@{k} {mode}, recall {least}"] = our[mode] / peer[mode]
    return ratios


def _overhead(
    points: list[Figures], engines: list[type[Engine]], modes: tuple[str, ...]
) -> Figures:
    """How much longer ours takes than the library at the same setting, the median over settings."""
    overhead: Figures = {}
    for engine in engines:
        if not engine.like:
            continue
        for mode in modes:
            theirs = {(p["k"], p["setting"]): p[mode] for p in points if p["engine"] == engine.name}
            ratios = [
                theirs[p["k"], p["setting"]] / p[mode]
                for p in points
                if p["engine"] == engine.like and (p["k"], p["setting"]) in theirs
            ]
            if ratios:
                overhead[f"{engine.like} over {engine.name}, {mode}"] = (
                    statistics.median(ratios) - 1
                )
    return overhead


def _memory() -> int:
    """Resident bytes of this process, after what was freed went back."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    return psutil.Process().memory_info().rss


def _log(text: str) -> None:
    CONSOLE.print(f"… {text}", style="dim", markup=False, highlight=False)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left")
    return table


def _print_built(name: str, built: list[Figures]) -> None:
    table = _table(f"{name}: build", "engine", "seconds", "GiB")
    for one in built:
        table.add_row(one["engine"], f"{one['build_seconds']:.1f}", f"{one['memory_gib']:.2f}")
    CONSOLE.print(table)


def _print_envelope(
    name: str, points: list[Figures], ks: list[int], modes: tuple[str, ...]
) -> None:
    table = _table(
        f"{name}: queries a second at a recall",
        "k, mode, recall",
        "ours",
        "setting",
        "best peer",
        "setting",
        "ours / peer",
    )
    for k in ks:
        for mode in modes:
            for least in RECALLS:
                our, peer = (best(points, k, mode, least, whose) for whose in (True, False))
                cells = []
                for point in (our, peer):
                    told = f"{point['engine']}: {point['setting']}" if point else "none reaches it"
                    cells += [f"{point[mode]:,.0f}" if point else "", told]
                ratio = f"{our[mode] / peer[mode]:.2f}" if our and peer else ""
                table.add_row(f"@{k} {mode}, {least}", *cells, ratio)
    CONSOLE.print(table)


def _print_overhead(name: str, overhead: Figures) -> None:
    table = _table(f"{name}: time over the library's, same settings", "what", "overhead")
    for what, share in overhead.items():
        table.add_row(what, f"{share:+.1%}")
    CONSOLE.print(table)


def _print_filters(name: str, figures: list[Figures]) -> None:
    shares = sorted({one["share"] for one in figures}, reverse=True)
    table = _table(
        f"{name}: filtered, recall@10 and ms of a query", "engine", *(f"{s:.2%}" for s in shares)
    )
    for engine in dict.fromkeys(one["engine"] for one in figures):
        cells = {one["share"]: one for one in figures if one["engine"] == engine}
        table.add_row(engine, *(f"{cells[s]['recall']:.3f} {cells[s]['ms']:.2f}" for s in shares))
    CONSOLE.print(table)


if __name__ == "__main__":
    main()
