"""`Lists`: an inverted file whose clusters and codes other segments share.

What takes long about an inverted file is finding its clusters. They are trained once, and the
segments written after that take them over: new rows are only assigned to them, and the rows of
several segments are put together by joining their lists, codes and all. Such segments are a
*family*. A new one is trained when a segment has `OUTGROWN` times the rows of the last one's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import msgspec
import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_hexdigest

from shortlist.config.schema import IndexSection
from shortlist.core.progress import Progress, stage
from shortlist.index.approximate import Settings
from shortlist.index.centroids import lists_for, quantisers_for
from shortlist.index.exact import ExactIndex
from shortlist.index.ivf import Codes, IvfIndex
from shortlist.index.reach import ListSample
from shortlist.index.tune import filters_for, sample_queries, tune
from shortlist.index.vectors import VectorTable
from shortlist.stores.vectors.contract import VectorField
from shortlist.stores.vectors.metric import Floats, asked

OUTGROWN = 8
"""Until all segments are of the new family each family is searched by itself, so not too often."""
_FEWER = 2
"""A family has so many times fewer lists than one index: they are visited in each segment."""
_PER_LIST = 40
"""Vectors that the clusters are trained on, for each."""
_TURNS = 6
_QUERIES = 100
_ADD = 16_384
_QUERY_BY_QUERY = 11
"""Which of faiss' scans: for single queries a third faster than the one that shares lists."""

Halves = NDArray[np.float16]


class Family(msgspec.Struct, frozen=True):
    """Whose clusters and codes a segment's lists have.

    Attributes:
        name: a checksum of them.
        trained: how many rows they were trained for, and the settings chosen for.
    """

    name: str
    trained: int


