"""Serving under rising load, and what it costs over the bare kernels.

Builds (once, under `--folder`) a catalogue of 1.5 million items with vectors of 384 numbers, a
ranker of 300 trees and a store of a million users with 50 events each; starts the real server with
two workers; loads it from a separate process with requests for 200 items out of 500 ranked
candidates, for users at random, at instants of a Poisson process. Latency counts from the instant
a request was due. All other times are of the processor, so they do not depend on what else runs.
The bare kernels do the same work in one loop: a SQLite select, the mean of the
items' vectors, the index search, a gather of feature columns, the trees, and the encoding. They
run back to back, and once more paced like the requests that reach one worker under moderate load:
a processor that pauses between requests comes back to cold caches, whoever computes.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import faiss
import msgspec
import numpy as np
import psutil
from _report import arguments, publish
from _serve_world import FULL, SMALL, Size, build, explained, matrix_of
from numpy.typing import NDArray
from xxhash import xxh32_hexdigest

from shortlist.config.load import load_config
from shortlist.core.progress import Silent
from shortlist.core.request import Request
from shortlist.online.engine import Engine
from shortlist.release import artefacts, manifest
from shortlist.release.tree_scores import score
from shortlist.release.trees import Trees
from shortlist.serve.schema import Answer
from shortlist.stores.contract import EVENT

K, CANDIDATES, WORKERS = 200, 500, 2
MODERATE = 200
"""Requests a second that two cores answer at about a quarter of their capacity."""
HERE = Path(__file__).parent
Figures = dict[str, Any]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument(
        "--folder",
        type=Path,
        help="where the world is kept between runs; delete it to build another",
    )
    parser.add_argument("--rates", type=float, nargs="+", help="requests a second to offer")
    parser.add_argument("--seconds", type=float, help="length of each run")
    args = parser.parse_args()
    size = SMALL if args.small else FULL
    folder = args.folder or Path(tempfile.gettempdir()) / "shortlist-bench-serve"
    layout = Path(artefacts.__file__).read_bytes() + Path(manifest.__file__).read_bytes()
    folder = folder / f"{size.items}x{size.dim}-{xxh32_hexdigest(layout)}"  # as releases are now
    figures: Figures = {"world": vars(size)}
    if not (folder / "shortlist.toml").exists():
        figures["build"] = build(folder, size, Silent())
    faiss.omp_set_num_threads(1)
    figures["bare"], figures["in_process"] = compare(folder, size, 100 if args.small else 500)
    bare, paced = figures["bare"]["total_ms"], figures["bare"]["paced_ms"]
    figures["in_process"]["overhead"] = figures["in_process"]["one_ms"] / bare
    figures["in_process"]["overhead_of_8"] = figures["in_process"]["of_8_ms"] / bare
    figures["served"] = loaded(folder, size, args, bare, paced)
    publish("serve", figures, args)


def compare(folder: Path, size: Size, times: int) -> tuple[Figures, Figures]:
    """The same requests by bare kernels, and by the engine one at a time and eight together."""
    engine = Engine.open(load_config(folder), folder)
    random = np.random.default_rng(9)
    users = [f"u{user}" for user in random.integers(0, size.users, times)]
    bare = bare_kernels(engine, folder, users)
    encode = msgspec.json.Encoder().encode

    def answer(batch: list[str]) -> None:
        for shortlist in engine.answer([Request(user=user, k=K) for user in batch]):
            encode(Answer.of(shortlist))

    one = [timed(answer, [user]) for user in users]
    eights = [users[at : at + 8] for at in range(0, times - 7, 8)]
    eight = [timed(answer, batch) / 8 for batch in eights]
    engine.close()
    ours = {
        "one_ms": 1e3 * statistics.mean(one),
        "one_p99_ms": 1e3 * float(np.quantile(one, 0.99)),
        "of_8_ms": 1e3 * statistics.mean(eight),
    }
    return bare, ours


def bare_kernels(engine: Engine, folder: Path, users: list[str]) -> Figures:
    """Milliseconds of each kernel, and of all in one loop, one request at a time."""
    snapshot = engine.pipeline.snapshot
    index, vocabulary, trees = (
        snapshot.indexes["item_graph"],
        snapshot.catalogue.vocabulary,
        snapshot.ranker.model if snapshot.ranker else None,
    )
    assert isinstance(trees, Trees)
    store = sqlite3.connect(folder / ".shortlist" / "state" / "history.sqlite")
    answers = list(explained(engine, users[:16]))
    matrices = [np.ascontiguousarray(matrix_of(answer, trees.features)) for answer in answers]
    shape = len(trees.features), len(vocabulary)
    columns = np.random.default_rng(8).random(shape, np.float32)
    gathered = np.empty((len(trees.features), CANDIDATES), np.float32)
    scores = np.empty(CANDIDATES, np.float32)
    encode = msgspec.json.Encoder().encode
    laps: dict[str, list[float]] = {}

    def request(user: str, x: NDArray[np.float32]) -> None:
        clock = [time.process_time()]

        def lap(name: str) -> None:
            clock.append(time.process_time())
            laps.setdefault(name, []).append(clock[-1] - clock[-2])

        row = store.execute("SELECT events FROM history WHERE user = ?", (user.encode(),))
        events = np.frombuffer(row.fetchone()[0], EVENT)
        lap("history")
        seeds = vocabulary.rows_of_keys(np.ascontiguousarray(events["item"]))
        lap("ids")
        query = index.vectors_of(seeds).mean(axis=0, keepdims=True)
        lap("mean")
        rows = index.search(query, CANDIDATES)[0][0]
        lap("search")
        np.take(columns, rows, axis=1, out=gathered, mode="clip")
        lap("gather")
        score(trees, x, scores)
        lap("trees")
        best = np.argpartition(-scores, K)[:K]
        best = best[np.argsort(-scores[best])]
        columns_of = zip(vocabulary.ids(rows[best]), scores[best].tolist(), strict=True)
        items = [{"id": id, "score": value} for id, value in columns_of]
        encode({"request": "r", "release": "r", "items": items})
        lap("encode")

    for user in users[:20]:
        request(user, matrices[0])
    laps.clear()
    total = [timed(request, user, matrices[at % len(matrices)]) for at, user in enumerate(users)]
    kernels = {f"{name}_ms": 1e3 * statistics.mean(each) for name, each in laps.items()}
    paced = []
    for at, user in enumerate(users[:200]):
        time.sleep(WORKERS / MODERATE)
        paced.append(timed(request, user, matrices[at % len(matrices)]))
    store.close()
    return {
        **kernels,
        "total_ms": 1e3 * statistics.mean(total),
        "paced_ms": 1e3 * statistics.mean(paced),
    }


def loaded(
    folder: Path, size: Size, args: argparse.Namespace, bare: float, paced: float
) -> Figures:
    """The server under rising load."""
    seconds = args.seconds or (3 if args.small else 15)
    rates = args.rates or ([100, 400] if args.small else [50, 100, 200, 300, 400, 500, 600])
    runs: list[Figures] = []
    with running(folder) as (server, port):
        generate(port, size, min(rates), 3)  # connections, caches, the first pages of the files
        for rate in rates:
            before = cpu_seconds(server)
            run = generate(port, size, rate, seconds)
            spent = cpu_seconds(server) - before
            run["server_cpu_ms_per_request"] = 1e3 * spent / max(run["requests"], 1)
            runs.append(run)
        memory = [
            {"rss_mb": m.rss / 2**20, "uss_mb": m.uss / 2**20, "pss_mb": m.pss / 2**20}
            for m in (worker.memory_full_info() for worker in workers_of(server))
        ]
    good = [run for run in runs if run["p90_ms"] < 7 and not run["failed"]]
    moderate = min(runs, key=lambda run: abs(run["offered"] - MODERATE))
    return {
        "workers": WORKERS,
        "load": runs,
        "memory_per_worker": memory,
        "peak_at_p90_below_7ms": max((run["answered"] for run in good), default=0.0),
        "moderate_load": moderate["offered"],
        "p99_at_moderate_load_ms": moderate["p99_ms"],
        "overhead": moderate["server_cpu_ms_per_request"] / paced,
        "overhead_when_busiest": runs[-1]["server_cpu_ms_per_request"] / bare,
    }


@contextmanager
def running(folder: Path) -> Iterator[tuple[psutil.Process, int]]:
    """The real server on a free port, ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = (
        "import sys; from pathlib import Path; from shortlist.serve.run import serve; "
        f"serve(Path(sys.argv[1]), port={port}, workers={WORKERS})"
    )
    server = subprocess.Popen([sys.executable, "-c", program, str(folder)])
    try:
        deadline = time.monotonic() + 120
        while not ready(port):
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("the server did not start")
            time.sleep(0.1)
        time.sleep(1)  # the other worker
        yield psutil.Process(server.pid), port
    finally:
        server.terminate()
        server.wait()


def ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def generate(port: int, size: Size, rate: float, seconds: float) -> Figures:
    """One run of the load generator, in a process of its own."""
    numbers = (port, rate, seconds, 64, size.users, K, int(rate))
    command = [sys.executable, str(HERE / "_load.py"), "127.0.0.1", *map(str, numbers)]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    result: Figures = json.loads(ran.stdout)
    return result


def workers_of(server: psutil.Process) -> list[psutil.Process]:
    """The processes that hold the release."""
    children = sorted(server.children(), key=lambda child: -child.memory_info().rss)
    return children[:WORKERS]


def cpu_seconds(server: psutil.Process) -> float:
    """Processor time of the workers so far."""
    return sum(sum(worker.cpu_times()[:2]) for worker in workers_of(server))


def timed(work: Callable[..., object], *arguments: object) -> float:
    """Processor seconds that a call takes: other work on the machine does not count."""
    start = time.process_time()
    work(*arguments)
    return time.process_time() - start


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
