"""The engines that `ann.py` runs; a peer that is not installed is left out."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from shortlist.core.progress import Silent
from shortlist.index.approximate import Settings
from shortlist.index.centroids import lists_for, quantisers_for
from shortlist.index.hnsw import HnswIndex
from shortlist.index.ivf import IvfIndex
from shortlist.index.scann import ScannIndex

Search = Callable[[NDArray[np.float32], int, int], NDArray[Any]]
"""Rows `[q, k]` of queries, for k and a number of threads."""

PROBES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
DEPTHS = (2, 4, 8, 16)
BEAMS = (10, 16, 24, 40, 64, 100, 160, 250, 400, 800, 1600)


class Engine(ABC):
    """One index. `like` names the engine of ours that does the same."""

    name: str
    ours = False
    like = ""
    package = ""

    @abstractmethod
    def build(self, vectors: NDArray[np.float32]) -> None:
        """Index the vectors on all cores."""

    @abstractmethod
    def settings(self, k: int) -> Iterator[tuple[str, Search]]:
        """Settings to measure for lists of k, by name, and how to search with each.

        What follows a comma in a name is a group; within one, effort rises.
        """


class Ours(Engine):
    ours = True

    def build(self, vectors: NDArray[np.float32]) -> None:
        rows = np.arange(len(vectors), dtype=np.int32)
        self.index: Any = self.kind.build(rows, vectors, 0, Silent())

    def _search(self, k: int, knobs: dict[str, int]) -> Search:
        index = self.index.with_settings(Settings(k, knobs))

        def search(queries: NDArray[np.float32], k: int, threads: int) -> NDArray[Any]:
            index.threads = threads
            return index.search(queries, k)[0]

        return search


class OursIvf(Ours):
    name, kind = "shortlist ivf", IvfIndex

    def settings(self, k: int) -> Iterator[tuple[str, Search]]:
        for depth in DEPTHS:
            for nprobe in PROBES:
                knobs = {"nprobe": nprobe, "k_factor": depth}
                yield f"nprobe {nprobe}, k_factor {depth}", self._search(k, knobs)


class OursHnsw(Ours):
    name, kind = "shortlist hnsw", HnswIndex

    def settings(self, k: int) -> Iterator[tuple[str, Search]]:
        for beam in BEAMS:
            if beam >= k:
                yield f"ef {beam}", self._search(k, {"beam": beam})


class OursScann(Ours):
    name, kind, package = "shortlist scann", ScannIndex, "scann"

    def settings(self, k: int) -> Iterator[tuple[str, Search]]:
        for depth in DEPTHS:
            for leaves in PROBES:
                knobs = {"leaves": leaves, "k_factor": depth}
                yield f"leaves {leaves}, depth {depth}", self._search(k, knobs)


class FaissIvf(Engine):
    """The inverted file of faiss with its own refinement."""

    name, like = "faiss IVF,PQfs,Refine", "shortlist ivf"

    def build(self, vectors: NDArray[np.float32]) -> None:
        n, dim = vectors.shape
        lists = lists_for(n)
        self.index = faiss.index_factory(
            dim,
            f"IVF{lists},PQ{quantisers_for(dim)}x4fs,Refine(SQfp16)",
            faiss.METRIC_INNER_PRODUCT,
        )
        inner = faiss.extract_index_ivf(self.index)
        inner.cp.niter = 10
        step = max(1, n // (64 * lists))
        self.index.train(np.ascontiguousarray(vectors[::step]))
        self.index.add(vectors)

    def settings(self, k: int) -> Iterator[tuple[str, Search]]:
        for depth in DEPTHS:
            for nprobe in PROBES:
                inner = faiss.SearchParametersIVF(nprobe=nprobe)
                told = faiss.IndexRefineSearchParameters(
                    k_factor=float(depth), base_index_params=inner
                )
                yield f"nprobe {nprobe}, k_factor {depth}", self._search(told)

    def _search(self, told: Any) -> Search:
        def search(queries: NDArray[np.float32], k: int, threads: int) -> NDArray[Any]:
            faiss.omp_set_num_threads(threads)
            return self.index.search(queries, k, params=told)[1]

        return search


class FaissHnsw(Engine):
    name, like = "faiss HNSW,SQfp16", "shortlist hnsw"
    storage = "SQfp16"

    def build(self, vectors: NDArray[np.float32]) -> None:
        self.index = faiss.index_factory(
            vectors.shape[1], f"HNSW16,{self.storage}", faiss.METRIC_INNER_PRODUCT
        )
        self.index.hnsw.efConstruction = 100
        self.index.train(vectors[:1000])
        self.index.add(vectors)

    def settings(self, k: int) -> Iterator[tuple[str, Search]]:
        for beam in BEAMS:
            if beam >= k:
                yield f"ef {beam}", self._search(faiss.SearchParametersHNSW(efSearch=beam))

    def _search(self, told: Any) -> Search:
        def search(queries: NDArray[np.float32], k: int, threads: int) -> NDArray[Any]:
            faiss.omp_set_num_threads(threads)
            return self.index.search(queries, k, params=told)[1]

        return search


class Hnswlib(Engine):
    name, package = "hnswlib", "hnswlib"

    def build(self, vectors: NDArray[np.float32]) -> None:
        self.index = importlib.import_module("hnswlib").Index("ip", vectors.shape[1])
        self.index.init_index(len(vectors), M=16, ef_construction=100, random_seed=0)
        self.index.add_items(vectors)

    def settings(self, k: int) -> Iterator[tuple[str, Search]]:
        for beam in BEAMS:
            if beam >= k:
                yield f"ef {beam}", self._search(beam)

    def _search(self, beam: int) -> Search:
        def search(queries: NDArray[np.float32], k: int, threads: int) -> NDArray[Any]:
            self.index.set_ef(beam)
            return self.index.knn_query(queries, k, num_threads=threads)[0].astype(np.int64)

        return search


class Usearch(Engine):
    name, package = "usearch f16", "usearch.index"

    def build(self, vectors: NDArray[np.float32]) -> None:
        self.index = importlib.import_module("usearch.index").Index(
            ndim=vectors.shape[1], metric="ip", dtype="f16", connectivity=16, expansion_add=100
        )
        self.index.add(np.arange(len(vectors)), vectors)

    def settings(self, k: int) -> Iterator[tuple[str, Search]]:
        for beam in BEAMS:
            if beam >= k:
                yield f"ef {beam}", self._search(beam)

    def _search(self, beam: int) -> Search:
        def search(queries: NDArray[np.float32], k: int, threads: int) -> NDArray[Any]:
            self.index.expansion_search = beam
            keys = self.index.search(queries, k, threads=threads).keys
            return np.asarray(keys, np.int64).reshape(len(queries), -1)

        return search


class Voyager(Engine):
    name, package = "voyager", "voyager"

    def build(self, vectors: NDArray[np.float32]) -> None:
        voyager = importlib.import_module("voyager")
        self.index = voyager.Index(
            voyager.Space.InnerProduct, vectors.shape[1], M=16, ef_construction=100
        )
        self.index.add_items(vectors)

    def settings(self, k: int) -> Iterator[tuple[str, Search]]:
        for beam in BEAMS:
            if beam >= k:
                yield f"ef {beam}", self._search(beam)

    def _search(self, beam: int) -> Search:
        def search(queries: NDArray[np.float32], k: int, threads: int) -> NDArray[Any]:
            rows, _ = self.index.query(queries, k, num_threads=threads, query_ef=beam)
            return rows.astype(np.int64)

        return search


class Scann(Engine):
    name, package, like = "ScaNN", "scann", "shortlist scann"

    def build(self, vectors: NDArray[np.float32]) -> None:
        library = importlib.import_module("scann.scann_ops.py.scann_ops_pybind")
        leaves = lists_for(len(vectors))
        self.index = (
            library.builder(vectors, 10, "dot_product")
            .tree(
                num_leaves=leaves,
                num_leaves_to_search=min(32, leaves),
                training_sample_size=min(len(vectors), 64 * leaves),
                soar_lambda=1.5,
                overretrieve_factor=2.0,
            )
            .score_ah(2, anisotropic_quantization_threshold=0.2)
            .reorder(1_000)
            .build()
        )

    def settings(self, k: int) -> Iterator[tuple[str, Search]]:
        for depth in DEPTHS:
            for leaves in PROBES:
                yield f"leaves {leaves}, depth {depth}", self._search(leaves, depth)

    def _search(self, leaves: int, depth: int) -> Search:
        def search(queries: NDArray[np.float32], k: int, threads: int) -> NDArray[Any]:
            told = {
                "final_num_neighbors": k,
                "pre_reorder_num_neighbors": depth * k,
                "leaves_to_search": leaves,
            }
            if len(queries) == 1:
                return _full([self.index.search(queries[0], **told)[0]], k)
            self.index.set_num_threads(threads)
            if threads > 1:
                return _full(self.index.search_batched_parallel(queries, **told)[0], k)
            return _full(self.index.search_batched(queries, **told)[0], k)

        return search


def _full(answers: Any, k: int) -> NDArray[np.int64]:
    rows = np.full((len(answers), k), -1, np.int64)
    for place, answer in enumerate(answers):
        rows[place, : len(answer)] = answer
    return rows


ENGINES: list[type[Engine]] = [
    OursIvf,
    FaissIvf,
    OursHnsw,
    Hnswlib,
    Scann,
    OursScann,
    FaissHnsw,
    Usearch,
    Voyager,
]


def missing(engine: type[Engine]) -> str:
    """Why an engine cannot run; empty when it can."""
    if not engine.package:
        return ""
    try:
        importlib.import_module(engine.package)
    except ImportError as error:
        return f"{engine.package} is not installed ({error}); pip install 'shortlist[bench,scann]'"
    return ""
