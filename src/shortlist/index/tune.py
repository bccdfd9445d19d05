"""Finding the cheapest setting of an index that reaches a recall measured against `exact`."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import Bitmap, pack
from shortlist.core.progress import Progress, stage
from shortlist.index.approximate import ApproximateIndex, Settings
from shortlist.index.exact import ExactIndex

QUERIES = 200
"""How many queries a recall is measured on."""

SPREADS = (100, 150, 200, 300, 400, 600, 800)
"""The efforts of filtered searches that are tried, in percent of an unfiltered one's."""

FIRST = 10
"""A recall is that of the whole list or of so many at its head, whichever is worse."""

_TOLERANCE = 1e-6
_ENOUGH = 0.999
_LOW = 0.5  # below this a curve that is flat may rise yet
_CHUNK = 65_536
_FILTERED = 64  # queries that each filter's recall is measured on

Measure = Callable[[dict[str, int]], "Setting"]
Kind = TypeVar("Kind", bound=ApproximateIndex)


class Setting(msgspec.Struct, frozen=True):
    """One point of the curve.

    Attributes:
        knobs: the kind's own, such as `nprobe`.
        recall: share of the true nearest neighbours that it finds, as `least_recall` has it.
        queries_per_second: single queries on one thread, by its own clock, so that what else the
            machine does counts little.
    """

    knobs: dict[str, int]
    recall: float
    queries_per_second: float


class Tuned(msgspec.Struct, frozen=True):
    """What tuning found.

    Attributes:
        settings: the cheapest that reach the target, or the best.
        recall: theirs.
        curve: every setting that was tried.
        filtered: the recall under each kind of filter.
    """

    settings: Settings
    recall: float
    curve: list[Setting]
    filtered: dict[str, float]


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


def true_scores(
    truth: ExactIndex, queries: NDArray[np.float32], k: int, allow: Bitmap | None = None
) -> NDArray[np.float32]:
    """Scores of the true k nearest, `float32[q, k]`, on two threads."""
    with ThreadPoolExecutor(2) as pool:
        parts = pool.map(lambda part: truth.search(part, k, allow)[1], np.array_split(queries, 2))
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
        known = best[i][np.isfinite(best[i])]
        if not len(known):
            continue
        scores = truth.vectors_of(rows) @ queries[i]
        hits += int((scores >= known[-1] - _TOLERANCE * np.abs(known).max()).sum())
    return hits / max(int(np.isfinite(best).sum()), 1)


def least_recall(
    found: NDArray[np.int32],
    queries: NDArray[np.float32],
    truth: ExactIndex,
    best: NDArray[np.float32],
) -> float:
    """The recall of the whole list or of its `FIRST`, whichever is worse.

    A list of a hundred can hold most of its neighbours and lack the nearest of all: those that
    stand out by their length are told apart least well by clusters and codes.
    """
    whole = recall_of(found, queries, truth, best)
    if best.shape[1] <= FIRST:
        return whole
    return min(whole, recall_of(found[:, :FIRST], queries, truth, best[:, :FIRST]))


def tune(
    index: Kind,
    truth: ExactIndex,
    queries: NDArray[np.float32],
    filters: dict[str, Bitmap],
    target: float,
    at: int,
    progress: Progress,
) -> tuple[Kind, Tuned]:
    """The index at its cheapest setting that reaches a recall, and how that was found.

    What is cheapest is read from the cost model of the kind, not from a clock, so the same inputs
    choose the same setting; the clock's figure is reported beside it. When no setting reaches the
    target, of which the last curve is followed to its end, the one with the best recall is chosen.
    Then the effort of filtered searches is chosen: the least that reaches the target under each
    filter, or as much as the unfiltered one reached.
    """
    at = max(1, min(at, len(index)))
    best = true_scores(truth, queries, at)
    curve: list[Setting] = []
    cheapest = np.inf

    def measure(knobs: dict[str, int]) -> Setting:
        nonlocal cheapest
        setting = _measure(index.with_settings(Settings(at, knobs)), queries, truth, best, at)
        curve.append(setting)
        if setting.recall >= target:
            cheapest = min(cheapest, _cost(index, knobs, at))
        return setting

    groups = list(index.curves(at))
    with stage(progress, f"tune {index.kind}", len(groups)):
        for group in groups:
            tried: list[Setting] = []
            for knobs in group:
                if _cost(index, knobs, at) >= cheapest:
                    break
                tried.append(measure(knobs))
                if tried[-1].recall >= target:
                    _narrow(index, tried, target, measure)
                last = group is groups[-1] and not np.isfinite(cheapest)
                if tried[-1].recall >= target or not (last or _rising(tried)):
                    break
            progress.advance(1)
    reached = [setting for setting in curve if setting.recall >= target]
    chosen = (
        min(reached, key=lambda s: _cost(index, s.knobs, at))
        if reached
        else max(curve, key=lambda s: s.recall)
    )
    index = index.with_settings(Settings(at, chosen.knobs))
    with stage(progress, f"tune filters of {index.kind}"):
        index, filtered = _widen(index, truth, filters, queries, min(target, chosen.recall), at)
    return index, Tuned(index.settings, chosen.recall, curve, filtered)


