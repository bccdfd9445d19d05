"""Segments that share their clusters: what they find together, and how they are put together."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shortlist.stores.vectors import StoreSchema, VectorField, compaction, gather, lists
from shortlist.stores.vectors.embedded import EmbeddedStore
from shortlist.stores.vectors.segment import Segment

DIM, FLUSHED, WAITING = 16, 2_000, 500
SCHEMA = StoreSchema((VectorField("v", DIM, "cosine"),), {"n": "integer"})


def vectors(numbers: NDArray[np.int64]) -> NDArray[np.float32]:
    """A vector that is a function of its number, in one of a hundred clusters."""
    centres = np.random.default_rng(1).standard_normal((100, DIM), np.float32)
    noise = np.random.default_rng(2).standard_normal((20_000, DIM), np.float32)
    return np.asarray(centres[numbers % 100] + 0.3 * noise[numbers], np.float32)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedStore]:
    monkeypatch.setattr(gather, "_LISTS_FROM", FLUSHED * DIM)
    opened = EmbeddedStore(tmp_path / "store", SCHEMA, maintain=False, waiting=WAITING)
    yield opened
    opened.close()


def put(store: EmbeddedStore, numbers: NDArray[np.int64]) -> None:
    store.upsert([str(n) for n in numbers.tolist()], {"v": vectors(numbers)}, {"n": numbers})


def flushed(store: EmbeddedStore, numbers: NDArray[np.int64]) -> None:
    """Write records and make a segment of them, without merging."""
    put(store, numbers)
    store._compactor.flush(store._progress, wait=True, least=1)


def families(store: EmbeddedStore) -> list[str]:
    """The family of each segment."""
    found = []
    for view in store._live.now().segments:
        assert isinstance(view.part, Segment)
        member = view.part.member("v")
        found.append(member.family.name if member else "")
    return found


def recall(store: EmbeddedStore, alive: NDArray[np.int64], k: int = 10) -> float:
    matrix = vectors(alive)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    queries = vectors(np.arange(100)) + np.float32(0.05)
    hit = 0
    for query, hits in zip(queries, store.search(queries, k), strict=True):
        assert len(hits) == min(k, len(alive))
        best = alive[np.argsort(-(matrix @ query), kind="stable")[:k]]
        found = {int(id) for id in hits.ids}
        assert found <= set(alive.tolist())
        hit += len(found & set(best.tolist()))
    return hit / (k * len(queries))


def test_segments_take_over_the_clusters_of_the_first(store: EmbeddedStore) -> None:
    flushed(store, np.arange(2_000))
    flushed(store, np.arange(2_000, 4_000))
    first, second = families(store)
    assert first == second != ""
    assert recall(store, np.arange(4_000)) > 0.95


def test_merged_lists_hold_exactly_what_is_alive(store: EmbeddedStore) -> None:
    flushed(store, np.arange(3_000))
    for start in (3_000, 5_000, 7_500):
        flushed(store, np.arange(start, start + 2_500))  # the second replaces 5,000 to 5,499
    (family,) = set(families(store))
    store.delete([str(n) for n in range(0, 10_000, 5)])
    store.compact()
    assert families(store) == [family]
    alive = np.array([n for n in range(10_000) if n % 5])
    assert store.count() == len(alive)
    assert recall(store, alive) > 0.95
    (hits,) = store.search(vectors(np.array([7_001])), 1)
    assert hits.ids == ["7001"]


def test_clusters_are_trained_anew_when_a_segment_outgrows_them(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "OUTGROWN", 3)
    flushed(store, np.arange(2_000))
    (old,) = families(store)
    flushed(store, np.arange(2_000, 9_000))
    assert len(set(families(store))) == 2
    assert recall(store, np.arange(9_000)) > 0.95
    flushed(store, np.arange(9_000, 11_000))
    assert families(store).count(old) == 1  # what is written now is of the new family
    store.compact()
    assert recall(store, np.arange(11_000)) > 0.95


def test_a_search_is_full_where_all_that_was_near_is_gone(store: EmbeddedStore) -> None:
    flushed(store, np.arange(4_000))
    flushed(store, np.arange(4_000, 6_000))
    near = [n for n in range(6_000) if n % 100 == 7]
    store.delete([str(n) for n in near])
    alive = np.array([n for n in range(6_000) if n % 100 != 7])
    queries = vectors(np.array([7, 107]))
    assert all(len(hits) == 10 for hits in store.search(queries, 10))
    assert recall(store, alive) > 0.95


def test_a_family_answers_batches_and_long_lists_as_it_answers_single_queries(
    store: EmbeddedStore,
) -> None:
    flushed(store, np.arange(3_000))
    flushed(store, np.arange(3_000, 5_000))
    put(store, np.arange(5_000, 5_100))
    queries = vectors(np.arange(40))
    together = store.search(queries, 5)
    for query, hits in zip(queries, together, strict=True):
        (alone,) = store.search(query, 5)
        assert alone.ids == hits.ids
        assert alone.scores.tolist() == hits.scores.tolist()
    (every,) = store.search(queries[0], 6_000)
    assert sorted(map(int, every.ids)) == list(range(5_100))


def test_a_store_of_a_family_opens_again(store: EmbeddedStore) -> None:
    flushed(store, np.arange(2_000))
    flushed(store, np.arange(2_000, 4_000))
    with_lists = EmbeddedStore(store.folder, maintain=False)
    assert families(with_lists) == families(store)
    assert recall(with_lists, np.arange(4_000)) > 0.95
    with_lists.close()


def test_a_flush_takes_along_what_is_still_small(store: EmbeddedStore) -> None:
    for start in range(0, 5_000, 1_000):
        flushed(store, np.arange(start, start + 1_000))
    assert [view.n for view in store._live.now().segments] == [2_000, 2_000, 1_000]
    store.delete(["3"])
    alive = np.delete(np.arange(5_000), 3)
    assert store.count() == len(alive)
    assert recall(store, alive) > 0.95


def test_a_flush_takes_a_few_more_along_where_nothing_merges_them(store: EmbeddedStore) -> None:
    for start in range(0, 18_000, 2_000):
        flushed(store, np.arange(start, start + 2_000))
    sizes = [view.n for view in store._live.now().segments]
    assert sorted(sizes) == [2_000] * 4 + [10_000]  # the ninth took four of eight
    store.delete(["3"])
    alive = np.delete(np.arange(18_000), 3)
    assert store.count() == len(alive)
    assert recall(store, alive) > 0.95


def test_of_two_processes_that_took_the_same_segments_one_keeps_its_work(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for start in range(0, 16_000, 2_000):
        flushed(store, np.arange(start, start + 2_000))
    other = EmbeddedStore(store.folder, maintain=False, waiting=WAITING)
    written = compaction.write_segment

    def flush_meanwhile(*arguments: object) -> str:
        monkeypatch.setattr(compaction, "write_segment", written)
        flushed(other, np.arange(16_000, 17_000))
        return written(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(compaction, "write_segment", flush_meanwhile)
    assert not store._compactor.merge(store._progress, wait=True)
    assert store.count() == 17_000
    assert len(families(other)) == 5
    assert len(list((store.folder / "segments").glob("m*"))) == 0
    assert recall(store, np.arange(17_000)) > 0.95
    other.close()


def test_lists_that_were_damaged_since_they_were_opened_are_built_again(
    store: EmbeddedStore,
) -> None:
    flushed(store, np.arange(2_000))
    flushed(store, np.arange(2_000, 4_000))
    for path in sorted((store.folder / "segments").glob("*/field0/lists.faiss")):
        path.rename(path.with_suffix(".old"))  # what is mapped stays as it is
        path.write_bytes(b"nothing")
    flushed(store, np.arange(4_000, 6_000))
    store.delete(["3"])
    alive = np.delete(np.arange(6_000), 3)
    assert store.count() == len(alive)
    assert recall(store, alive) > 0.95


def test_filtered_searches_find_as_much_in_lists_that_have_grown(store: EmbeddedStore) -> None:
    for start in range(0, 14_000, 2_000):
        flushed(store, np.arange(start, start + 2_000))
    store.compact()
    assert [view.n for view in store._live.now().segments] == [14_000]
    matrix = vectors(np.arange(14_000))
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    queries = vectors(np.arange(50)) + np.float32(0.05)
    hit = 0
    for query, hits in zip(queries, store.search(queries, 10, "n >= 7000"), strict=True):
        best = 7_000 + np.argsort(-(matrix[7_000:] @ query), kind="stable")[:10]
        hit += len({int(id) for id in hits.ids} & set(best.tolist()))
    assert hit > 0.95 * 10 * len(queries)
