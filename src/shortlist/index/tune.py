"""Finding the cheapest setting of an index that reaches a recall measured against `exact`."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import msgspec
import numpy as np
from numpy.typing import NDArray

from shortlist.core.progress import Progress, stage
from shortlist.index.exact import ExactIndex
from shortlist.index.ivf import IvfIndex

QUERIES = 200
"""How many queries a recall is measured on."""

_K_FACTORS = (1, 2, 4, 8, 16)
_TOLERANCE = 1e-6


class Setting(msgspec.Struct, frozen=True):
    """One point of the curve.

    Attributes:
        nprobe: lists visited.
        k_factor: candidates scored again, in multiples of the length tuned for.
        recall: share of the true nearest neighbours that it finds.
        queries_per_second: single queries on one thread of the machine that built the index.
    """

    nprobe: int
    k_factor: int
    recall: float
    queries_per_second: float


def sample_queries(
    vectors: NDArray[np.floating], count: int, random: np.random.Generator
) -> NDArray[np.float32]:
    """Queries like those that will come: half items, half users (means of 2 to 10 items).

    Each is moved by a tenth of its length in a random direction, so that none is in the index.
    """
    n, dim = vectors.shape
    queries = np.empty((count, dim), np.float32)
    for i in range(count):
        items = random.integers(0, n, 1 if i % 2 else random.integers(2, 11))
        query = np.asarray(vectors[np.sort(items)], np.float32).mean(axis=0)
        noise = random.normal(size=dim)
        queries[i] = query + 0.1 * np.linalg.norm(query) * noise / np.linalg.norm(noise)
    return queries


def true_scores(truth: ExactIndex, queries: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """Scores of the true k nearest, `float32[q, k]`, on two threads."""
    with ThreadPoolExecutor(2) as pool:
        parts = pool.map(lambda part: truth.search(part, k)[1], np.array_split(queries, 2))
        return np.concatenate(list(parts))


def recall_of(
    found: NDArray[np.int32],
    queries: NDArray[np.float32],
    truth: ExactIndex,
    best: NDArray[np.float32],
) -> float:
    """The share of the k true neighbours that was found.

    A row counts when its true score is at least that of the k-th true neighbour, so an item that
    ties with it is as good. `best` is `true_scores(truth, queries, k)`.
    """
    hits = 0
    for i in range(len(queries)):
        rows = found[i][found[i] >= 0]
        last = best[i][np.isfinite(best[i])][-1]
        scores = truth.vectors_of(rows) @ queries[i]
        hits += int((scores >= last - _TOLERANCE * max(1.0, abs(last))).sum())
    return hits / max(int(np.isfinite(best).sum()), 1)


def tune(
    index: IvfIndex,
    truth: ExactIndex,
    queries: NDArray[np.float32],
    target: float,
    at: int,
    progress: Progress,
) -> tuple[IvfIndex, list[Setting], Setting]:
    """The index at its cheapest setting that reaches a recall, the curve, and that setting.

    What is cheapest is read from the cost model of `IvfIndex`, not from a clock, so the same
    inputs choose the same setting; the clock's figure is reported beside it. When no setting
    reaches the target, the one with the best recall is chosen.
    """
    at = max(1, min(at, len(index)))
    best = true_scores(truth, queries, at)
    # A search visits lists enough to hold twice its answer anyway; `lists` is a power of two.
    fewest = max(1, 2 * at * index.lists // len(index))
    probes = [2**i for i in range(index.lists.bit_length()) if fewest < 2 ** (i + 1)]
    curve: list[Setting] = []
    with stage(progress, "tune index", len(_K_FACTORS)):
        for k_factor in _K_FACTORS:
            for nprobe in probes:
                setting = _measure(
                    index.with_settings(nprobe, k_factor, at), queries, truth, best, at
                )
                curve.append(setting)
                if setting.recall >= target or not _rising(curve, k_factor):
                    break
            progress.advance(1)
            if k_factor * at * 2 > len(index):
                break
    reached = [setting for setting in curve if setting.recall >= target]
    chosen = (
        min(reached, key=lambda s: index.search_cost(s.nprobe, s.k_factor * at))
        if reached
        else max(curve, key=lambda s: s.recall)
    )
    return index.with_settings(chosen.nprobe, chosen.k_factor, at), curve, chosen


def _rising(curve: list[Setting], k_factor: int) -> bool:
    """Whether visiting more lists still helps at this k_factor: by doubling three times."""
    same = [setting.recall for setting in curve if setting.k_factor == k_factor]
    return len(same) < 4 or same[-1] > same[-4] + 1e-3


def _measure(
    index: IvfIndex,
    queries: NDArray[np.float32],
    truth: ExactIndex,
    best: NDArray[np.float32],
    at: int,
) -> Setting:
    index.search(queries[:1], at)  # compiles and brings the files in
    start = time.perf_counter()
    found = np.concatenate([index.search(queries[i : i + 1], at)[0] for i in range(len(queries))])
    seconds = time.perf_counter() - start
    recall = recall_of(found, queries, truth, best)
    return Setting(index.nprobe, index.k_factor, recall, round(len(queries) / seconds, 1))