def trace(
    index: ApproximateIndex, truth: ExactIndex, queries: NDArray[np.float32], at: int
) -> list[Setting]:
    """Every setting of an index's curves; each curve until more effort no longer helps."""
    at = max(1, min(at, len(index)))
    best = true_scores(truth, queries, at)
    curve: list[Setting] = []
    for group in index.curves(at):
        tried: list[Setting] = []
        for knobs in group:
            settings = Settings(at, knobs)
            tried.append(_measure(index.with_settings(settings), queries, truth, best, at))
            if not _rising(tried) or tried[-1].recall >= _ENOUGH:
                break
        curve += tried
    return curve


def _cost(index: ApproximateIndex, knobs: dict[str, int], at: int) -> float:
    return index.with_settings(Settings(at, knobs)).cost(at, len(index))


def _narrow(index: ApproximateIndex, tried: list[Setting], target: float, measure: Measure) -> None:
    """Try what lies between the last setting and the one before it, from below."""
    if len(tried) < 2:
        return
    for knobs in index.between(tried[-2].knobs, tried[-1].knobs):
        if measure(knobs).recall >= target:
            return


def _rising(same: list[Setting]) -> bool:
    """Whether more effort still helps: by the last three steps, or because it must."""
    recall = same[-1].recall
    return len(same) < 4 or recall < _LOW or recall > same[-4].recall + 1e-3


def filters_for(
    rows: NDArray[np.int32], vectors: NDArray[np.floating], query: NDArray[np.float32]
) -> dict[str, Bitmap]:
    """Filters that a search must hold its recall under.

    Random ones let through what has nothing to do with the query. The others let through what is
    like one query or unlike it: the neighbours that a query of that kind would have had are gone.
    """
    n = len(rows)
    draws = np.random.default_rng([n, vectors.shape[1]]).random(n)
    likeness = np.concatenate(
        [
            np.asarray(vectors[start : start + _CHUNK], np.float32) @ query
            for start in range(0, n, _CHUNK)
        ]
    )
    ranks = np.argsort(np.argsort(likeness, kind="stable"), kind="stable")
    chosen = {f"random {share:.0%}": draws < share for share in (0.5, 0.1, 0.03)}
    for share in (0.5, 0.1):
        chosen[f"unlike a query {share:.0%}"] = ranks < share * n
        chosen[f"like a query {share:.0%}"] = ranks >= (1 - share) * n
    filters = {}
    for name, flags in chosen.items():
        allow = np.zeros(int(rows[-1]) + 1, np.bool_)
        allow[rows[flags]] = True
        filters[name] = pack(allow)
    return filters


def _widen(
    index: Kind,
    truth: ExactIndex,
    filters: dict[str, Bitmap],
    queries: NDArray[np.float32],
    target: float,
    at: int,
) -> tuple[Kind, dict[str, float]]:
    """The index with the least effort under filters that reaches a recall under each."""
    queries = queries[:_FILTERED]
    settings = index.settings
    filtered: dict[str, float] = {}
    widest = SPREADS[0]
    for name, allow in filters.items():
        best = true_scores(truth, queries, at, allow)
        for spread in SPREADS[SPREADS.index(widest) :]:
            tried = index.with_settings(Settings(at, settings.knobs, spread))
            found = tried.search(queries, at, allow)[0]
            filtered[name] = least_recall(found, queries, truth, best)
            widest = spread
            if filtered[name] >= target:
                break
    return index.with_settings(Settings(at, settings.knobs, widest)), filtered


def _measure(
    index: ApproximateIndex,
    queries: NDArray[np.float32],
    truth: ExactIndex,
    best: NDArray[np.float32],
    at: int,
) -> Setting:
    index.search(queries[:1], at)  # compiles and brings the files in
    start = time.thread_time()
    found = np.concatenate([index.search(queries[i : i + 1], at)[0] for i in range(len(queries))])
    seconds = time.thread_time() - start
    recall = least_recall(found, queries, truth, best)
    return Setting(index.settings.knobs, recall, round(len(queries) / seconds, 1))
