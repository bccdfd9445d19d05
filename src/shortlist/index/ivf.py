"""`IvfIndex`: inverted file, 4-bit product quantisation, refinement; approximate and fast.

Vectors are clustered; a query visits the lists of its nearest clusters, scores their vectors by
4-bit codes held in registers, and the best of those are scored again on float16 vectors.

Sources: Jégou, Douze, Schmid, "Product quantization for nearest neighbor search", PAMI 2011,
section 4 (IVFADC and re-ranking); André, Kermarrec, Le Scouarnec, "Cache locality is not enough",
VLDB 2015 (codes in registers). The first two steps are faiss' `IndexIVFPQFastScan`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import Bitmap
from shortlist.core.errors import ReleaseError
from shortlist.core.progress import Progress, stage
from shortlist.index import kernels
from shortlist.index.files import describe, read_description
from shortlist.index.vectors import VectorTable

SMALLEST = 1_000
"""Fewer vectors than this are not worth clusters."""

_BATCH = 16
"""Queries per faiss call: from 20 on it ranks clusters by BLAS, whose sums round differently."""
_ADD = 65_536
_SAMPLE_PER_LIST = 64

# What a search costs in nanoseconds, measured on one x86 core at 384 dimensions: enough to tell
# which of two ways is faster by more than a little.
_ROW_COST = 0.25  # per number of a vector that is fetched from memory and multiplied
_CODE_COST = 0.06  # per sub-quantiser of a code
_LIST_COST = 400.0  # per list visited


def lists_for(n: int) -> int:
    """How many clusters n vectors get: near 4·√n, a power of two, at least 39 vectors in each."""
    wanted = 2 ** round(np.log2(4 * np.sqrt(max(n, 1))))
    while wanted > 1 and wanted * 39 > n:
        wanted //= 2
    return int(wanted)


def quantisers_for(dim: int) -> int:
    """How many 4-bit sub-quantisers: about 100, each of 1 number up to 128, 2 up to 256, else 4.

    Measured at 8 to 128 dimensions: one per number reaches the same recall with half the
    candidates. Widths that do not divide the length give way to narrower ones.
    """
    widest = 1 if dim <= 128 else 2 if dim <= 256 else 4
    return dim // max(width for width in range(1, widest + 1) if dim % width == 0)


def _parameters(nprobe: int, selector: Any = None) -> Any:
    parameters = faiss.SearchParametersIVF()
    parameters.nprobe = nprobe
    if selector is not None:
        parameters.sel = selector
    return parameters


class IvfIndex:
    """Approximate nearest neighbours; see the module.

    Safe to search from several threads. Equal candidates are ordered by catalogue row, and a
    batch finds what its queries find alone.

    Attributes:
        nprobe: how many lists a query visits.
        k_factor: how many candidates are scored again, in multiples of `at`.
        at: the length of list that the settings were tuned for. Shorter lists get as many
            candidates; longer ones half more than they hold, whatever `k_factor` says.
        threads: how many threads faiss may use in one search. OpenMP keeps that number per
            calling thread; every search sets it for its own.
    """

    kind = "ivf"
    exact = False

    def __init__(
        self, coarse: Any, table: VectorTable, *, nprobe: int, k_factor: int, at: int, threads: int
    ) -> None:
        self.dim = table.dim
        self.nprobe = nprobe
        self.k_factor = k_factor
        self.at = at
        self.threads = threads
        self.lists = int(coarse.nlist)
        self._coarse = coarse
        self._table = table
        self._parameters = _parameters(nprobe)

    @classmethod
    def build(
        cls, rows: NDArray[np.int32], vectors: NDArray[np.floating], seed: int, progress: Progress
    ) -> Self:
        """Index `vectors[m, dim]` of ascending catalogue `rows[m]`; at least `SMALLEST` of them.

        The settings are a guess until `tune` has chosen them.

        Raises:
            DataError: see `VectorTable.of`; float16 must be able to hold the numbers.
        """
        table = VectorTable.of(rows, vectors, np.float16)
        n, dim = vectors.shape
        lists = lists_for(n)
        with stage(progress, "cluster vectors"):
            coarse: Any = faiss.index_factory(
                dim, f"IVF{lists},PQ{quantisers_for(dim)}x4fs", faiss.METRIC_INNER_PRODUCT
            )
            coarse.cp.seed = seed % 2**31
            coarse.cp.niter = 10
            sample = np.arange(n)
            if n > lists * _SAMPLE_PER_LIST:
                random = np.random.default_rng([seed, n])
                sample = np.sort(random.choice(n, lists * _SAMPLE_PER_LIST, replace=False))
            coarse.train(np.ascontiguousarray(vectors[sample], np.float32))
        with stage(progress, "index vectors", n):
            for start in range(0, n, _ADD):
                part = np.ascontiguousarray(vectors[start : start + _ADD], np.float32)
                coarse.add_with_ids(part, rows[start : start + _ADD].astype(np.int64))
                progress.advance(len(part))
        return cls(coarse, table, nprobe=min(32, lists), k_factor=2, at=100, threads=1)

    @classmethod
    def load(cls, folder: Path, threads: int = 1) -> Self:
        """Open what `save` wrote, memory-mapped.

        Raises:
            ReleaseError: the files are missing or damaged.
        """
        parameters = read_description(folder).parameters
        path = folder / "lists.faiss"
        try:
            coarse = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        except RuntimeError as error:
            raise ReleaseError(
                f"faiss cannot open the index: {str(error).splitlines()[0]}",
                remedy="The file is missing or damaged; train again or roll back.",
                where=str(path),
            ) from error
        return cls(
            coarse,
            VectorTable.load(folder),
            nprobe=parameters["nprobe"],
            k_factor=parameters["k_factor"],
            at=parameters["at"],
            threads=threads,
        )

    def with_settings(self, nprobe: int, k_factor: int, at: int) -> Self:
        """The same index, searched otherwise; nothing is copied."""
        return type(self)(
            self._coarse,
            self._table,
            nprobe=nprobe,
            k_factor=k_factor,
            at=at,
            threads=self.threads,
        )

    def __len__(self) -> int:
        return len(self._table)

    def search(
        self, queries: NDArray[np.float32], k: int, allow: Bitmap | None = None
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The k nearest vectors of each query; see `Index.search`.

        With a bitmap, the lists visited grow as the allowed rows get rarer, until scanning the
        allowed rows is cheaper; a query that the lists cannot fill is answered by such a scan.

        Raises:
            RequestError: queries are not finite `[q, dim]`, or k is below 0.
        """
        table = self._table
        queries = table.check(queries, k)
        n = len(table)
        allowed = n if allow is None else table.count(allow)
        wanted = min(k, allowed)
        nprobe, candidates = self._plan(k, allowed)
        if wanted == 0 or self.search_cost(nprobe, candidates) > self.scan_cost(allowed):
            return table.scan(queries, k, allow, allowed)
        parameters = self._parameters
        if allow is not None:
            allow = np.ascontiguousarray(allow)
            selector = faiss.IDSelectorBitmap(len(allow), faiss.swig_ptr(allow))
            parameters = _parameters(nprobe, selector)
        elif nprobe != self.nprobe:
            parameters = _parameters(nprobe)
        found = np.empty((len(queries), k), np.int32)
        scores = np.empty((len(queries), k), np.float32)
        faiss.omp_set_num_threads(self.threads)
        for start in range(0, len(queries), _BATCH):
            some = slice(start, start + _BATCH)
            _, rows = self._coarse.search(queries[some], candidates, params=parameters)
            counts = kernels.refine(
                queries[some], rows, table.matrix, table.positions, found[some], scores[some]
            )
            for short in start + np.flatnonzero(counts < wanted):
                one = slice(short, short + 1)
                found[one], scores[one] = table.scan(queries[one], k, allow, allowed)
        return found, scores

    def _plan(self, k: int, allowed: int) -> tuple[int, int]:
        """How many lists to visit and how many candidates to score again.

        As many allowed vectors are seen as when all are allowed, and at least twice as many as
        the answer holds. The neighbours of a filtered search lie further away, where codes tell
        them apart less well and they are spread over more lists; hence up to 3 times of each.
        """
        n = len(self._table)
        rarity = n / max(allowed, 1)
        spread = 1.0 + min(2.0, np.log2(rarity))
        seen = max(self.nprobe * spread / self.lists, 2 * min(k, allowed) / n)
        # The recall that is promised is of the first `at`; what follows them needs less care.
        candidates = int(spread * max(self.k_factor * self.at, k + k // 2))
        return min(self.lists, int(np.ceil(seen * self.lists * rarity))), max(k, min(candidates, n))

    def search_cost(self, nprobe: int, candidates: int) -> float:
        """About how many nanoseconds a search through lists takes."""
        n, dim = len(self._table), self.dim
        codes = nprobe * n / self.lists * quantisers_for(dim) * _CODE_COST
        centroids = self.lists * dim * _CODE_COST
        return centroids + nprobe * _LIST_COST + codes + self.scan_cost(candidates)

    def scan_cost(self, rows: int) -> float:
        """About how many nanoseconds scoring that many vectors takes."""
        return rows * self.dim * _ROW_COST

    def vectors_of(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """Vectors of catalogue rows at half precision; zeros for rows without one."""
        return self._table.vectors_of(rows)

    def save(self, folder: Path) -> None:
        """Write the index into a folder, which is made.

        Raises:
            OSError: a file cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._table.save(folder)
        path = folder / "lists.faiss"
        try:
            faiss.write_index(self._coarse, str(path))
        except RuntimeError as error:
            raise OSError(f"{path}: {error}") from error
        parameters = {"nprobe": self.nprobe, "k_factor": self.k_factor, "at": self.at}
        describe(folder, self.kind, self.dim, len(self), parameters)
