"""Every kind of index keeps the contract."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shortlist.core.bitmap import pack
from shortlist.core.progress import Silent
from shortlist.index.approximate import Settings
from shortlist.index.contract import Index
from shortlist.index.exact import ExactIndex
from shortlist.index.files import read_description
from shortlist.index.hnsw import HnswIndex
from shortlist.index.ivf import IvfIndex
from shortlist.index.scann import ScannIndex
from shortlist.testing.index import IndexContract, catalogue, clustered_vectors, nearest


class TestExact(IndexContract):
    def build(self, rows: NDArray[np.int32], vectors: NDArray[np.float32]) -> Index:
        return ExactIndex.build(rows, vectors)


class TestExactInHalfPrecision(IndexContract):
    recall = 0.99  # neighbours that differ by less than a half can tell

    def build(self, rows: NDArray[np.int32], vectors: NDArray[np.float32]) -> Index:
        return ExactIndex.build(rows, vectors.astype(np.float16))


IVF = Settings(50, {"nprobe": 24, "k_factor": 4}, spread=200)


class TestIvf(IndexContract):
    recall = 0.95

    def build(self, rows: NDArray[np.int32], vectors: NDArray[np.float32]) -> Index:
        return IvfIndex.build(rows, vectors, 0, Silent()).with_settings(IVF)


class Forced(IndexContract):
    """An index small enough to be scanned, made to use its structure all the same."""

    index_type: type[IvfIndex] | type[HnswIndex] | type[ScannIndex]

    def load(self, folder: Path, threads: int = 1) -> Index:
        return self.index_type.load(folder, read_description(folder), threads)


class Lists(IvfIndex):
    def cost(self, k: int, allowed: int) -> float:
        return 0.0


class TestIvfThroughLists(Forced):
    recall = 0.95
    index_type = Lists

    def build(self, rows: NDArray[np.int32], vectors: NDArray[np.float32]) -> Index:
        return Lists.build(rows, vectors, 0, Silent()).with_settings(IVF)

    def test_lists_that_hold_too_few_are_made_up_for(self, vectors: NDArray[np.float32]) -> None:
        index = Lists.build(catalogue(len(vectors)), vectors, 0, Silent())
        away = vectors @ vectors[0]
        allowed = away < np.quantile(away, 0.3)
        least = Settings(1, {"nprobe": 1, "k_factor": 1}, spread=100)
        found, _ = index.with_settings(least).search(vectors[:1], 600, pack(allowed))
        assert len(set(found[0].tolist())) == 600
        assert allowed[found].all()


class TestIvfOfBits(Forced):
    recall = 0.95
    index_type = Lists

    def build(self, rows: NDArray[np.int32], vectors: NDArray[np.float32]) -> Index:
        settings = Settings(50, {"nprobe": 24, "k_factor": 16}, spread=200)
        return Lists.build(rows, vectors, 0, Silent(), "rabitq").with_settings(settings)


class TestIvfOfBytes(Forced):
    recall = 0.95
    index_type = Lists

    def build(self, rows: NDArray[np.int32], vectors: NDArray[np.float32]) -> Index:
        settings = Settings(50, {"nprobe": 24, "k_factor": 1}, spread=200)
        return Lists.build(rows, vectors, 0, Silent(), "sq8").with_settings(settings)


class Links(HnswIndex):
    def cost(self, k: int, allowed: int) -> float:
        return 0.0


class TestHnsw(IndexContract):
    recall = 0.95

    def build(self, rows: NDArray[np.int32], vectors: NDArray[np.float32]) -> Index:
        return HnswIndex.build(rows, vectors, 0, Silent())


class TestHnswThroughLinks(Forced):
    recall = 0.95
    index_type = Links

    def build(self, rows: NDArray[np.int32], vectors: NDArray[np.float32]) -> Index:
        return Links.build(rows, vectors, 0, Silent())


class Leaves(ScannIndex):
    def cost(self, k: int, allowed: int) -> float:
        return 0.0


class TestScann(Forced):
    recall = 0.95
    index_type = Leaves

    def build(self, rows: NDArray[np.int32], vectors: NDArray[np.float32]) -> Index:
        settings = Settings(50, {"leaves": 24, "k_factor": 4}, spread=200)
        return Leaves.build(rows, vectors, 0, Silent()).with_settings(settings)


def test_exact_orders_equal_scores_by_row():
    vectors = np.ones((500, 4), np.float32)
    vectors[250:] = 2
    found, _ = ExactIndex.build(catalogue(500), vectors).search(np.ones((1, 4), np.float32), 300)
    assert found[0].tolist() == [*range(250, 500), *range(50)]


def test_zero_vectors_tie_at_zero_whatever_their_sign():
    vectors = np.zeros((1_200, 4), np.float32)
    vectors[::2] = -0.0
    query = np.array([[1, -1, 1, -1]], np.float32)
    for index in (
        ExactIndex.build(catalogue(1_200), vectors),
        IvfIndex.build(catalogue(1_200), vectors, 0, Silent()),
    ):
        found, scores = index.search(query, 1_200)
        assert found[0].tolist() == list(range(1_200))
        assert (scores == 0).all()


def test_an_empty_exact_index_finds_nothing(tmp_path):
    index = ExactIndex.build(catalogue(0), np.empty((0, 8), np.float32))
    index.save(tmp_path)
    for empty in (index, ExactIndex.load(tmp_path)):
        assert len(empty) == 0
        assert (empty.search(np.ones((2, 8), np.float32), 3)[0] == -1).all()
        assert (empty.vectors_of(np.array([0, -1], np.int32)) == 0).all()


@pytest.mark.parametrize("dim", [1, 2, 3, 5, 7, 10, 61, 130])
def test_ivf_takes_vectors_of_any_length(dim):
    vectors = np.random.default_rng(dim).normal(size=(1_500, dim)).astype(np.float32)
    index = IvfIndex.build(catalogue(1_500), vectors, 0, Silent())
    index = index.with_settings(Settings(50, {"nprobe": index.lists, "k_factor": 8}))
    queries = vectors[:20]
    found, _ = index.search(queries, 20)
    truth = [nearest(catalogue(1_500), vectors, query, 20) for query in queries]
    hits = [len(set(f) & set(t)) for f, t in zip(found.tolist(), truth, strict=True)]
    assert sum(hits) >= 0.9 * 20 * 20


def test_ivf_is_the_same_for_the_same_seed(tmp_path):
    vectors = clustered_vectors(2_000, 16)
    for name in ("one", "two"):
        IvfIndex.build(catalogue(2_000), vectors, 5, Silent()).save(tmp_path / name)
    for file in ("lists.faiss", "vectors.npy", "index.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