class Lists(IvfIndex):
    """An inverted file that can be searched in steps, for a search of a whole family.

    Attributes:
        trained: how many rows the clusters were trained for, and the settings chosen for.
    """

    def __init__(
        self,
        coarse: Any,
        table: VectorTable,
        sample: ListSample,
        codes: Codes,
        settings: Settings,
        threads: int,
    ) -> None:
        super().__init__(coarse, table, sample, codes, settings, threads)
        self.trained = len(table)
        coarse.implem = _QUERY_BY_QUERY

    def candidates(self, k: int) -> int:
        """How many candidates a search of these lists alone looks at closely."""
        return min(len(self), int(super().candidates(k) * self._deeper(len(self))))

    def probes(self, k: int, total: int) -> int:
        """How many lists a search for the k nearest of so many rows visits."""
        tuned = float(self.settings.knobs["nprobe"])
        return min(self.lists, int(np.ceil(max(tuned, 2 * min(k, total) * self.lists / total))))

    def depth(self, k: int, total: int) -> int:
        """How many candidates are scored again for the k nearest of a family of so many rows.

        Lists of 10 need about half of what lists of 100 do.
        """
        tuned, at = self.settings.knobs["k_factor"] * self.settings.at, self.settings.at
        return max(int(tuned * min(k / at, 1.0) ** 0.25 * self._deeper(total)), k + k // 2)

    def _deeper(self, rows: int) -> float:
        """How many times more candidates so many rows take than those of the training.

        More rows lie as near as codes can tell apart. Measured from 2,000 to 600,000 rows.
        """
        return math.sqrt(max(rows / self.trained, 1.0))

    def nearest_lists(self, queries: Floats, probes: int) -> tuple[Floats, NDArray[np.int64]]:
        """Scores and numbers of the lists to visit, nearest first, both `[q, probes]`."""
        scores, order = self._coarse.quantizer.search(queries, probes)
        return scores, order

    def approximate(
        self, queries: Floats, nearest: tuple[Floats, NDArray[np.int64]], most: int
    ) -> tuple[Floats, NDArray[np.int64]]:
        """Scores by codes and rows of the best in some lists, `[q, most]`; -1 past the last."""
        q, probes = nearest[1].shape
        scores, rows = np.empty((q, most), np.float32), np.empty((q, most), np.int64)
        parameters: Any = faiss.SearchParametersIVF()
        parameters.nprobe = probes
        pointers = [faiss.swig_ptr(a) for a in (queries, nearest[1], nearest[0], scores, rows)]
        asked, order, near, out, found = pointers
        self._coarse.search_preassigned_c(
            q, asked, most, order, near, out, found, False, parameters
        )
        return scores, rows

    def refined(
        self, queries: Floats, rows: NDArray[np.int64], k: int
    ) -> tuple[NDArray[np.int32], Floats]:
        """The k best of each query's own rows (-1 for none) by their vectors."""
        found = np.empty((len(queries), k), np.int32)
        scores = np.empty((len(queries), k), np.float32)
        self._refine(queries, rows, found, scores)
        return found, scores


@dataclass(frozen=True)
class Member:
    """Lists of a family, in a file.

    Attributes:
        family: which.
        path: faiss' file of them.
        settings: how they are searched.
    """

    family: Family
    path: Path
    settings: Settings


@dataclass(frozen=True)
class Source:
    """Rows that an index has already.

    Attributes:
        member: the lists that hold them.
        size: how many rows those have.
        rows: `int64[m]`, which of them go on.
        to: `int64[m]`, their rows in the new index.
    """

    member: Member
    size: int
    rows: NDArray[np.int64]
    to: NDArray[np.int64]


def build_lists(
    vectors: Halves,
    near: Member | None,
    sources: Sequence[Source],
    progress: Progress,
    field: VectorField | None = None,
) -> tuple[Lists, Family]:
    """An index over vectors, of the family of `near` unless that is outgrown.

    Args:
        vectors: `float16[n, width]`.
        near: the family that the store's segments have; None for none.
        sources: where rows are already; those of the family are taken over as they are.
        progress: told of the steps.
        field: whose vectors they are, which says what queries look like; None: like the vectors.
    """
    n = len(vectors)
    index = None
    if near is not None and n < OUTGROWN * near.family.trained:
        index = _read(near.path)
    if index is None:
        near, index = None, _trained(vectors, progress)
    else:
        index.reset()
    empty = faiss.clone_index(index)
    fresh, joined = np.ones(n, np.bool_), []
    for source in sources:
        if near is not None and source.member.family.name == near.family.name:
            other = _renamed(source)
            if other is not None:
                joined.append(other)
                fresh[source.to] = False
    # Rows are added before lists are joined: adding sets bits in a list's last block, which
    # joining leaves as the memory was.
    _add(index, vectors, np.flatnonzero(fresh), progress)
    dropped = [_join(index, other) for other in joined]
    while len(left := np.concatenate([np.empty(0, np.int64), *dropped])):
        other = faiss.clone_index(empty)
        _add(other, vectors, left, progress)
        dropped = [_join(index, other)]
    rows = np.arange(n, dtype=np.int32)
    table = VectorTable.of(rows, vectors, np.float16)
    sample = ListSample.of(index, np.random.default_rng(n))
    if near is not None:
        # The lists that hold what is nearest stay the same ones, however many rows they hold.
        return Lists(index, table, sample, "pq", near.settings, threads=1), near.family
    settings = Settings(100, {"nprobe": min(32, index.nlist), "k_factor": 2})
    lists = Lists(index, table, sample, "pq", settings, threads=1)
    return _tuned(lists, rows, vectors, progress, field), Family(_checksum(index), n)


def _trained(vectors: Halves, progress: Progress) -> Any:
    """Lists without rows."""
    n, width = vectors.shape
    lists = max(lists_for(n) // _FEWER, 1)
    with stage(progress, "cluster vectors"):
        index: Any = faiss.index_factory(
            width, f"IVF{lists},PQ{quantisers_for(width)}x4fs", faiss.METRIC_INNER_PRODUCT
        )
        index.cp.niter = _TURNS
        sample = np.arange(n)
        if n > lists * _PER_LIST:
            random = np.random.default_rng(n)
            sample = np.sort(random.choice(n, lists * _PER_LIST, replace=False))
        index.train(vectors[sample].astype(np.float32))
    return index


def _read(path: Path) -> Any | None:
    """The lists of a file, in memory; None where it was damaged since it was opened."""
    try:
        return faiss.read_index(str(path))
    except RuntimeError:
        return None


def _add(index: Any, vectors: Halves, rows: NDArray[np.int64], progress: Progress) -> None:
    """Assign rows to lists that were never joined."""
    with stage(progress, "index vectors", len(rows)):
        for start in range(0, len(rows), _ADD):
            some = rows[start : start + _ADD]
            index.add_with_ids(vectors[some].astype(np.float32), some)
            progress.advance(len(some))


def _renamed(source: Source) -> Any | None:
    """The lists of a source with its rows that go on, renamed; None where they are damaged."""
    other = _read(source.member.path)
    if other is None:
        return None
    if len(source.rows) < source.size:
        gone = np.ones(source.size, np.bool_)
        gone[source.rows] = False
        bits = np.packbits(gone, bitorder="little")
        other.remove_ids(faiss.IDSelectorBitmap(len(bits), faiss.swig_ptr(bits)))
    names = np.full(source.size, -1, np.int64)
    names[source.rows] = source.to
    lists = other.invlists
    for number in range(other.nlist):
        if size := lists.list_size(number):
            ids = faiss.rev_swig_ptr(lists.get_ids(number), size)
            ids[:] = names[ids]
    return other


def _join(index: Any, other: Any) -> NDArray[np.int64]:
    """Move the rows of other lists into these; rows that were dropped for it.

    Behind a list of a multiple of `block_size` rows faiss writes past its end (it means so many
    bytes), so such a list is made one row shorter first.
    """
    lists: Any = faiss.downcast_InvertedLists(index.invlists)
    added = other.invlists
    dropped = []
    for number in range(index.nlist):
        size = lists.list_size(number)
        if size and size % lists.block_size == 0 and added.list_size(number):
            dropped.append(int(faiss.rev_swig_ptr(lists.get_ids(number), size)[-1]))
            lists.resize(number, size - 1)
    index.ntotal -= len(dropped)
    index.merge_from(other, 0)
    return np.array(dropped, np.int64)


def _checksum(index: Any) -> str:
    centroids = index.quantizer.reconstruct_n(0, index.nlist)
    codes = faiss.vector_to_array(index.pq.centroids)
    return str(xxh3_64_hexdigest(centroids.tobytes() + codes.tobytes()))


def _tuned(
    lists: Lists,
    rows: NDArray[np.int32],
    vectors: Halves,
    progress: Progress,
    field: VectorField | None,
) -> Lists:
    section = IndexSection(kind="ivf")
    random = np.random.default_rng(len(rows))
    if field is None:
        queries = sample_queries(vectors, _QUERIES, random)
    else:
        queries = asked(sample_queries(vectors[:, : field.dim], _QUERIES, random), field.metric)
    filters = filters_for(rows, vectors, queries[0])
    truth = ExactIndex.build(rows, vectors)
    return tune(lists, truth, queries, filters, section.recall, section.at, progress)[0]
