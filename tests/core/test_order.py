"""Ordering by score is descending and stable."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shortlist.core.order import best_first

scores = st.lists(
    st.one_of(
        st.floats(width=32, allow_nan=False),
        st.sampled_from([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf]),
    ),
    max_size=60,
)


@given(scores, st.one_of(st.none(), st.integers(0, 70)))
def test_it_is_a_stable_descending_sort_cut_at_k(values, k):
    expected = sorted(range(len(values)), key=lambda i: -values[i])
    assert best_first(np.array(values, np.float32), k).tolist() == expected[:k]
