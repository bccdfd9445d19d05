"""Lists of a family put together: every row keeps the code it would have had."""

from pathlib import Path

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from shortlist.core.progress import Silent
from shortlist.stores.vectors.lists import Lists, Member, Source, build_lists

DIM, QUERIES = 16, 3
RANDOM = np.random.default_rng(3)
VECTORS = RANDOM.standard_normal((6_000, DIM)).astype(np.float16)


def saved(folder: Path, vectors: NDArray[np.float16], near: Member | None) -> tuple[Lists, Member]:
    lists, family = build_lists(vectors, near, [], Silent())
    lists.save(folder)
    return lists, Member(family, folder / "lists.faiss", lists.settings)


def scores(lists: Lists, n: int) -> NDArray[np.float32]:
    """What each row scores by its code, `[q, n]`."""
    queries = VECTORS[:QUERIES].astype(np.float32)
    nearest = lists.nearest_lists(queries, lists.lists)
    by_rank, rows = lists.approximate(queries, nearest, n)
    assert (np.sort(rows) == np.arange(n)).all()
    return np.take_along_axis(by_rank, np.argsort(rows), axis=1)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lists, Member]:
    return saved(tmp_path_factory.mktemp("lists") / "first", VECTORS[:2_000], None)


def test_joined_and_added_rows_have_the_codes_of_rows_added_at_once(
    first: tuple[Lists, Member], tmp_path: Path
) -> None:
    second = saved(tmp_path / "second", VECTORS[2_000:4_000], first[1])[1]
    kept = np.flatnonzero(np.arange(2_000) % 3)
    vectors = np.concatenate([VECTORS[kept], VECTORS[2_000:]])
    n = len(vectors)
    sources = [
        Source(first[1], 2_000, kept, np.arange(len(kept))),
        Source(second, 2_000, np.arange(2_000), len(kept) + np.arange(2_000)),
    ]
    joined, family = build_lists(vectors, first[1], sources, Silent())
    assert family.name == first[1].family.name
    at_once = build_lists(vectors, first[1], [], Silent())[0]
    assert (scores(joined, n) == scores(at_once, n)).all()


def test_a_list_of_whole_blocks_takes_more_rows(first: tuple[Lists, Member]) -> None:
    lists = faiss.downcast_InvertedLists(first[0]._coarse.invlists)
    number = int(np.argmax([lists.list_size(i) for i in range(first[0].lists)]))
    size = lists.list_size(number)
    rows = np.sort(faiss.rev_swig_ptr(lists.get_ids(number), size)).copy()
    whole = lists.block_size
    times = -(-whole // size)
    sources, start = [], 0
    for turn in range(times + 1):
        some = rows[: whole - start] if turn == times - 1 else rows
        sources.append(Source(first[1], 2_000, some, start + np.arange(len(some))))
        start += len(some)
    vectors = np.concatenate([VECTORS[source.rows] for source in sources])
    joined = build_lists(vectors, first[1], sources, Silent())[0]
    at_once = build_lists(vectors, first[1], [], Silent())[0]
    assert (scores(joined, start) == scores(at_once, start)).all()
