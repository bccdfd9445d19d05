"""A vector store under a stream: recall, latency and freshness while it grows.

One process upserts and deletes (and flushes and merges in the background), one searches at fixed
instants, and one looks, several times a second, for the vector whose write was acknowledged last.
Latency counts from the instant a search was due; the processor's time does not depend on what
else runs. Freshness is the time from the instant an upsert
returned in one process to the instant a search of another process had found it, the search
included. Recall@10 is computed afterwards, against every vector that was alive. At the end the
store, as it is then, is compared with a faiss index (1,024 lists, 4-bit codes, float16 refinement)
of the same vectors, at the fastest of its settings that give it the same recall.

The vectors have a low intrinsic dimension, as those of models do: 24 numbers, mixed into 384, and
a little noise; queries are others of the same kind.

    python benchmarks/streaming.py                # 100k to 640k vectors in ten minutes
    python benchmarks/streaming.py --small
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from _report import arguments, publish
from numpy.typing import NDArray

from shortlist.index.centroids import lists_for
from shortlist.stores.vectors import StoreSchema, VectorField
from shortlist.stores.vectors.embedded import EmbeddedStore

DIM, INTRINSIC, CHUNK = 384, 24, 1000
K = 10
TICK = 0.05
"""Seconds between two writes."""
PROBE_EVERY = 0.25
"""Seconds between two looks for the newest vector."""
ROLES = ("write", "search", "probe")
Floats = NDArray[np.float32]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--start", type=int, help="vectors before the stream begins (100,000)")
    parser.add_argument("--seconds", type=float, help="how long it lasts (600)")
    parser.add_argument("--upserts", type=int, default=1000, help="per second")
    parser.add_argument("--deletes", type=int, default=100, help="per second")
    parser.add_argument("--searches", type=int, default=50, help="per second")
    parser.add_argument("--folder", type=Path, help="where the store is made (a temporary one)")
    parser.add_argument("--role", choices=ROLES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.start = args.start or (2_000 if args.small else 100_000)
    args.seconds = args.seconds or (3 if args.small else 600)
    if args.role:
        {"write": write, "search": search, "probe": probe}[args.role](args)
    else:
        with contextlib.ExitStack() as stack:
            if args.folder is None:
                args.folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            publish("streaming", measure(args), args)


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Fill a store, run both processes, and put their figures together."""
    schema = StoreSchema((VectorField("v", DIM, "cosine"),), {"number": "integer"})
    store = EmbeddedStore(args.folder / "store", schema)
    begun = time.monotonic()
    for start in range(0, args.start, CHUNK):
        put(store, np.arange(start, min(start + CHUNK, args.start)))
    filled = time.monotonic() - begun
    store.compact()
    built = time.monotonic() - begun - filled
    queries = vectors_of(-1 - np.arange(200))
    quiet = []
    for query in queries:
        at = time.perf_counter()
        store.search(query, K)
        quiet.append(time.perf_counter() - at)
    store.close()
    (args.folder / "acknowledged").write_bytes(bytes(24))
    command = [sys.executable, __file__, "--folder", args.folder, "--start", str(args.start)]
    for name in ("seconds", "upserts", "deletes", "searches"):
        command += [f"--{name}", str(getattr(args, name))]
    running = [subprocess.Popen([*command, "--role", role]) for role in ROLES]
    while any(process.poll() is None for process in running):
        if any(process.poll() for process in running):
            for process in running:
                process.kill()
        time.sleep(0.1)
    if any(process.poll() for process in running):
        raise SystemExit("a process of the benchmark failed")
    wrote, found, fresh = (json.loads((args.folder / f"{role}.json").read_text()) for role in ROLES)
    recalls = recall(args, found.pop("samples"))
    afterwards = beside_faiss(args)
    return {
        "vectors": {"at_first": args.start, "at_last": wrote.pop("rows")},
        "fill": {"vectors_per_second": args.start / filled, "index_seconds": built},
        "stream": wrote,
        "freshness": fresh,
        "search": {
            **quantiles("quiet_", quiet),
            **found,
            "recall_at_10": float(np.mean(recalls)),
            "recall_at_10_worst_tenth_of_the_time": min(
                float(part.mean()) for part in np.array_split(np.array(recalls), 10) if len(part)
            ),
        },
        "at_last": afterwards,
    }


