"""The contract of `index.Index`: every kind subclasses `IndexContract` and passes it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shortlist.core.bitmap import pack, unpack
from shortlist.core.errors import DataError, ReleaseError, RequestError
from shortlist.index.build import load_index
from shortlist.index.contract import Index
from shortlist.index.tune import sample_queries

N, DIM = 12_000, 24
SELECTIVITIES = (1.0, 0.9, 0.5, 0.1, 0.03, 0.01, 0.001, 0.0001)


def clustered_vectors(n: int, dim: int, seed: int = 0) -> NDArray[np.float32]:
    """Unit vectors around a few dozen centres, `float32[n, dim]`, as encoders make them."""
    random = np.random.default_rng([seed, n, dim])
    centres = random.normal(size=(40, dim))
    vectors = centres[random.integers(0, 40, n)] + 0.5 * random.normal(size=(n, dim))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32)


def nearest(
    rows: NDArray[np.int32],
    vectors: NDArray[np.float32],
    query: NDArray[np.float32],
    k: int,
    allowed: NDArray[np.bool_] | None = None,
) -> list[int]:
    """The rows of the k largest dot products, equal ones by row: the NumPy oracle."""
    scores = vectors.astype(np.float64) @ query
    kept = np.arange(len(rows)) if allowed is None else np.flatnonzero(allowed[rows])
    order = np.lexsort((rows[kept], -scores[kept]))[:k]
    return [int(row) for row in rows[kept[order]]]


def share_found(
    found: NDArray[np.int32],
    vectors: NDArray[np.float32],
    queries: NDArray[np.float32],
    k: int,
    allowed: NDArray[np.bool_] | None = None,
) -> float:
    """The recall of answers over a whole catalogue against `nearest`."""
    rows = catalogue(len(vectors))
    truth = [nearest(rows, vectors, query, k, allowed) for query in queries]
    hits = [len(set(f) & set(t)) for f, t in zip(found.tolist(), truth, strict=True)]
    return sum(hits) / max(sum(map(len, truth)), 1)


def catalogue(n: int) -> NDArray[np.int32]:
    """Every row of a catalogue of n items."""
    return np.arange(n, dtype=np.int32)


_BUILT: dict[type, Index] = {}


class IndexContract:
    """Override `build`; lower `recall` for an index that is not exact."""

    recall = 1.0
    """What share of the oracle's answer the index must find, over many queries."""

    def build(self, rows: NDArray[np.int32], vectors: NDArray[np.float32]) -> Index:
        """The index of the kind that is tested."""
        raise NotImplementedError

    def load(self, folder: Path, threads: int = 1) -> Index:
        """The index that was saved."""
        return load_index(folder, threads)

    @pytest.fixture
    def vectors(self) -> NDArray[np.float32]:
        return clustered_vectors(N, DIM)

    @pytest.fixture
    def queries(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        return sample_queries(vectors, 40, np.random.default_rng(1))

    @pytest.fixture
    def index(self, vectors: NDArray[np.float32]) -> Index:
        if type(self) not in _BUILT:
            _BUILT[type(self)] = self.build(catalogue(N), vectors)
        return _BUILT[type(self)]

    def test_it_finds_the_nearest_that_numpy_finds(
        self, index: Index, vectors: NDArray[np.float32], queries: NDArray[np.float32]
    ) -> None:
        found, scores = index.search(queries, 20)
        assert found.dtype == np.int32
        assert scores.dtype == np.float32
        assert share_found(found, vectors, queries, 20) >= self.recall
        own = np.einsum("qkd,qd->qk", vectors[found], queries)
        np.testing.assert_allclose(scores, own, atol=2e-3)
        assert (np.diff(scores, axis=1) <= 0).all()

    @pytest.mark.parametrize("share", SELECTIVITIES)
    def test_a_filter_is_honoured_and_never_starves_the_answer(
        self,
        index: Index,
        vectors: NDArray[np.float32],
        queries: NDArray[np.float32],
        share: float,
    ) -> None:
        count = max(1, round(share * N))
        allowed = np.random.default_rng(7).permutation(N) < count
        found, _ = index.search(queries, 50, pack(allowed))
        wanted = min(50, count)
        assert ((found >= 0).sum(axis=1) == wanted).all()
        assert (found[:, wanted:] == -1).all()
        assert allowed[found[:, :wanted]].all()
        assert share_found(found, vectors, queries, 50, allowed) >= self.recall

    @pytest.mark.parametrize("share", [0.5, 0.1, 0.01])
    @pytest.mark.parametrize("like", [True, False])
    def test_a_filter_that_depends_on_the_query_holds_the_recall(
        self,
        index: Index,
        vectors: NDArray[np.float32],
        queries: NDArray[np.float32],
        share: float,
        like: bool,
    ) -> None:
        likeness = vectors @ queries[0] * (1 if like else -1)
        allowed = likeness > np.quantile(likeness, 1 - share)
        others = queries[np.argsort(queries @ queries[0])[-10:]]  # like it themselves
        found, _ = index.search(others, 50, pack(allowed))
        assert allowed[found].all()
        assert share_found(found, vectors, others, 50, allowed) >= self.recall

    def test_a_filter_far_from_the_query_is_filled_all_the_same(
        self, index: Index, vectors: NDArray[np.float32]
    ) -> None:
        query = vectors[:1]
        allowed = vectors @ query[0] < np.quantile(vectors @ query[0], 0.4)
        found, _ = index.search(query, 300, pack(allowed))
        assert len(set(found[0].tolist())) == 300
        assert allowed[found[0]].all()

    def test_a_filter_of_one_row_finds_it(self, index: Index, queries: NDArray[np.float32]) -> None:
        for row in (0, 7, 8, N - 1):
            allow = pack(np.arange(N) == row)
            found, scores = index.search(queries[:3], 5, allow)
            assert found[:, 0].tolist() == [row] * 3
            assert (found[:, 1:] == -1).all()
            assert np.isneginf(scores[:, 1:]).all()

    def test_a_filter_of_no_row_finds_nothing(
        self, index: Index, queries: NDArray[np.float32]
    ) -> None:
        found, scores = index.search(queries, 5, pack(np.zeros(N, np.bool_)))
        assert (found == -1).all()
        assert np.isneginf(scores).all()

    def test_a_filter_may_be_read_only_and_longer_than_the_index(
        self, index: Index, queries: NDArray[np.float32]
    ) -> None:
        allow = pack(np.ones(N + 500, np.bool_))
        allow.flags.writeable = False
        found, _ = index.search(queries, 10, allow)
        np.testing.assert_array_equal(found, index.search(queries, 10)[0])

    def test_a_batch_equals_its_singles(self, index: Index, queries: NDArray[np.float32]) -> None:
        for allow in (None, pack(np.arange(N) % 3 == 0), pack(np.arange(N) % 500 == 0)):
            found, scores = index.search(queries, 30, allow)
            for i in range(len(queries)):
                alone = index.search(queries[i : i + 1], 30, allow)
                np.testing.assert_array_equal(found[i], alone[0][0])
                np.testing.assert_array_equal(scores[i], alone[1][0])

    def test_threads_share_a_batch_and_find_the_same(
        self, index: Index, queries: NDArray[np.float32], tmp_path: Path
    ) -> None:
        index.save(tmp_path / "index")
        for allow in (None, pack(np.arange(N) % 3 == 0)):
            expected = index.search(queries, 30, allow)
            for threads in (2, 5):
                opened = self.load(tmp_path / "index", threads)
                found, scores = opened.search(queries, 30, allow)
                np.testing.assert_array_equal(found, expected[0])
                np.testing.assert_array_equal(scores, expected[1])

    @pytest.mark.parametrize("damage", ["cut off", "one bit", "missing"])
    def test_a_damaged_file_is_named(self, index: Index, tmp_path: Path, damage: str) -> None:
        folder = tmp_path / "index"
        index.save(folder)
        for path in sorted(folder.rglob("*.*")):
            if path.is_dir() or path.name == "index.json":
                continue
            content = path.read_bytes()
            if damage == "cut off":
                path.write_bytes(content[:-1])
            elif damage == "one bit":
                middle = len(content) // 2
                path.write_bytes(
                    content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :]
                )
            else:
                path.unlink()
            with pytest.raises(ReleaseError, match=f"{path.name}: .*train again or roll back"):
                load_index(folder)
            path.write_bytes(content)
        load_index(folder)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_a_vector_that_is_not_finite_is_refused_by_row(
        self, vectors: NDArray[np.float32], bad: float
    ) -> None:
        some = vectors[:2_000].copy()
        some[1_234, 3] = bad
        with pytest.raises(DataError, match="catalogue row 2468 has a number that is not finite"):
            self.build(2 * catalogue(2_000), some)

    def test_asking_for_more_than_there_is_returns_all(
        self, index: Index, queries: NDArray[np.float32]
    ) -> None:
        found, scores = index.search(queries[:2], N + 10)
        for row in found:
            assert sorted(row[:N].tolist()) == list(range(N))
        assert (found[:, N:] == -1).all()
        assert np.isneginf(scores[:, N:]).all()
        assert np.isfinite(scores[:, :N]).all()

    def test_asking_for_nothing_returns_nothing(
        self, index: Index, queries: NDArray[np.float32]
    ) -> None:
        assert index.search(queries, 0)[0].shape == (len(queries), 0)
        assert index.search(queries[:0], 5)[0].shape == (0, 5)

    def test_a_saved_index_answers_as_before(
        self, index: Index, queries: NDArray[np.float32], tmp_path: Path
    ) -> None:
        index.save(tmp_path / "index")
        opened = self.load(tmp_path / "index")
        assert (opened.kind, opened.exact, opened.dim, len(opened)) == (
            index.kind,
            index.exact,
            DIM,
            N,
        )
        for allow in (None, pack(np.arange(N) % 4 == 1)):
            before, after = index.search(queries, 25, allow), opened.search(queries, 25, allow)
            np.testing.assert_array_equal(before[0], after[0])
            np.testing.assert_array_equal(before[1], after[1])

    def test_rows_may_be_a_part_of_the_catalogue(
        self, vectors: NDArray[np.float32], queries: NDArray[np.float32], tmp_path: Path
    ) -> None:
        size = 2 * N
        rows = np.sort(np.random.default_rng(3).choice(size, N, replace=False)).astype(np.int32)
        built = self.build(rows, vectors)
        built.save(tmp_path / "index")
        allow = pack(np.random.default_rng(4).random(size) < 0.3)
        for index in (built, self.load(tmp_path / "index")):
            for bitmap in (None, allow):
                allowed = None if bitmap is None else unpack(bitmap, size)
                found, scores = index.search(queries, 20, bitmap)
                truth = [nearest(rows, vectors, query, 20, allowed) for query in queries]
                hits = [len(set(f) & set(t)) for f, t in zip(found.tolist(), truth, strict=True)]
                assert sum(hits) >= self.recall * 20 * len(queries)
                own = np.einsum("qkd,qd->qk", vectors[np.searchsorted(rows, found)], queries)
                np.testing.assert_allclose(scores, own, atol=2e-3)

    def test_vectors_come_back_by_row_and_missing_rows_are_zeros(
        self, vectors: NDArray[np.float32]
    ) -> None:
        rows = (2 * np.arange(N)).astype(np.int32)
        index = self.build(rows, vectors)
        got = index.vectors_of(np.array([0, 1, 10, -1, 2 * N - 2, 2 * N + 7], np.int32))
        assert got.dtype == np.float32
        np.testing.assert_allclose(got[[0, 2, 4]], vectors[[0, 5, N - 1]], rtol=1e-3, atol=1e-6)
        assert (got[[1, 3, 5]] == 0).all()

    def test_a_query_of_another_length_is_refused(self, index: Index) -> None:
        with pytest.raises(RequestError, match=rf"queries: .*\(1, {DIM + 1}\).*vectors of {DIM}"):
            index.search(np.ones((1, DIM + 1), np.float32), 5)
        with pytest.raises(RequestError, match=r"queries: "):
            index.search(np.ones(DIM, np.float32), 5)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_a_query_that_is_not_finite_is_refused(
        self, index: Index, queries: NDArray[np.float32], bad: float
    ) -> None:
        queries = queries.copy()
        queries[3, 5] = bad
        with pytest.raises(RequestError, match="query 3 has a number that is not finite"):
            index.search(queries, 5)

    def test_asking_for_less_than_nothing_is_refused(
        self, index: Index, queries: NDArray[np.float32]
    ) -> None:
        with pytest.raises(RequestError, match="k: is -1"):
            index.search(queries, -1)

    def test_threads_do_not_disturb_each_other(
        self, index: Index, queries: NDArray[np.float32]
    ) -> None:
        filters = [None] + [pack(np.arange(N) % m == 0) for m in (2, 5, 50)]
        alone = [index.search(queries, 20, allow) for allow in filters]

        def work(turn: int) -> bool:
            found, scores = index.search(queries, 20, filters[turn % 4])
            return np.array_equal(found, alone[turn % 4][0]) and np.array_equal(
                scores, alone[turn % 4][1]
            )

        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(work, range(32)))
