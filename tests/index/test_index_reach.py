"""What decides how far a filtered search goes, and how a batch is shared among threads."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.core.bitmap import full, pack
from shortlist.core.errors import RequestError
from shortlist.core.progress import Silent
from shortlist.index.build import load_index
from shortlist.index.ivf import IvfIndex
from shortlist.index.reach import ListSample, fewest_lists
from shortlist.index.threads import in_parts
from shortlist.testing.index import catalogue, clustered_vectors


def test_a_sample_tells_what_a_filter_lets_through_of_each_list():
    rows = np.full((3, 32), -1, np.int32)
    rows[0] = np.arange(32)
    rows[1, :4] = [40, 41, 42, 43]
    sample = ListSample(np.array([320, 4, 0], np.int32), rows)
    assert sample.allowed(full(100)).tolist() == [320, 4, 0]
    assert sample.allowed(pack(np.arange(100) < 8)).tolist() == [80, 0, 0]
    assert sample.allowed(pack(np.arange(42) >= 41)).tolist() == [0, 1, 0]


@given(st.lists(st.floats(0, 100, width=32), min_size=1, max_size=30), st.floats(0, 500))
def test_no_fewer_lists_would_do(held, wanted):
    held = np.array(held, np.float32)
    order = np.arange(len(held))[::-1].copy()
    sums = np.cumsum(held[order].astype(np.float64))
    count = fewest_lists(order, held, wanted)
    if count < 0:
        assert sums[-1] < wanted
    else:
        assert sums[count - 1] >= wanted
        assert count == 1 or sums[count - 2] < wanted


def test_a_sample_of_a_built_index_holds_rows_of_its_lists():
    index = IvfIndex.build(catalogue(3_000), clustered_vectors(3_000, 16), 0, Silent())
    held = index._sample.allowed(full(3_000))
    np.testing.assert_array_equal(held, index._sample.sizes)
    assert held.sum() == 3_000
    half = index._sample.allowed(pack(np.arange(3_000) % 2 == 0)).sum()
    assert half == pytest.approx(1_500, rel=0.1)


@pytest.mark.parametrize("codes", ["pq", "rabitq", "sq8", "sq4"])
def test_the_codes_of_an_index_are_known_when_it_is_opened(codes, tmp_path):
    vectors = clustered_vectors(2_000, 16)
    IvfIndex.build(catalogue(2_000), vectors, 0, Silent(), codes).save(tmp_path)
    opened = load_index(tmp_path)
    assert isinstance(opened, IvfIndex)
    assert opened.codes == codes


@pytest.mark.parametrize(("queries", "threads"), [(0, 2), (1, 4), (5, 2), (3, 8), (7, 1)])
def test_every_query_is_answered_once(queries, threads):
    answered = np.zeros(queries, np.int64)

    def part(some, inner):
        assert inner == (threads if queries <= 1 or threads == 1 else 1)
        answered[some] += 1

    in_parts(part, queries, threads)
    assert (answered == 1).all()


def test_what_a_part_raises_reaches_the_caller():
    def part(some, inner):
        if threading.current_thread() is not threading.main_thread():
            raise RequestError("no")

    with pytest.raises(RequestError, match="no"):
        in_parts(part, 4, 2)