def beside_faiss(args: argparse.Namespace) -> dict[str, Any]:
    """The store as the stream has left it, and a faiss index built of the same vectors at once."""
    store = EmbeddedStore(args.folder / "store", maintain=False)
    numbers = np.sort([int(id) for batch in store.iterate(10_000) for id in batch.ids])
    matrix = vectors_of(numbers)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    queries = vectors_of(-1 - np.arange(300))
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    best = [set(numbers[np.argpartition(-(matrix @ q), K)[:K]].tolist()) for q in queries]

    def timed(search: Callable[[Floats], list[int]]) -> tuple[float, list[float]]:
        search(queries[0])
        hit, took = 0, []
        for query, wanted in zip(queries, best, strict=True):
            at = time.thread_time()
            found = search(query)
            took.append(time.thread_time() - at)
            hit += len(wanted & set(found))
        return hit / (K * len(queries)), took

    reached, ours = timed(lambda query: [int(id) for id in store.search(query, K)[0].ids])
    segments = len(store.health().details["segments"])
    store.close()
    faiss.omp_set_num_threads(1)
    lists = min(1024, lists_for(len(numbers)))
    index: Any = faiss.index_factory(
        DIM, f"IVF{lists},PQ96x4fs,Refine(SQfp16)", faiss.METRIC_INNER_PRODUCT
    )
    begun = time.monotonic()
    index.train(matrix[np.random.default_rng(0).permutation(len(matrix))[: 40 * lists]])
    index.add(matrix)
    built = time.monotonic() - begun
    base = faiss.downcast_index(index.base_index)
    tried = []  # whether the recall is reached, how long it takes, and the setting
    for k_factor, halves in product((10, 20), range(6, 2 * lists.bit_length() - 1)):
        index.k_factor, base.nprobe = k_factor, int(2 ** (halves / 2))
        if tried and tried[-1][0] and tried[-1][3]["faiss_k_factor"] == k_factor:
            continue
        recall_of_faiss, theirs = timed(
            lambda query: numbers[index.search(query[None], K)[1][0]].tolist()
        )
        setting = {
            "faiss_recall_at_10": recall_of_faiss,
            "faiss_nprobe": base.nprobe,
            "faiss_k_factor": k_factor,
        }
        enough = recall_of_faiss >= reached - 0.001
        tried.append((enough, float(np.median(theirs)), theirs, setting))
    reaching = [one for one in tried if one[0]]
    _, median, theirs, setting = (
        min(reaching, key=lambda one: one[1])
        if reaching
        else max(tried, key=lambda one: one[3]["faiss_recall_at_10"])
    )
    return {
        "segments": segments,
        "recall_at_10": reached,
        **quantiles("processor_", ours),
        **setting,
        "faiss_build_seconds": built,
        **quantiles("faiss_processor_", theirs),
        "p50_over_faiss": float(np.median(ours) / median),
    }


