"""`IvfIndex`: inverted file, short codes, refinement; approximate and fast.

Vectors are clustered; a query visits the lists of its nearest clusters, scores their vectors by
short codes, and the best of those are scored again on float16 vectors.

Sources: Jégou, Douze, Schmid, "Product quantization for nearest neighbor search", PAMI 2011,
section 4 (IVFADC and re-ranking); André, Kermarrec, Le Scouarnec, "Cache locality is not enough",
VLDB 2015 (codes in registers); Gao and Long, "RaBitQ: quantizing high-dimensional vectors with a
theoretical error bound", SIGMOD 2024. Lists and codes are faiss'.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import Bitmap
from shortlist.core.errors import ReleaseError
from shortlist.core.progress import Progress, stage
from shortlist.index import kernels
from shortlist.index.approximate import SMALLEST, ApproximateIndex, Settings
from shortlist.index.centroids import (
    centroid_parameters,
    centroids_refined,
    is_coded,
    lists_for,
    quantisers_for,
    rank_by_codes,
)
from shortlist.index.files import Description
from shortlist.index.reach import ListSample, fewest_lists
from shortlist.index.vectors import VectorTable, open_file

__all__ = ["SMALLEST", "Codes", "IvfIndex"]

Codes = Literal["pq", "rabitq", "sq8", "sq4"]
"""`pq`: 4 bits for every 1 to 4 numbers, looked up in registers; `rabitq`: a bit for each number;
`sq8`, `sq4`: so many bits for each number."""

# Nanoseconds per code, for each number of a vector but `pq`: for each sub-quantiser.
_CODE_COST: dict[Codes, float] = {"pq": 0.06, "rabitq": 0.04, "sq8": 0.15, "sq4": 0.15}
_LIST_COST = 400.0  # nanoseconds per list visited
_CENTROID_COST = 0.15  # nanoseconds per number of a centroid that is compared
_BATCH = 1024
"""Queries per faiss call: together they go through each list once."""
_FLAT_BATCH = 16
"""The same where centroids are plain: from 20 on BLAS ranks them, which rounds otherwise."""
_ADD = 65_536
_SAMPLE_PER_LIST = 64
_FAR = 4.0
"""How many times more effort a query takes at most whose surroundings a filter empties; measured
where it does away with the category that the query is in: recall 0.74 to 0.83 without, 0.98 so."""


def _factory(dim: int, lists: int, codes: Codes) -> str:
    names = {"pq": f"PQ{quantisers_for(dim)}x4fs", "rabitq": "RaBitQ", "sq8": "SQ8", "sq4": "SQ4"}
    return f"IVF{lists},{names[codes]}"


def _parameters(nprobe: int, coded: bool, selector: Any = None) -> Any:
    parameters = faiss.SearchParametersIVF()
    parameters.nprobe = nprobe
    if coded:
        parameters.quantizer_params = centroid_parameters(nprobe)
    if selector is not None:
        parameters.sel = selector
    return parameters


class IvfIndex(ApproximateIndex):
    """Approximate nearest neighbours; see the module.

    Its knobs: `nprobe`, how many lists a query visits, and `k_factor`, how many candidates are
    scored again, in multiples of `settings.at`.
    """

    kind = "ivf"
    knobs = ("nprobe", "k_factor")

    def __init__(
        self,
        coarse: Any,
        table: VectorTable,
        sample: ListSample,
        codes: Codes,
        settings: Settings,
        threads: int,
    ) -> None:
        super().__init__(table, settings, threads)
        self.lists = int(coarse.nlist)
        self.codes = codes
        self._coarse = coarse
        self._is_coded = is_coded(coarse)
        self._sample = sample
        self._plans: dict[int, tuple[int, Any]] = {}  # by k: candidates and faiss' parameters

    @classmethod
    def build(
        cls,
        rows: NDArray[np.int32],
        vectors: NDArray[np.floating],
        seed: int,
        progress: Progress,
        codes: Codes = "pq",
    ) -> Self:
        """Index `vectors[m, dim]` of ascending catalogue `rows[m]`; at least `SMALLEST` of them.

        The settings are a guess until `tune` has chosen them.

        Raises:
            DataError: see `VectorTable.of`; float16 must be able to hold the numbers.
        """
        table = VectorTable.of(rows, vectors, np.float16)
        n, dim = vectors.shape
        lists = lists_for(n)
        random = np.random.default_rng([seed, n])
        with stage(progress, "cluster vectors"):
            coarse: Any = faiss.index_factory(
                dim, _factory(dim, lists, codes), faiss.METRIC_INNER_PRODUCT
            )
            coarse.cp.seed = seed % 2**31
            coarse.cp.niter = 10
            sample = np.arange(n)
            if n > lists * _SAMPLE_PER_LIST:
                sample = np.sort(random.choice(n, lists * _SAMPLE_PER_LIST, replace=False))
            coarse.train(np.ascontiguousarray(vectors[sample], np.float32))
        with stage(progress, "index vectors", n):
            for start in range(0, n, _ADD):
                part = np.ascontiguousarray(vectors[start : start + _ADD], np.float32)
                coarse.add_with_ids(part, rows[start : start + _ADD].astype(np.int64))
                progress.advance(len(part))
        rank_by_codes(coarse, lists, dim)
        settings = Settings(100, {"nprobe": min(32, lists), "k_factor": 2})
        return cls(coarse, table, ListSample.of(coarse, random), codes, settings, threads=1)

    @classmethod
    def load(cls, folder: Path, description: Description, threads: int = 1) -> Self:
        """Open what `save` wrote, memory-mapped.

        Raises:
            ReleaseError: the files are missing or damaged.
        """
        path = folder / "lists.faiss"
        try:
            coarse = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        except RuntimeError as error:
            raise ReleaseError(
                f"faiss cannot open the index: {str(error).splitlines()[0]}",
                remedy="The file is missing or damaged; train again or roll back.",
                where=str(path),
            ) from error
        sample = ListSample(open_file(folder / "sizes.npy"), open_file(folder / "samples.npy"))
        settings = Settings.of(description, cls.knobs, folder)
        return cls(coarse, VectorTable.load(folder), sample, _codes_of(coarse), settings, threads)

    def _save(self, folder: Path) -> None:
        path = folder / "lists.faiss"
        try:
            faiss.write_index(self._coarse, str(path))
        except RuntimeError as error:
            raise OSError(f"{path}: {error}") from error
        np.save(folder / "sizes.npy", self._sample.sizes)
        np.save(folder / "samples.npy", self._sample.rows)

    def with_settings(self, settings: Settings) -> Self:
        """The same index, searched otherwise; nothing is copied."""
        return type(self)(
            self._coarse, self._table, self._sample, self.codes, settings, self.threads
        )

    def curves(self, at: int) -> Iterator[list[dict[str, int]]]:
        """For each `k_factor`, doubling numbers of lists."""
        # A search visits lists enough to hold twice its answer anyway; `lists` is a power of two.
        fewest = max(1, 2 * at * self.lists // len(self))
        probes = [2**i for i in range(self.lists.bit_length()) if fewest < 2 ** (i + 1)]
        for k_factor in self.depths(at):
            yield [{"nprobe": nprobe, "k_factor": k_factor} for nprobe in probes]

    def between(self, less: dict[str, int], more: dict[str, int]) -> list[dict[str, int]]:
        """Quarters of the way from one number of lists to its double."""
        low, high = less["nprobe"], more["nprobe"]
        return [more | {"nprobe": low + (high - low) * i // 4} for i in (1, 2, 3) if high > 4]

    def cost(self, k: int, allowed: int) -> float:
        """About how many nanoseconds a search through lists takes."""
        n, dim = len(self), self.dim
        rarity = n / max(allowed, 1)
        nprobe = min(self.lists, self._nprobe(k, allowed) * rarity)
        per_code = _CODE_COST[self.codes] * (quantisers_for(dim) if self.codes == "pq" else dim)
        centroids = self.lists * dim * _CENTROID_COST
        if self._is_coded:
            refined = nprobe * centroids_refined(int(nprobe))
            centroids = centroids / 6 + self.scan_cost(int(refined))
        candidates = min(n, int(self.spread(allowed) * self.candidates(k)))
        return (
            centroids
            + nprobe * (_LIST_COST + n / self.lists * per_code)
            + self.scan_cost(candidates)
        )

    def _nprobe(self, k: int, allowed: int) -> float:
        """Lists that hold as many allowed vectors as a search must see, were all allowed.

        At least twice as many as the answer holds.
        """
        tuned = self.settings.knobs["nprobe"] * self.spread(allowed)
        return max(tuned, 2 * min(k, allowed) * self.lists / len(self))

    def _find(
        self,
        queries: NDArray[np.float32],
        allow: Bitmap | None,
        allowed: int,
        found: NDArray[np.int32],
        scores: NDArray[np.float32],
        threads: int,
    ) -> NDArray[np.int64]:
        k = found.shape[1]
        faiss.omp_set_num_threads(threads)  # OpenMP keeps it for each calling thread
        if allow is not None:
            candidates = min(len(self), int(self.spread(allowed) * self.candidates(k)))
            return self._filtered(queries, allow, allowed, candidates, found, scores)
        plan = self._plans.get(k)
        if plan is None:
            nprobe = min(self.lists, int(np.ceil(self._nprobe(k, allowed))))
            plan = self._plans[k] = self.candidates(k), _parameters(nprobe, self._is_coded)
        candidates, parameters = plan
        batch = _BATCH if self._is_coded else _FLAT_BATCH
        if len(queries) <= batch:
            rows = self._nearest(queries, candidates, parameters)
            return self._refine(queries, rows, found, scores)
        counts = np.empty(len(queries), np.int64)
        for start in range(0, len(queries), batch):
            some = slice(start, start + batch)
            rows = self._nearest(queries[some], candidates, parameters)
            counts[some] = self._refine(queries[some], rows, found[some], scores[some])
        return counts

    def _nearest(
        self, queries: NDArray[np.float32], candidates: int, parameters: Any
    ) -> NDArray[np.int64]:
        """Catalogue rows by their codes, `int64[q, candidates]`, -1 for none.

        faiss' own `search` checks again what was checked, which is a tenth of a small search.
        """
        shape = len(queries), candidates
        scores, rows = np.empty(shape, np.float32), np.empty(shape, np.int64)
        self._coarse.search_c(
            len(queries),
            faiss.swig_ptr(queries),
            candidates,
            faiss.swig_ptr(scores),
            faiss.swig_ptr(rows),
            parameters,
        )
        return rows

    def _filtered(
        self,
        queries: NDArray[np.float32],
        allow: Bitmap,
        allowed: int,
        candidates: int,
        found: NDArray[np.int32],
        scores: NDArray[np.float32],
    ) -> NDArray[np.int64]:
        """Each query visits lists until it has seen as many allowed vectors as without a filter.

        How many lists that takes depends on where the allowed vectors lie: few where they are the
        query's own kind, many where they are far from it.
        """
        coded = self._is_coded
        selector = faiss.IDSelectorBitmap(len(allow), faiss.swig_ptr(allow))
        held = self._sample.allowed(allow)  # of each list, about
        every = float(held.sum())
        usual = self._nprobe(found.shape[1], allowed)
        guess = usual * len(self) / max(allowed, 1)
        usual_cost, scan_cost = self.cost(found.shape[1], allowed), self.scan_cost(allowed)
        counts = np.empty(len(queries), np.int64)
        for i in range(len(queries)):
            one = slice(i, i + 1)
            for most in (min(self.lists, int(1.5 * guess) + 8), self.lists):
                _, order = self._coarse.quantizer.search(
                    queries[one], most, params=centroid_parameters(most) if coded else None
                )
                near = order[0, : int(usual) + 1]
                effort = self._farther(float(held[near[near >= 0]].sum()), usual, every)
                nprobe = fewest_lists(
                    order[0], held, min(effort * usual / self.lists * len(self), every)
                )
                if nprobe >= 0:
                    break
            if effort > 1 and effort * usual_cost > scan_cost:
                counts[i] = -1
                continue
            nprobe = nprobe if nprobe >= 0 else self.lists
            deep = min(len(self), int(effort * candidates))
            rows = self._nearest(queries[one], deep, _parameters(nprobe, coded, selector))
            counts[one] = self._refine(queries[one], rows, found[one], scores[one])
        return counts

    def _farther(self, near: float, lists: float, every: float) -> float:
        """How many times more effort a query takes whose own surroundings a filter empties.

        What is nearest then lies in many directions at once, about equally near.

        Args:
            near: how many allowed vectors are in the lists that it would visit without a filter.
            lists: how many those are.
            every: how many are allowed.
        """
        usual = every * lists / self.lists
        return min(_FAR, max(1.0, usual / max(near, 1.0)))

    def _refine(
        self,
        queries: NDArray[np.float32],
        rows: NDArray[np.int64],
        found: NDArray[np.int32],
        scores: NDArray[np.float32],
    ) -> NDArray[np.int64]:
        table = self._table
        return kernels.refine(queries, rows, table.matrix, table.positions, found, scores)


def _codes_of(coarse: Any) -> Codes:
    if isinstance(coarse, faiss.IndexIVFPQFastScan):
        return "pq"
    if isinstance(coarse, faiss.IndexIVFRaBitQ):
        return "rabitq"
    return "sq8" if coarse.sq.qtype == faiss.ScalarQuantizer.QT_8bit else "sq4"
