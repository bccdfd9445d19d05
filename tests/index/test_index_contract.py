"""Both kinds of index keep the contract."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from shortlist.core.bitmap import pack
from shortlist.core.progress import Silent
from shortlist.index.contract import Index
from shortlist.index.exact import ExactIndex
from shortlist.index.ivf import IvfIndex
from shortlist.testing.index import IndexContract, catalogue, clustered_vectors, nearest


class TestExact(IndexContract):
    def build(self, rows: NDArray[np.int32], vectors: NDArray[np.float32]) -> Index:
        return ExactIndex.build(rows, vectors)


class TestExactInHalfPrecision(IndexContract):
    recall = 0.99  # neighbours that differ by less than a half can tell

    def build(self, rows: NDArray[np.int32], vectors: NDArray[np.float32]) -> Index:
        return ExactIndex.build(rows, vectors.astype(np.float16))


class TestIvf(IndexContract):
    recall = 0.95

    def build(self, rows: NDArray[np.int32], vectors: NDArray[np.float32]) -> Index:
        index = IvfIndex.build(rows, vectors, 0, Silent())
        return index.with_settings(nprobe=16, k_factor=4, at=50)


class Lists(IvfIndex):
    """An index small enough to be scanned, made to search its lists all the same."""

    def search_cost(self, nprobe: int, candidates: int) -> float:
        return 0.0


class TestIvfThroughLists(IndexContract):
    recall = 0.95

    def build(self, rows: NDArray[np.int32], vectors: NDArray[np.float32]) -> Index:
        index = Lists.build(rows, vectors, 0, Silent())
        return index.with_settings(nprobe=16, k_factor=4, at=50)

    def test_lists_that_hold_too_few_are_made_up_for(self, vectors: NDArray[np.float32]) -> None:
        index = Lists.build(catalogue(len(vectors)), vectors, 0, Silent())
        away = vectors @ vectors[0]
        allowed = away < np.quantile(away, 0.3)
        found, _ = index.with_settings(1, 1, 1).search(vectors[:1], 600, pack(allowed))
        assert len(set(found[0].tolist())) == 600
        assert allowed[found].all()


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
    index = index.with_settings(index.lists, 8, 50)
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