def vectors_of(numbers: NDArray[np.int64]) -> Floats:
    """The vectors of some numbers, a function of the number; queries have negative ones."""
    out = np.empty((len(numbers), DIM), np.float32)
    for chunk in np.unique(numbers // CHUNK).tolist():
        mine = numbers // CHUNK == chunk
        out[mine] = chunk_of(chunk)[numbers[mine] % CHUNK]
    return out


@lru_cache(maxsize=4)
def chunk_of(chunk: int) -> Floats:
    basis = np.random.default_rng(0).standard_normal((INTRINSIC, DIM), np.float32)
    random = np.random.default_rng([1, chunk % (1 << 32)])
    rows = random.standard_normal((CHUNK, INTRINSIC), np.float32) @ basis
    return rows + random.standard_normal((CHUNK, DIM), np.float32) * np.float32(0.3)


def put(store: EmbeddedStore, numbers: NDArray[np.int64]) -> None:
    rows = vectors_of(numbers)
    store.upsert([str(n) for n in numbers.tolist()], {"v": rows}, {"number": numbers})


def doomed(count: int) -> NDArray[np.int64]:
    """The numbers that the first deletions delete: every third, the oldest first."""
    return np.arange(count, dtype=np.int64) * 3


def write(args: argparse.Namespace) -> None:
    """The writer: batches at every tick; what is behind schedule is written at once."""
    store = EmbeddedStore(args.folder / "store")
    acknowledged = np.memmap(args.folder / "acknowledged", np.int64, "r+", shape=(3,))
    while not all((args.folder / f"{role}.ready").exists() for role in ROLES[1:]):
        time.sleep(0.001)
    upserted, deleted, waiting, segments, looked, took = 0, 0, 0, 0, 0.0, []
    begun = time.monotonic()
    while (elapsed := time.monotonic() - begun) < args.seconds:
        due = int(elapsed * args.upserts) - upserted
        at = time.perf_counter()
        if due > 0:
            put(store, args.start + upserted + np.arange(min(due, CHUNK)))
            upserted += min(due, CHUNK)
            acknowledged[:2] = args.start + upserted, time.monotonic_ns()
            took.append(time.perf_counter() - at)
        gone = int(elapsed * args.deletes) - deleted
        if gone > 0:
            acknowledged[2] = deleted + gone  # before, so that recall leaves them out
            numbers = doomed(deleted + gone)[deleted:]
            store.delete([str(n) for n in numbers.tolist()])
            deleted += gone
        if elapsed > looked + 1:
            looked, details = elapsed, store.health().details
            waiting = max(waiting, details["waiting"])
            segments = max(segments, len(details["segments"]))
        time.sleep(max(0.0, TICK - (time.perf_counter() - at)))
    lasted = time.monotonic() - begun
    figures = {
        "upserts_per_second": upserted / lasted,
        "deletes_per_second": deleted / lasted,
        **quantiles("write_", took),
        "rows_not_indexed_at_most": waiting,
        "segments_at_most": segments,
        "rows": store.count(),
    }
    store.close()
    (args.folder / "write.json").write_text(json.dumps(figures))


def search(args: argparse.Namespace) -> None:
    """The searcher: one query at every due instant."""
    store = EmbeddedStore(args.folder / "store", maintain=False)
    queries = vectors_of(-1 - np.arange(CHUNK))
    store.search(queries[0], K)
    latency, worked, samples = [], [], []
    written = progress_of(args)
    begun, number = time.monotonic(), 0
    while (due := begun + number / args.searches) < begun + args.seconds - 1:
        time.sleep(max(0.0, due - time.monotonic()))
        before, place = int(written[0]), number % len(queries)
        processor = time.thread_time()
        (hits,) = store.search(queries[place], K)
        latency.append(time.monotonic() - due)
        worked.append(time.thread_time() - processor)
        samples.append([place, before, int(written[2]), *map(int, hits.ids)])
        number += 1
    store.close()
    figures = {
        **quantiles("", latency),
        **quantiles("processor_", worked),
        "searches": len(latency),
        "samples": samples[:: max(1, len(samples) // 500)],
    }
    (args.folder / "search.json").write_text(json.dumps(figures))


def probe(args: argparse.Namespace) -> None:
    """The prober: waits for a write, and searches until its last vector is found."""
    store = EmbeddedStore(args.folder / "store", maintain=False)
    store.search(vectors_of(np.array([0])), 1)
    fresh = []
    written = progress_of(args)
    ends = time.monotonic() + args.seconds - 1
    while time.monotonic() < ends:
        before = int(written[0])
        while (newest := int(written[0])) == before and time.monotonic() < ends:
            time.sleep(0.0002)
        vector, at = vectors_of(np.array([newest - 1])), int(written[1])
        while store.search(vector, 1)[0].ids != [str(newest - 1)]:
            pass
        if int(written[0]) == newest:  # else `at` may be of the write after
            fresh.append((time.monotonic_ns() - at) / 1e9)
        time.sleep(PROBE_EVERY)
    store.close()
    (args.folder / "probe.json").write_text(
        json.dumps({**quantiles("", fresh), "probes": len(fresh)})
    )


def progress_of(args: argparse.Namespace) -> NDArray[np.int64]:
    """What the writer has acknowledged: the next number, the instant, the deletions begun."""
    written = np.memmap(args.folder / "acknowledged", np.int64, "r+", shape=(3,))
    (args.folder / f"{args.role}.ready").touch()
    while written[0] == 0:
        time.sleep(0.001)
    return written


def quantiles(name: str, seconds: list[float]) -> dict[str, float]:
    """The median and the 99th percentile in milliseconds."""
    return {f"{name}p{q}_ms": float(np.percentile(seconds, q)) * 1e3 for q in (50, 99)}


def recall(args: argparse.Namespace, samples: list[list[int]]) -> list[float]:
    """The recall@10 of each sample, of the vectors that were alive throughout the search."""
    last = max(sample[1] for sample in samples)
    matrix = vectors_of(np.arange(last))
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    queries = vectors_of(-1 - np.arange(1000))
    found = []
    for query, written, deleted, *hits in samples:
        scores = matrix[:written] @ queries[query]
        gone = doomed(deleted)
        scores[gone[gone < written]] = -np.inf
        best = np.argpartition(-scores, K)[:K]
        alive = [hit for hit in hits if hit < written and scores[hit] > -np.inf]
        worst = scores[best].min() - 1e-4  # ties at the precision that indexes keep
        found.append(sum(scores[hit] >= worst for hit in alive) / K)
    return found


if __name__ == "__main__":
    main()
