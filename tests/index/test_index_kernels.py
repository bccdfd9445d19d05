"""The compiled loops against NumPy."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shortlist.core.bitmap import pack
from shortlist.core.jit import kernel
from shortlist.index import kernels
from shortlist.index.half import widen, widen_bits

NO_ROWS = np.empty(0, np.int32)


@kernel
def _widen_all(halves, out):
    for i in range(len(halves)):
        out[i] = widen(halves[i])


@kernel
def _widen_all_by_bits(halves, out):
    for i in range(len(halves)):
        out[i] = widen_bits(halves[i])


def test_every_finite_half_widens_to_its_float():
    halves = np.arange(65_536, dtype=np.uint16)
    halves = halves[np.isfinite(halves.view(np.float16))]
    for function in (_widen_all, _widen_all_by_bits):
        out = np.empty(len(halves), np.float32)
        function(halves, out)
        np.testing.assert_array_equal(out, halves.view(np.float16).astype(np.float32))


@given(
    st.lists(st.integers(-3, 3), min_size=1, max_size=60),
    st.integers(1, 70),
    st.randoms(use_true_random=False),
)
def test_refine_and_scan_order_by_score_then_row(values, k, random):
    matrix = np.array(values, np.float32)[:, None]
    queries = np.array([[1], [-2], [0]], np.float32)
    ids = list(range(len(values)))
    random.shuffle(ids)
    candidates = np.full((3, max(k, len(ids)) + 2), -1, np.int64)
    candidates[:, 1 : len(ids) + 1] = ids
    found, scores = np.empty((3, k), np.int32), np.empty((3, k), np.float32)
    counts = kernels.refine(queries, candidates, matrix, NO_ROWS, found, scores)
    assert counts.tolist() == [len(ids)] * 3
    expected = [sorted(range(len(values)), key=lambda i: (-values[i] * q, i)) for q in (1, -2, 0)]
    expected = [(rows + [-1] * k)[:k] for rows in expected]
    assert found.tolist() == expected
    again, same = np.empty_like(found), np.empty_like(scores)
    kernels.scan(queries, matrix, NO_ROWS, True, NO_ROWS, again, same)
    np.testing.assert_array_equal(again, found)
    np.testing.assert_array_equal(same, scores)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=100))
def test_bitmaps_are_intersected_as_numpy_would(flags):
    allow = np.array([a for a, _ in flags], np.bool_)
    member = np.array([m for _, m in flags], np.bool_)
    positions = np.where(member, np.cumsum(member) - 1, -1).astype(np.int32)
    count = kernels.count_common(pack(allow), pack(member))
    assert count == (allow & member).sum()
    chosen = np.empty(count, np.int32)
    kernels.chosen_positions(pack(allow), pack(member), positions, chosen)
    np.testing.assert_array_equal(chosen, positions[allow & member])
