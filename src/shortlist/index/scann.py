"""`ScannIndex`: Google's ScaNN behind the same contract; needs `pip install shortlist[scann]`.

A tree of clusters, codes trained under the anisotropic loss, and reordering. Sources: Guo et al.,
"Accelerating large-scale inference with anisotropic vector quantization", ICML 2020; Sun et al.,
"SOAR: improved indexing for approximate nearest neighbor search", NeurIPS 2023. Tree and codes are
the library's; reordering is `kernels.refine`, on the half-precision vectors that every index keeps
in a memory map, so processes share them.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import Bitmap
from shortlist.core.errors import ConfigError, ReleaseError
from shortlist.core.progress import Progress, stage
from shortlist.index import kernels
from shortlist.index.approximate import ApproximateIndex, Settings
from shortlist.index.centroids import lists_for
from shortlist.index.files import Description
from shortlist.index.vectors import VectorTable

_CODE_COST = 0.06  # nanoseconds per number of a vector whose code is scored
_CENTROID_COST = 0.06  # nanoseconds per number of a centroid that is compared
_SAMPLE_PER_LEAF = 64
_THRESHOLD = 0.2  # of the anisotropic loss: the value for unit vectors in the paper, section 5
_SOAR = 1.5  # weight of the second leaf's orthogonality: the value in the paper
_BULK = 64
"""From so many queries on the library answers a batch: twice as fast, and rounded otherwise."""
_CHUNK = 512
_WIDER = 4  # what a filtered search that found too few grows by


def _library() -> Any:
    try:
        return import_module("scann.scann_ops.py.scann_ops_pybind")
    except ImportError as error:
        raise ConfigError(
            f"an index of kind scann needs a package that cannot be imported: {error}.",
            remedy="Run `pip install 'shortlist[scann]'`, or choose another kind.",
            where="index.kind",
        ) from error


class ScannIndex(ApproximateIndex):
    """Approximate nearest neighbours; see the module.

    Its knobs: `leaves`, how many leaves a query visits, and `k_factor`, how many candidates are
    scored again, in multiples of `settings.at`. Codes and tree are read into each process.

    Of 64 queries and more at once, some find other rows at the end of their list than alone.
    """

    kind = "scann"
    knobs = ("leaves", "k_factor")

    def __init__(
        self,
        searcher: Any,
        table: VectorTable,
        settings: Settings,
        threads: int,
    ) -> None:
        super().__init__(table, settings, threads)
        self.leaves = lists_for(len(table))
        self._searcher = searcher

    @classmethod
    def build(
        cls, rows: NDArray[np.int32], vectors: NDArray[np.floating], seed: int, progress: Progress
    ) -> Self:
        """Index `vectors[m, dim]` of ascending catalogue `rows[m]`; at least `SMALLEST` of them.

        The settings are a guess until `tune` has chosen them. The library draws its samples
        itself, whatever the seed.

        Raises:
            DataError: see `VectorTable.of`; float16 must be able to hold the numbers.
            ConfigError: the package is not installed.
        """
        library = _library()
        table = VectorTable.of(rows, vectors, np.float16)
        n = len(vectors)
        leaves = lists_for(n)
        with stage(progress, "build ScaNN's tree and codes"):
            builder = library.builder(np.ascontiguousarray(vectors, np.float32), 10, "dot_product")
            searcher = (
                builder.tree(
                    num_leaves=leaves,
                    num_leaves_to_search=min(32, leaves),
                    training_sample_size=min(n, leaves * _SAMPLE_PER_LEAF),
                    soar_lambda=_SOAR,
                    overretrieve_factor=2.0,
                )
                .score_ah(2, anisotropic_quantization_threshold=_THRESHOLD)
                .build()
            )
        settings = Settings(100, {"leaves": min(32, leaves), "k_factor": 2})
        return cls(searcher, table, settings, threads=1)

    @classmethod
    def load(cls, folder: Path, description: Description, threads: int = 1) -> Self:
        """Open what `save` wrote: vectors memory-mapped, tree and codes in memory.

        Raises:
            ReleaseError: the files are missing or damaged.
            ConfigError: the package is not installed.
        """
        library = _library()
        table = VectorTable.load(folder)
        settings = Settings.of(description, cls.knobs, folder)
        try:
            searcher = library.load_searcher(str(folder / "scann"), assets_backcompat_shim=False)
        except (RuntimeError, ValueError) as error:
            raise ReleaseError(
                f"ScaNN cannot open the index: {str(error).splitlines()[0]}",
                remedy="The files are damaged or of another version of ScaNN; train again.",
                where=str(folder / "scann"),
            ) from error
        return cls(searcher, table, settings, threads)

    def _save(self, folder: Path) -> None:
        (folder / "scann").mkdir(exist_ok=True)
        self._searcher.serialize(str(folder / "scann"), relative_path=True)

    def with_settings(self, settings: Settings) -> Self:
        """The same index, searched otherwise; nothing is copied."""
        return type(self)(self._searcher, self._table, settings, self.threads)

    def curves(self, at: int) -> Iterator[list[dict[str, int]]]:
        """For each `k_factor`, doubling numbers of leaves."""
        fewest = max(1, 2 * at * self.leaves // len(self))
        leaves = [2**i for i in range(self.leaves.bit_length()) if fewest < 2 ** (i + 1)]
        for k_factor in self.depths(at):
            yield [{"leaves": count, "k_factor": k_factor} for count in leaves]

    def between(self, less: dict[str, int], more: dict[str, int]) -> list[dict[str, int]]:
        """Quarters of the way from one number of leaves to its double."""
        low, high = less["leaves"], more["leaves"]
        return [more | {"leaves": low + (high - low) * i // 4} for i in (1, 2, 3) if high > 4]

    def _effort(self, k: int, allowed: int) -> tuple[int, int]:
        """How many leaves to visit and how many candidates to score again.

        ScaNN knows no filters: as many more are asked for as the filter drops.
        """
        rarity = len(self) / max(allowed, 1)
        spread = self.spread(allowed)
        held = max(self.settings.knobs["leaves"] * spread, 4 * k * self.leaves / len(self))
        leaves = min(self.leaves, int(np.ceil(held * rarity)))
        return leaves, min(len(self), int(np.ceil(spread * self.candidates(k) * rarity)))

    def cost(self, k: int, allowed: int) -> float:
        """About how many nanoseconds a search takes."""
        n, dim = len(self), self.dim
        leaves, candidates = self._effort(k, allowed)
        codes = 2 * leaves * n / self.leaves * dim * _CODE_COST / 2
        passed = candidates * allowed / n
        return (
            self.leaves * dim * _CENTROID_COST
            + codes
            + 50.0 * candidates
            + self.scan_cost(int(passed))
        )

    def _find(
        self,
        queries: NDArray[np.float32],
        allow: Bitmap | None,
        allowed: int,
        found: NDArray[np.int32],
        scores: NDArray[np.float32],
        threads: int,
    ) -> NDArray[np.int64]:
        if allow is None and len(queries) >= _BULK:
            return self._find_many(queries, found, scores)
        # One query at a time: the library's batches round otherwise and find other rows.
        counts = np.empty(len(queries), np.int64)
        for i in range(len(queries)):
            one = slice(i, i + 1)
            counts[i] = self._find_one(queries[one], allow, allowed, found[one], scores[one])
        return counts

    def _find_many(
        self,
        queries: NDArray[np.float32],
        found: NDArray[np.int32],
        scores: NDArray[np.float32],
    ) -> NDArray[np.int64]:
        table = self._table
        leaves, candidates = self._effort(found.shape[1], len(self))
        counts = np.empty(len(queries), np.int64)
        for start in range(0, len(queries), _CHUNK):
            some = slice(start, start + _CHUNK)
            positions, distances = self._searcher.search_batched(
                queries[some],
                final_num_neighbors=candidates,
                pre_reorder_num_neighbors=candidates,
                leaves_to_search=leaves,
            )
            rows = positions.astype(np.int64)
            if len(table.rows):
                rows = table.rows[rows].astype(np.int64)
            rows[np.isnan(distances)] = -1  # places it could not fill
            counts[some] = kernels.refine(
                queries[some], rows, table.matrix, table.positions, found[some], scores[some]
            )
        return counts

    def _find_one(
        self,
        query: NDArray[np.float32],
        allow: Bitmap | None,
        allowed: int,
        found: NDArray[np.int32],
        scores: NDArray[np.float32],
    ) -> int:
        """Search, drop what is not allowed, and search wider until enough is left.

        Returns how many were found, or -1 when a scan of the allowed vectors is cheaper.
        """
        table = self._table
        k = found.shape[1]
        leaves, candidates = self._effort(k, allowed)
        needed = min(allowed, self.candidates(k))
        while True:
            positions, _ = self._searcher.search(
                query[0],
                final_num_neighbors=candidates,
                pre_reorder_num_neighbors=candidates,
                leaves_to_search=leaves,
            )
            rows = np.full((1, max(len(positions), k)), -1, np.int64)
            rows[0, : len(positions)] = table.rows[positions] if len(table.rows) else positions
            if allow is None:
                break
            left = kernels.drop_others(rows[0], allow)
            if left >= needed:
                break
            if candidates * 50.0 * _WIDER > self.scan_cost(allowed):
                return -1
            leaves = min(self.leaves, leaves * _WIDER)
            candidates = min(len(self), candidates * _WIDER)
        return int(kernels.refine(query, rows, table.matrix, table.positions, found, scores)[0])
