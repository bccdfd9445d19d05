"""Every kind of index over the same vectors: its curve, and what tuning would choose."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shortlist.config.schema import IndexSection
from shortlist.core.errors import ConfigError
from shortlist.core.progress import Progress, stage
from shortlist.index.approximate import SMALLEST
from shortlist.index.build import Vectors, build_kind, queries_for, tune_index
from shortlist.index.exact import ExactIndex
from shortlist.index.files import check_files, read_description
from shortlist.index.kinds import KINDS, Kind, bytes_for
from shortlist.index.tune import Setting, trace
from shortlist.index.vectors import VectorTable, open_file

_QUERIES = "queries.npy"


@dataclass(frozen=True)
class KindCurve:
    """What one kind can do.

    Attributes:
        kind: of the index.
        seconds: it took to build.
        bytes: about what it takes.
        chosen: what tuning chooses for the target; the best recall where none reaches it.
        reached: whether it reaches it.
        spread: how many times more effort filters take, in percent.
        filtered: the recall under filters at the chosen setting.
        curve: every setting that was measured.
    """

    kind: Kind
    seconds: float
    bytes: int
    chosen: Setting
    reached: bool
    spread: int
    filtered: dict[str, float]
    curve: list[Setting]


@dataclass(frozen=True)
class StoredVectors:
    """The vectors of a saved index: `rows int32[m]`, `vectors float32[m, d]`, and `queries` where
    `save_queries` has kept some."""

    rows: NDArray[np.int32]
    vectors: NDArray[np.float32]
    queries: NDArray[np.float32] | None


def stored_vectors(folder: Path) -> StoredVectors:
    """Read the vectors that an index keeps, of whatever kind it is.

    Raises:
        ReleaseError: the folder is incomplete or damaged.
    """
    check_files(folder, read_description(folder))
    table = VectorTable.load(folder)
    matrix = table.matrix
    halves = matrix.view(np.float16) if matrix.dtype == np.uint16 else matrix
    rows = table.rows if len(table.rows) else np.arange(len(table), dtype=np.int32)
    kept = folder / _QUERIES
    queries = np.asarray(open_file(kept)) if kept.exists() else None
    return StoredVectors(np.asarray(rows), np.asarray(halves, np.float32), queries)


def save_queries(folder: Path, queries: NDArray[np.float32]) -> None:
    """Keep beside a saved index what it was tuned on, for another tuning."""
    np.save(folder / _QUERIES, queries)


def compare(
    vectors: Vectors,
    config: IndexSection,
    seed: int,
    progress: Progress,
    kinds: Sequence[Kind] = KINDS,
) -> list[KindCurve]:
    """Build every kind and measure its settings.

    Kinds whose package is not installed, or that need more than `config.memory`, are left out,
    and a note says so.
    """
    n, dim = vectors.vectors.shape
    curves = []
    for kind in kinds:
        if kind != "exact" and n < SMALLEST:
            progress.note(f"{n} vectors are too few for {kind}.")
            continue
        size = bytes_for(kind, n, dim, codes=config.codes)
        if config.memory and size > config.memory * 1_000_000:
            progress.note(f"{kind} needs {size / 1e6:,.0f} MB, more than {config.memory}.")
            continue
        if kind == "exact":
            curves.append(_exact(vectors, config, seed, size))
            continue
        try:
            curves.append(_approximate(kind, vectors, config, seed, size, progress))
        except ConfigError as error:
            progress.note(f"{kind} is left out: {error.problem} {error.remedy}")
    return curves


def best_of(curve: Sequence[Setting]) -> list[Setting]:
    """The settings that no other one beats in both recall and speed, by recall."""
    best: list[Setting] = []
    for setting in sorted(curve, key=lambda s: (-s.recall, -s.queries_per_second)):
        if not best or setting.queries_per_second > best[-1].queries_per_second:
            best.append(setting)
    return best[::-1]


def _exact(vectors: Vectors, config: IndexSection, seed: int, size: int) -> KindCurve:
    start = time.perf_counter()
    index = ExactIndex.build(vectors.rows, vectors.vectors)
    seconds = time.perf_counter() - start
    queries = queries_for(vectors, seed)[:20]
    index.search(queries[:1], config.at)
    start = time.thread_time()
    for i in range(len(queries)):
        index.search(queries[i : i + 1], config.at)
    rate = round(len(queries) / (time.thread_time() - start), 1)
    chosen = Setting({}, 1.0, rate)
    return KindCurve("exact", seconds, size, chosen, True, 100, {}, [chosen])


def _approximate(
    kind: Kind,
    vectors: Vectors,
    config: IndexSection,
    seed: int,
    size: int,
    progress: Progress,
) -> KindCurve:
    start = time.perf_counter()
    index = build_kind(kind, vectors, seed, progress, config.codes)
    seconds = time.perf_counter() - start
    index, tuned = tune_index(index, vectors, config, seed, progress)
    truth = ExactIndex.build(vectors.rows, vectors.vectors)
    with stage(progress, f"trace {kind}"):
        curve = trace(index, truth, queries_for(vectors, seed), config.at)
    chosen = next(s for s in tuned.curve if s.knobs == tuned.settings.knobs)
    return KindCurve(
        kind,
        seconds,
        size,
        chosen,
        tuned.recall >= config.recall,
        tuned.settings.spread,
        tuned.filtered,
        [*curve, *(s for s in tuned.curve if all(s.knobs != c.knobs for c in curve))],
    )
